"""Reads and writes the state of share-partitions at their coordinators, by `broker/peers.py`.

Pending writes to one coordinator share one request per group. The caller has one write of a
share-partition in flight at a time, so that none overtakes another. Failed writes are retried for a
while, so that a new coordinator can be elected and load its log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from raftka.broker.coordinators.share.records import read_batches, write_batches
from raftka.broker.peers import ToBroker
from raftka.broker.share.batches import StateBatch
from raftka.broker.share.key import SharePartitionKey
from raftka.broker.share.terms import Done, Write
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection, Clock
from raftka.net.protocol.messages import delete_share_group_state as deleting
from raftka.net.protocol.messages import initialize_share_group_state as initializing
from raftka.net.protocol.messages import read_share_group_state as reading
from raftka.net.protocol.messages import read_share_group_state_summary as summing
from raftka.net.protocol.messages import write_share_group_state as writing

_LANE: Final = "share"
_FIRST_BACKOFF_S: Final = 0.02
_MOST_BACKOFF_S: Final = 1.0
_AGAIN: Final = frozenset(
    {
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,  # Until the coordinator has the newest metadata.
        ErrorCode.UNKNOWN_TOPIC_ID,
    }
)

Coordinator = Callable[[SharePartitionKey], Awaitable[int]]
"""The broker that coordinates a share-partition. Raises KafkaError COORDINATOR_NOT_AVAILABLE."""


class Known:
    """The coordinator's state of a share-partition."""

    __slots__ = ("batches", "start_offset", "state_epoch")

    def __init__(self, state_epoch: int, start_offset: int, batches: tuple[StateBatch, ...]):
        self.state_epoch = state_epoch
        self.start_offset = start_offset
        self.batches = batches


@dataclass(slots=True)
class _Waiting:
    """A write that is not acknowledged yet."""

    key: SharePartitionKey
    leader_epoch: int
    state_epoch: int
    write: Write
    done: Done
    gives_up_s: float
    backoff_s: float = _FIRST_BACKOFF_S


