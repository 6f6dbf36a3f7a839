"""A dialogue with a broker about transactions: requests, and answers as comparable text."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from raftka.model.records import Record, encode_batch
from raftka.net.protocol.message import Request, Struct
from raftka.net.protocol.messages import add_partitions_to_txn as add
from raftka.net.protocol.messages import describe_producers as producers
from raftka.net.protocol.messages import describe_transactions as describe
from raftka.net.protocol.messages import end_txn as end
from raftka.net.protocol.messages import init_producer_id as init
from raftka.net.protocol.messages import list_offsets as offsets
from raftka.net.protocol.messages import offset_fetch as committed
from raftka.net.protocol.messages import produce
from raftka.net.protocol.messages import txn_offset_commit as commit
from raftka.testing.wire import ask

CONCURRENT: Final = 51
NOT_YET: Final = {14, 15, 16}
"""Errors while the coordinator loads, is unavailable, or is another broker."""

GROUP: Final = "odd-group"

PATIENCE_S: Final = 30.0
_LEFT_OUT: Final = {
    *("throttle_time", "error_message", "topic_id", "leader_epoch", "coordinator_epoch"),
    *("transaction_start_time", "last_timestamp", "log_append_time", "record_errors"),
    *("current_leader", "node_endpoints", "committed_leader_epoch", "log_start_offset"),
}


class Talk:
    """Asks one broker, and records its answers."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.lines: dict[str, str] = {}
        self.run = time.time_ns()
        self._ids: dict[int, str] = {}

    def raw(self, request: Request[Any], version: int) -> Any:
        """The answer, retried while the coordinator is not ready."""
        until = time.monotonic() + PATIENCE_S
        send: Callable[..., Any] = ask
        while True:
            answer = send(self.port, request, version)
            if time.monotonic() > until or not NOT_YET & set(codes(answer)):
                return answer
            time.sleep(0.1)

    def say(self, name: str, request: Request[Any], version: int) -> Any:
        """Ask once and note the answer."""
        if name in self.lines:
            raise ValueError(f"{name} was asked before")
        try:
            answer = self.raw(request, version)
        except OSError:
            self.lines[name] = "no answer"
            return None
        self.lines[name] = self.words(answer)
        return answer

    def settled(self, request: Request[Any], version: int) -> Any:
        """The answer once no transaction of that id is being ended."""
        until = time.monotonic() + PATIENCE_S
        while CONCURRENT in codes(answer := self.raw(request, version)):
            if time.monotonic() > until:
                raise TimeoutError("a transaction is being ended for 30 s")
            time.sleep(0.02)
        return answer

    def words(self, value: object, field: str = "") -> str:
        if isinstance(value, Struct):
            fresh = type(value)()
            said = []
            for name in type(value).__slots__:
                inner = getattr(value, name)
                if name in _LEFT_OUT or (inner == getattr(fresh, name) and "code" not in name):
                    continue
                said.append(f"{name}={self.words(inner, name)}")
            return "(" + " ".join(said) + ")"
        if isinstance(value, list):
            return "[" + " ".join(sorted(self.words(each, field) for each in value)) + "]"
        if field == "producer_id" and isinstance(value, int) and value >= 0:
            return self._ids.setdefault(value, f"p{len(self._ids)}")
        return str(value).replace(str(self.run), "RUN")


def codes(answer: Struct) -> list[int]:
    """The error codes in an answer."""
    found: list[int] = []

    def look(value: object) -> None:
        if isinstance(value, list):
            for each in value:
                look(each)
        elif isinstance(value, Struct):
            for name in type(value).__slots__:
                inner = getattr(value, name)
                if name.endswith("error_code"):
                    found.append(inner)
                else:
                    look(inner)

    look(answer)
    return found


def new(talk: Talk, tid: str, producer: tuple[int, int] = (-1, -1), timeout: int = 60_000) -> Any:
    """InitProducerId of a transactional id."""
    return init.InitProducerIdRequest(
        transactional_id=f"{tid}-{talk.run}",
        transaction_timeout=timeout,
        producer_id=producer[0],
        producer_epoch=producer[1],
    )


def begun(talk: Talk, tid: str) -> tuple[int, int]:
    """A producer id and its epoch, after an earlier epoch."""
    talk.settled(new(talk, tid), 5)
    answer = talk.settled(new(talk, tid), 5)
    if answer.error_code:
        raise ValueError(f"InitProducerId was answered {answer.error_code}")
    talk.words(answer)  # so that producer ids are counted in the order of their first use
    return answer.producer_id, answer.producer_epoch


def joined(talk: Talk, tid: str, producer: tuple[int, int], *where: tuple[str, int]) -> Any:
    """AddPartitionsToTxn as clients below transaction.version 2 send it."""
    return add.AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=f"{tid}-{talk.run}",
        v3_and_below_producer_id=producer[0],
        v3_and_below_producer_epoch=producer[1],
        v3_and_below_topics=[
            add.AddPartitionsToTxnTopic(name=name, partitions=[index]) for name, index in where
        ],
    )


def ended(talk: Talk, tid: str, producer: tuple[int, int], *, commits: bool = True) -> Any:
    return end.EndTxnRequest(
        transactional_id=f"{tid}-{talk.run}",
        producer_id=producer[0],
        producer_epoch=producer[1],
        committed=commits,
    )


def written(
    talk: Talk, tid: str | None, producer: tuple[int, int], topic: str, sequence: int = 0
) -> Any:
    """Produce of one record to partition 0."""
    batch = encode_batch(
        [Record(0, 1_700_000_000_000, b"k", b"v")],
        producer_id=producer[0],
        producer_epoch=producer[1],
        base_sequence=sequence,
        is_transactional=True,
    )
    data = produce.PartitionProduceData(index=0, records=batch)
    return produce.ProduceRequest(
        transactional_id=None if tid is None else f"{tid}-{talk.run}",
        acks=-1,
        timeout=5000,
        topic_data=[produce.TopicProduceData(name=topic, partition_data=[data])],
    )


def seen(topic: str, isolation: int, timestamp: int = -1) -> Any:
    one = offsets.ListOffsetsPartition(partition_index=0, timestamp=timestamp)
    return offsets.ListOffsetsRequest(
        replica_id=-1,
        isolation_level=isolation,
        topics=[offsets.ListOffsetsTopic(name=topic, partitions=[one])],
    )


def described(talk: Talk, *tids: str) -> Any:
    return describe.DescribeTransactionsRequest(
        transactional_ids=[f"{tid}-{talk.run}" if tid else "" for tid in tids]
    )


def about_producers(topic: str, *indexes: int) -> Any:
    one = producers.TopicRequest(name=topic, partition_indexes=list(indexes))
    return producers.DescribeProducersRequest(topics=[one])


def offset_commit(
    talk: Talk, tid: str, producer: tuple[int, int], topic: str, **fields: Any
) -> Any:
    one = commit.TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=7)
    given: dict[str, Any] = {"generation_id": -1, "member_id": "", "group_id": GROUP}
    return commit.TxnOffsetCommitRequest(
        transactional_id=f"{tid}-{talk.run}",
        producer_id=producer[0],
        producer_epoch=producer[1],
        topics=[commit.TxnOffsetCommitRequestTopic(name=topic, partitions=[one])],
        **(given | fields),
    )


def fetched(topic: str, *, stable: bool) -> Any:
    wanted = committed.OffsetFetchRequestTopics(name=topic, partition_indexes=[0])
    group = committed.OffsetFetchRequestGroup(group_id=GROUP, topics=[wanted])
    return committed.OffsetFetchRequest(groups=[group], require_stable=stable)
