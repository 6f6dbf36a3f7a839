"""Asks transaction coordinators whether a partition is in a transaction, or to add it (KIP-890).

Before a producer's first write in a transaction, the leader of the partition asks whether the
producer has added the partition, or with transaction.version 2 adds it. Questions to one
coordinator share requests, with a few in flight at a time. An answer has an error code for each
partition; the partition's leader decides how to answer its client.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Final, NamedTuple

import trio

from raftka.broker.peers import ToBroker
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection, Clock
from raftka.net.protocol.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)

log = get_logger(__name__)

REQUESTS_PER_BROKER: Final = 5
_LANE: Final = "joining"

Codes = Mapping[TopicPartition, ErrorCode]


class Question(NamedTuple):
    """A question about one or several partitions of one client's request."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    partitions: frozenset[TopicPartition]
    verify_only: bool
    """Whether to check that they are in the transaction; otherwise they are added."""


class Retries(NamedTuple):
    """How long to retry adding a partition while the producer's previous transaction is being
    ended: the client itself would wait longer (add.partitions.to.txn.retry.backoff.*)."""

    every_s: float
    at_most_s: float


@dataclass(eq=False, slots=True)
class _Asked:
    question: Question
    answered: Callable[[Codes], None]
    asked_s: float

    def all(self, code: ErrorCode) -> None:
        self.answered(dict.fromkeys(self.question.partitions, code))


@dataclass(slots=True)
class _Coordinator:
    """A broker and the questions that wait for it."""

    waiting: deque[_Asked] = field(default_factory=deque)
    under_way: int = 0


class Joining:
    """The questions of this broker's partitions. `run` must be running."""

    def __init__(
        self,
        peers: ToBroker,
        clock: Clock,
        *,
        coordinator: Callable[[str], int | None],
        timeout_s: float,
        retries: Retries,
    ) -> None:
        """`coordinator` returns the broker that coordinates a transactional id now, if there is
        one. `timeout_s`: how long it may take to answer."""
        self._peers = peers
        self._clock = clock
        self._coordinator = coordinator
        self._timeout_s = timeout_s
        self._retries = retries
        self._coordinators: dict[int, _Coordinator] = {}
        self._later: list[tuple[float, _Asked]] = []
        self._alarm = clock.alarm()
        self.refused_count = 0
        """The number of partitions that were answered with an error."""
        self.asked_count = 0
        """The number of answered questions, and the total seconds they took."""
        self.asked_s = 0.0

    def ask(self, question: Question, answered: Callable[[Codes], None]) -> None:
        """Call `answered` with a code for each partition of the question, which may be at once.

        NONE; TRANSACTION_ABORTABLE (not in the transaction), INVALID_PRODUCER_ID_MAPPING,
        PRODUCER_FENCED, CONCURRENT_TRANSACTIONS, UNKNOWN_TOPIC_OR_PARTITION,
        OPERATION_NOT_ATTEMPTED for other partitions of that request, NOT_COORDINATOR,
        COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE (also if it was unreachable).
        """
        self._ask(_Asked(question, answered, self._clock.monotonic()))

    def _ask(self, asked: _Asked) -> None:
        broker_id = self._coordinator(asked.question.transactional_id)
        if broker_id is None:
            asked.all(ErrorCode.COORDINATOR_NOT_AVAILABLE)
            return
        self._coordinators.setdefault(broker_id, _Coordinator()).waiting.append(asked)
        self._alarm.ring()

    async def run(self) -> None:
        """Run until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                self._ask_again()
                for broker_id, batch in self._due():
                    nursery.start_soon(self._send, broker_id, batch)
                await self._alarm.wait(min((due for due, _ in self._later), default=float("inf")))

    def _due(self) -> Iterator[tuple[int, list[_Asked]]]:
        for broker_id, found in list(self._coordinators.items()):
            while found.waiting and found.under_way < REQUESTS_PER_BROKER:
                found.under_way += 1
                yield broker_id, _take(found.waiting)
            if not found.under_way:
                del self._coordinators[broker_id]

    async def _send(self, broker_id: int, batch: list[_Asked]) -> None:
        request = AddPartitionsToTxnRequest(transactions=[_transaction(a.question) for a in batch])
        try:
            answer, _ = await self._peers.ask(
                broker_id, request, lane=_LANE, timeout_s=self._timeout_s
            )
        except (BrokenConnection, KafkaError) as error:
            log.debug(f"the coordinator on broker {broker_id} could not be asked: {error}")
            codes: dict[tuple[str, TopicPartition], int] = {}
        else:
            codes = _codes(answer, broker_id)
        self._coordinators[broker_id].under_way -= 1
        for asked in batch:
            self._answer(asked, codes)
        self._alarm.ring()

    def _answer(self, asked: _Asked, codes: Mapping[tuple[str, TopicPartition], int]) -> None:
        name, missing = asked.question.transactional_id, ErrorCode.COORDINATOR_NOT_AVAILABLE
        found = {
            each: ErrorCode(codes.get((name, each), missing)) for each in asked.question.partitions
        }
        if not asked.question.verify_only and ErrorCode.CONCURRENT_TRANSACTIONS in found.values():
            again_s = self._clock.monotonic() + self._retries.every_s
            if again_s <= asked.asked_s + self._retries.at_most_s:
                self._later.append((again_s, asked))
                return
        self.asked_count += 1
        self.asked_s += self._clock.monotonic() - asked.asked_s
        self.refused_count += sum(code is not ErrorCode.NONE for code in found.values())
        asked.answered(found)

    def _ask_again(self) -> None:
        now_s = self._clock.monotonic()
        later, self._later = self._later, []
        for due_s, asked in later:
            if due_s <= now_s:
                self._ask(asked)
            else:
                self._later.append((due_s, asked))


def _take(waiting: deque[_Asked]) -> list[_Asked]:
    """The next request's questions, at most one per transactional id, which answers name."""
    taken: list[_Asked] = []
    names: set[str] = set()
    left: list[_Asked] = []
    while waiting:
        asked = waiting.popleft()
        if asked.question.transactional_id in names:
            left.append(asked)
        else:
            names.add(asked.question.transactional_id)
            taken.append(asked)
    waiting.extend(left)
    return taken


def _transaction(question: Question) -> AddPartitionsToTxnTransaction:
    topics: dict[str, list[int]] = {}
    for topic, index in sorted(question.partitions):
        topics.setdefault(topic, []).append(index)
    return AddPartitionsToTxnTransaction(
        transactional_id=question.transactional_id,
        producer_id=question.producer_id,
        producer_epoch=question.producer_epoch,
        verify_only=question.verify_only,
        topics=[AddPartitionsToTxnTopic(name=n, partitions=p) for n, p in topics.items()],
    )


def _codes(
    answer: AddPartitionsToTxnResponse, broker_id: int
) -> dict[tuple[str, TopicPartition], int]:
    if answer.error_code != ErrorCode.NONE:
        code = ErrorCode(answer.error_code)
        log.error(f"broker {broker_id} does not say what is in a transaction: {KafkaError(code)}")
    return {
        (result.transactional_id, TopicPartition(topic.name, each.partition_index)): (
            each.partition_error_code
        )
        for result in answer.results_by_transaction
        for topic in result.topic_results
        for each in topic.results_by_partition
    }
