"""A consumer's state of each partition that it reads. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from raftka.client.group_offsets import OffsetAndMetadata
from raftka.client.metadata import PartitionView
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_EPOCH, NO_OFFSET, TopicPartition
from raftka.model.offset_specs import EARLIEST, LATEST
from raftka.model.records import Header


class ConsumerRecord(NamedTuple):
    """One consumed record."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    timestamp_type: Literal["CreateTime", "LogAppendTime"] = "CreateTime"
    leader_epoch: int = NO_EPOCH


class Position(NamedTuple):
    """The next offset to read, and the leader epoch of the record before it (KIP-320)."""

    offset: int
    epoch: int = NO_EPOCH


@dataclass(slots=True)
class PartitionState:
    """One partition of the assignment."""

    target: TopicPartition
    position: Position | None = None
    """None until a committed offset or the reset policy gives one."""
    reset_to: int | None = None
    """The timestamp, or EARLIEST or LATEST, to look the position up by."""
    paused: bool = False
    checked_epoch: int = NO_EPOCH
    """The leader epoch under which the position is known to be on the leader's log."""
    high_watermark: int = NO_OFFSET
    last_stable_offset: int = NO_OFFSET
    log_start_offset: int = NO_OFFSET
    preferred_replica: int | None = None
    preferred_until: float = 0.0
    turn: int = 0
    """Its rank in a fetch without a session: partitions served last come last."""
    retry_at: float = 0.0
    """After an error, the consumer does not fetch the partition before this time."""

    def fetchable(self, now: float) -> bool:
        return self.position is not None and not self.paused and self.retry_at <= now

    def is_doubtful(self, view: PartitionView | None) -> bool:
        """Whether the position is not yet validated against the leader of `view` (KIP-320)."""
        if view is None or self.checked_epoch >= view.leader_epoch:
            return False
        return self.position is not None and self.position.epoch >= 0


class Assignment:
    """The partitions that a consumer reads now, in order."""

    def __init__(self, *, committed_only: bool = False) -> None:
        """`committed_only`: isolation.level is read_committed."""
        self._committed_only = committed_only
        self._states: dict[TopicPartition, PartitionState] = {}

    def __contains__(self, target: TopicPartition) -> bool:
        return target in self._states

    def __len__(self) -> int:
        return len(self._states)

    @property
    def partitions(self) -> list[TopicPartition]:
        return list(self._states)

    @property
    def states(self) -> list[PartitionState]:
        return list(self._states.values())

    def get(self, target: TopicPartition) -> PartitionState | None:
        return self._states.get(target)

    def state(self, target: TopicPartition) -> PartitionState:
        """Raises KafkaError for a partition that is not assigned."""
        state = self._states.get(target)
        if state is None:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST, f"{target} is not assigned to this consumer"
            )
        return state

    def replace(self, partitions: Iterable[TopicPartition]) -> None:
        """Read exactly these partitions; those that were read before keep their state."""
        self._states = {
            target: self._states.get(target) or PartitionState(target)
            for target in dict.fromkeys(partitions)
        }

    def seek(self, target: TopicPartition, offset: int, epoch: int = NO_EPOCH) -> None:
        state = self.state(target)
        state.position = Position(offset, epoch)
        state.reset_to = None
        state.checked_epoch = NO_EPOCH
        state.preferred_replica = None
        state.retry_at = 0.0

    def reset(self, target: TopicPartition, timestamp: int) -> None:
        """Look the position up by a timestamp, EARLIEST or LATEST."""
        state = self.state(target)
        state.position = None
        state.reset_to = timestamp
        state.preferred_replica = None
        state.retry_at = 0.0

    def lag(self, target: TopicPartition) -> int | None:
        """From the position to the end of what may be read; None until both are known."""
        state = self.state(target)
        end = state.last_stable_offset if self._committed_only else state.high_watermark
        if state.position is None or end < 0:
            return None
        return max(0, end - state.position.offset)

    def positions(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """The positions to commit."""
        return {
            state.target: OffsetAndMetadata(state.position.offset, "", state.position.epoch)
            for state in self._states.values()
            if state.position is not None
        }


def reset_policy(name: str) -> int | None:
    """The timestamp that auto.offset.reset stands for; None for none."""
    return {"earliest": EARLIEST, "latest": LATEST}.get(name)