class Persister:
    """The state of all share-partitions that this broker leads. `run` must be running."""

    def __init__(
        self, peers: ToBroker, clock: Clock, *, coordinator: Coordinator, patience_s: float
    ) -> None:
        """`patience_s`: how long a write is retried."""
        self._peers = peers
        self._clock = clock
        self._coordinator = coordinator
        self._patience_s = patience_s
        self._new: list[_Waiting] = []
        self._alarm = clock.alarm()

    async def read(self, key: SharePartitionKey, leader_epoch: int) -> Known:
        """The state of a share-partition, for its leader in that epoch. Raises KafkaError."""
        wanted = reading.PartitionData(partition=key.partition, leader_epoch=leader_epoch)
        request = reading.ReadShareGroupStateRequest(
            group_id=key.group_id,
            topics=[reading.ReadStateData(topic_id=key.topic_id, partitions=[wanted])],
        )
        found = await self._insist(key, request)
        return Known(found.state_epoch, found.start_offset, read_batches(found.state_batches))

    async def initialize(self, key: SharePartitionKey, state_epoch: int, start_offset: int) -> None:
        """Initialize the state of a share-partition. Raises KafkaError."""
        wanted = initializing.PartitionData(
            partition=key.partition, state_epoch=state_epoch, start_offset=start_offset
        )
        request = initializing.InitializeShareGroupStateRequest(
            group_id=key.group_id,
            topics=[initializing.InitializeStateData(topic_id=key.topic_id, partitions=[wanted])],
        )
        await self._insist(key, request)

    async def delete(self, key: SharePartitionKey) -> None:
        """Delete the state of a share-partition. Raises KafkaError."""
        wanted = deleting.PartitionData(partition=key.partition)
        request = deleting.DeleteShareGroupStateRequest(
            group_id=key.group_id,
            topics=[deleting.DeleteStateData(topic_id=key.topic_id, partitions=[wanted])],
        )
        await self._insist(key, request)

    async def summary(self, key: SharePartitionKey) -> summing.PartitionResult:
        """The start offset of a share-partition. Raises KafkaError."""
        wanted = summing.PartitionData(partition=key.partition)
        request = summing.ReadShareGroupStateSummaryRequest(
            group_id=key.group_id,
            topics=[summing.ReadStateSummaryData(topic_id=key.topic_id, partitions=[wanted])],
        )
        found: summing.PartitionResult = await self._insist(key, request)
        return found

    async def _insist(self, key: SharePartitionKey, request: Any) -> Any:
        """Send a request with retries; return the share-partition's result. Raises KafkaError."""
        gives_up_s = self._clock.monotonic() + self._patience_s
        backoff_s = _FIRST_BACKOFF_S
        while True:
            try:
                return await self._ask_once(key, request)
            except KafkaError as error:
                if error.code not in _AGAIN or self._clock.monotonic() >= gives_up_s:
                    raise
            await self._clock.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, _MOST_BACKOFF_S)

    async def _ask_once(self, key: SharePartitionKey, request: Any) -> Any:
        broker_id = await self._coordinator(key)
        try:
            answer, _ = await self._peers.ask(
                broker_id, request, lane=_LANE, timeout_s=self._patience_s
            )
        except BrokenConnection as error:
            raise KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE, str(error)) from error
        for topic in answer.results:
            for found in topic.partitions:
                if found.error_code:
                    raise KafkaError(ErrorCode(found.error_code), found.error_message)
                return found
        raise KafkaError(
            ErrorCode.UNKNOWN_SERVER_ERROR, f"broker {broker_id} says nothing of {key}"
        )

    def write(
        self,
        key: SharePartitionKey,
        leader_epoch: int,
        state_epoch: int,
        write: Write,
        done: Done,
    ) -> None:
        """Write a change; `done` is called with the outcome."""
        gives_up_s = self._clock.monotonic() + self._patience_s
        self._new.append(_Waiting(key, leader_epoch, state_epoch, write, done, gives_up_s))
        self._alarm.ring()

    async def run(self) -> None:
        """Run until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                new, self._new = self._new, []
                by_broker: dict[tuple[int, str], list[_Waiting]] = {}
                for each in new:
                    try:
                        broker_id = await self._coordinator(each.key)
                    except KafkaError as error:
                        nursery.start_soon(self._failed, each, error)
                    else:
                        by_broker.setdefault((broker_id, each.key.group_id), []).append(each)
                for (broker_id, group_id), several in by_broker.items():
                    nursery.start_soon(self._ask, broker_id, group_id, several)
                if not self._new:
                    await self._alarm.wait(float("inf"))

    async def _ask(self, broker_id: int, group_id: str, several: list[_Waiting]) -> None:
        request = writing.WriteShareGroupStateRequest(group_id=group_id)
        by_topic: dict[bytes, writing.WriteStateData] = {}
        for each in several:
            topic_id = each.key.topic_id
            topic = by_topic.get(topic_id)
            if topic is None:
                topic = by_topic[topic_id] = writing.WriteStateData(topic_id=topic_id)
                request.topics.append(topic)
            topic.partitions.append(_wanted(each))
        try:
            answer, _ = await self._peers.ask(
                broker_id, request, lane=_LANE, timeout_s=self._patience_s
            )
        except (BrokenConnection, KafkaError) as error:
            away = KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE, str(error))
            outcomes: dict[tuple[bytes, int], KafkaError | None] = {}
        else:
            away = KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, f"broker {broker_id} did not say")
            outcomes = {
                (bytes(topic.topic_id), found.partition): _outcome(found)
                for topic in answer.results
                for found in topic.partitions
            }
        async with trio.open_nursery() as nursery:
            for each in several:
                outcome = outcomes.get((each.key.topic_id, each.key.partition), away)
                if outcome is None:
                    each.done(None)
                else:
                    nursery.start_soon(self._failed, each, outcome)

    async def _failed(self, each: _Waiting, error: KafkaError) -> None:
        """Retry in a moment, or give up."""
        if error.code not in _AGAIN or self._clock.monotonic() >= each.gives_up_s:
            each.done(error)
            return
        await self._clock.sleep(each.backoff_s)
        each.backoff_s = min(2 * each.backoff_s, _MOST_BACKOFF_S)
        self._new.append(each)
        self._alarm.ring()


def _wanted(each: _Waiting) -> writing.PartitionData:
    return writing.PartitionData(
        partition=each.key.partition,
        state_epoch=each.state_epoch,
        leader_epoch=each.leader_epoch,
        start_offset=each.write.start_offset,
        delivery_complete_count=each.write.complete_count,
        state_batches=write_batches(each.write.batches, writing.StateBatch),
    )


def _outcome(found: writing.PartitionResult) -> KafkaError | None:
    if not found.error_code:
        return None
    return KafkaError(ErrorCode(found.error_code), found.error_message)
