"""Finding positions: the committed offset, the reset policy, validation against the leader.

A position that came from one leader is compared with the log of the next (KIP-320): a log that was
truncated below it sends the consumer back to where the two diverge.
"""

from __future__ import annotations

import logging

from raftka.client.cluster import Cluster
from raftka.client.consumer.group_client import GroupClient
from raftka.client.consumer.offsets import EpochEnd, epoch_ends, list_offsets_once
from raftka.client.consumer.state import Assignment, PartitionState, Position
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_EPOCH, TopicPartition

log = logging.getLogger("raftka.consumer")


class NoOffset(KafkaError):
    """There is no committed offset, and auto.offset.reset = none forbids a choice."""

    def __init__(self, targets: list[TopicPartition]) -> None:
        names = ", ".join(map(str, targets))
        super().__init__(
            ErrorCode.OFFSET_OUT_OF_RANGE,
            f"no committed offset for {names}, and auto.offset.reset = none: commit or seek first",
        )


class LogTruncated(KafkaError):
    """Consumed records are gone after an unclean election; has the offset of divergence."""

    def __init__(self, target: TopicPartition, position: Position, end: EpochEnd) -> None:
        super().__init__(
            ErrorCode.OFFSET_OUT_OF_RANGE,
            f"{target} was cut below the position {position.offset}: the leader's log of epoch"
            f" {end.epoch} ends at {end.end_offset}; seek to where to go on",
        )
        self.target = target
        self.end = end


class Positions:
    """Gives each assigned partition a position that its leader agrees with."""

    def __init__(
        self,
        cluster: Cluster,
        assignment: Assignment,
        group: GroupClient | None,
        reset: int | None,
        committed_only: bool,
    ) -> None:
        self._cluster = cluster
        self._assignment = assignment
        self._group = group
        self._reset = reset
        self._committed_only = committed_only
        self._failures = 0
        self._not_before = 0.0

    @property
    def complete(self) -> bool:
        """Whether all positions are known and validated."""
        view = self._cluster.view
        for state in self._assignment.states:
            if state.position is None or state.is_doubtful(view.partition(*state.target)):
                return False
        return True

    @property
    def retry_at(self) -> float:
        """When `update` may ask again."""
        return self._not_before

    async def update(self) -> None:
        """Send one round of requests. Raises KafkaError that concerns the caller."""
        await self._take_committed()
        await self._look_up()
        await self._compare()
        if self.complete:
            self._failures = 0
        else:
            self._failures += 1
            pause = self._cluster.retry_backoff.pause(self._failures)
            self._not_before = self._cluster.clock.monotonic() + pause

    async def _take_committed(self) -> None:
        missing = [
            state.target
            for state in self._assignment.states
            if state.position is None and state.reset_to is None
        ]
        if not missing:
            return
        committed = await self._group.committed(missing) if self._group is not None else {}
        without: list[TopicPartition] = []
        for target in missing:
            state = self._assignment.get(target)
            if state is None or state.position is not None or state.reset_to is not None:
                continue
            found = committed.get(target)
            if found is not None:
                state.position = Position(found.offset, found.leader_epoch)
            elif self._reset is not None:
                state.reset_to = self._reset
            else:
                without.append(target)
        if without:
            raise NoOffset(without)

    async def _look_up(self) -> None:
        wanted = {
            state.target: state.reset_to
            for state in self._assignment.states
            if state.reset_to is not None
        }
        if not wanted:
            return
        found = await list_offsets_once(self._cluster, wanted, committed_only=self._committed_only)
        for target, answer in found.items():
            state = self._assignment.get(target)
            if state is None or state.reset_to != wanted[target]:
                continue
            if isinstance(answer, KafkaError):
                raise answer
            log.info("%s: reading from offset %d", target, answer.offset)
            state.position = Position(answer.offset, answer.leader_epoch)
            state.reset_to = None
            # The leader itself named this position.
            state.checked_epoch = self._leader_epoch(target)

    async def _compare(self) -> None:
        view = self._cluster.view
        doubtful = {
            state.target: state.position
            for state in self._assignment.states
            if state.position is not None and state.is_doubtful(view.partition(*state.target))
        }
        if not doubtful:
            return
        asked_under = {target: self._leader_epoch(target) for target in doubtful}
        ends = await epoch_ends(
            self._cluster, {target: position.epoch for target, position in doubtful.items()}
        )
        for target, end in ends.items():
            state = self._assignment.get(target)
            if state is None or state.position != doubtful[target]:
                continue
            if isinstance(end, KafkaError):
                raise end
            state.checked_epoch = asked_under[target]
            if end.end_offset < doubtful[target].offset or end.epoch < 0:
                self._truncated(state, end)

    def _truncated(self, state: PartitionState, end: EpochEnd) -> None:
        assert state.position is not None
        if self._reset is None:
            raise LogTruncated(state.target, state.position, end)
        log.warning(
            "%s was cut below the position %d: reading on from %d",
            state.target,
            state.position.offset,
            end.end_offset,
        )
        if end.epoch < 0 or end.end_offset < 0:
            self._assignment.reset(state.target, self._reset)
        else:
            state.position = Position(end.end_offset, end.epoch)

    def _leader_epoch(self, target: TopicPartition) -> int:
        view = self._cluster.view.partition(*target)
        return NO_EPOCH if view is None else view.leader_epoch
