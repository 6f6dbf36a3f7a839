"""One partition of __share_group_state as a state machine without I/O.

Implements broker.coordinators.shard.Shard. Error codes and messages are those of Apache Kafka
4.4.0. Two epochs fence (KIP-932, "Share-group state epoch", "Fencing leaders"):

- A leader reads before it writes, and the shard stores its leader epoch: from then on it refuses
  earlier leaders with FENCED_LEADER_EPOCH, however late their writes arrive.
- The group coordinator bumps the state epoch when it resets the state; a leader that still writes
  with the previous one is refused with FENCED_STATE_EPOCH, and reads again.

The topic is not compacted. When half of a log is redundant, the shard waits for the prune interval,
writes a snapshot of each share-partition, and advances the log's start to them once those are
committed. Apache Kafka tracks the offset of each share-partition's snapshot instead, and rewrites
cold ones on the same interval; the result is the same, but here an idle log needs no timer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NoReturn

from raftka.broker.coordinators.outbox import Outbox, Producer, Record, Ticket
from raftka.broker.coordinators.share import records
from raftka.broker.coordinators.share.config import ShareStateConfig
from raftka.broker.coordinators.share.state import (
    UNKNOWN_COUNT,
    Change,
    ShareState,
    changed,
)
from raftka.broker.coordinators.timers import Moment
from raftka.broker.share.key import SharePartitionKey
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_OFFSET
from raftka.model.logs import get_logger
from raftka.model.ports import Buffer
from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.net.protocol.codec import MalformedMessage

log = get_logger(__name__)

NOTHING: Final = ShareState(state_epoch=0, start_offset=NO_OFFSET, leader_epoch=0)
"""The summary of a share-partition without state."""


class ShareStateShard:
    """All share-partitions of one partition. Operations that refuse a request raise KafkaError."""

    def __init__(self, config: ShareStateConfig, rules_off: RulesOff = ALL_HOLD) -> None:
        self._config = config
        self._outbox = Outbox()
        self._image: MetadataImage = EMPTY_IMAGE
        self._states: dict[SharePartitionKey, ShareState] = {}
        self._updates: dict[SharePartitionKey, int] = {}
        """The number of updates since the snapshot of each share-partition."""
        self._in_log = 0
        """The number of records in the log."""
        self._prune_at_s: float | None = None
        self._fences_leaders = Rule.SHARE_LEADER_EPOCH_FENCES not in rules_off
        self._fences_states = Rule.SHARE_STATE_EPOCH_FENCES not in rules_off
        self._sums_up_all = Rule.SHARE_STATE_IS_SUMMED_UP not in rules_off

    @property
    def outbox(self) -> Outbox:
        return self._outbox

    # ---- the log

    def replay(self, key: Buffer, value: Buffer | None, producer: Producer | None = None) -> None:
        """Apply one record of the log. Call `loaded` after the last one."""
        self._in_log += 1
        try:
            record = records.decode(key, value)
        except MalformedMessage as error:
            log.error(f"a record of __share_group_state is not readable and is skipped: {error}")
            return
        match record:
            case records.Snapshot(where, None):
                self._states.pop(where, None)
                self._updates.pop(where, None)
            case records.Snapshot(where, state) if state is not None:
                self._states[where] = state
                self._updates[where] = 0
            case records.Update(where, snapshot_epoch, change):
                found = self._states.get(where)
                if found is None or found.snapshot_epoch != snapshot_epoch:
                    return  # The log starts after its snapshot: a later snapshot covers it.
                self._states[where] = changed(found, change)
                self._updates[where] += 1

    def replay_end_transaction_marker(
        self, producer_id: int, producer_epoch: int, commit: bool
    ) -> None:
        """Do nothing: no transaction has records here."""

    def metadata_changed(
        self, image: MetadataImage, delta: MetadataDelta | None, now: Moment
    ) -> None:
        """Delete the state of share-partitions of deleted topics."""
        self._image = image
        gone = set() if delta is None else {topic.topic_id for topic in delta.topics.deleted}
        if gone:
            for key in [key for key in self._states if key.topic_id in gone]:
                self._bury(key, now)

    def loaded(self, now: Moment) -> None:
        """The log is replayed: drop topics that were deleted meanwhile."""
        names = self._image.topic_names
        for key in [key for key in self._states if key.topic_id not in names]:
            self._bury(key, now)
        self._plan_pruning(now)

    def _bury(self, key: SharePartitionKey, now: Moment) -> None:
        del self._states[key]
        self._updates.pop(key, None)
        self._record(records.tombstone(key), now)

    # ---- time

    def next_deadline_s(self) -> float | None:
        """When pruning is due, in monotonic seconds."""
        return self._prune_at_s

    def tick(self, now: Moment) -> None:
        """Prune the log if that is due."""
        if self._prune_at_s is None or now.monotonic_s < self._prune_at_s:
            return
        self._prune_at_s = None
        if not self._states:
            return  # There are no records that snapshots could follow: the next record plans again.
        self._in_log = 0
        states = list(self._states.items())
        for key, state in states if self._sums_up_all else states[:1]:
            self._snapshot(key, state, now)
        self._outbox.supersedes = True

    def _plan_pruning(self, now: Moment) -> None:
        """Schedule pruning after the interval if enough records are redundant."""
        if self._prune_at_s is None and self._in_log >= 2 * max(len(self._states), 1):
            self._prune_at_s = now.monotonic_s + self._config.prune_interval_ms / 1000

    def _record(self, record: Record, now: Moment) -> None:
        self._outbox.records.append(record)
        self._in_log += 1
        self._plan_pruning(now)

    def abandon(self) -> list[Ticket]:
        """No request waits here: all answers are in the outbox."""
        return []

    # ---- the group coordinator's operations

    def initialize(
        self, key: SharePartitionKey, state_epoch: int, start_offset: int, now: Moment
    ) -> None:
        """Initialize a share-partition, or reset it with a greater state epoch.

        Raises KafkaError: INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION, FENCED_STATE_EPOCH.
        """
        self._check(key)
        if state_epoch < 0:
            _invalid("The state epoch cannot be a negative number.")
        found = self._states.get(key)
        if found is not None:
            self._check_state_epoch(found, state_epoch)
        state = ShareState(
            state_epoch=state_epoch,
            start_offset=start_offset,
            leader_epoch=0,
            snapshot_epoch=0 if found is None else found.snapshot_epoch + 1,
            complete_count=UNKNOWN_COUNT if start_offset == NO_OFFSET else 0,
            created_ms=now.wall_ms,
            written_ms=now.wall_ms,
        )
        self._begin(key, state, now)

    def delete(self, key: SharePartitionKey, now: Moment) -> None:
        """Delete a share-partition's state; do nothing if there is none.

        Raises KafkaError: INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION.
        """
        self._check(key)
        if key in self._states:
            self._bury(key, now)

    def summary(self, key: SharePartitionKey) -> ShareState:
        """The start offset of a share-partition; NOTHING without state.

        Raises KafkaError: INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION.
        """
        self._check(key)
        return self._states.get(key, NOTHING)

    # ---- the leaders' operations

    def read(self, key: SharePartitionKey, leader_epoch: int, now: Moment) -> ShareState:
        """The state that a leader resumes from; this fences earlier leaders.

        Raises KafkaError: INVALID_REQUEST, also without state, UNKNOWN_TOPIC_OR_PARTITION,
        FENCED_LEADER_EPOCH.
        """
        found = self._to_lead(key, leader_epoch, "Read")
        if leader_epoch > found.leader_epoch:
            self._write(key, found, Change(leader_epoch, NO_OFFSET, UNKNOWN_COUNT, ()), now)
        return self._states[key]

    def write(self, key: SharePartitionKey, state_epoch: int, change: Change, now: Moment) -> None:
        """Apply a leader's changes.

        Raises KafkaError as `read` does, and FENCED_STATE_EPOCH.
        """
        found = self._to_lead(key, change.leader_epoch, "Write")
        self._check_state_epoch(found, state_epoch)
        self._write(key, found, change, now)

    def _to_lead(self, key: SharePartitionKey, leader_epoch: int, what: str) -> ShareState:
        self._check(key)
        if leader_epoch < 0:
            _invalid("The leader epoch cannot be a negative number.")
        found = self._states.get(key)
        if found is None:
            _invalid(f"{what} operation on uninitialized share partition not allowed.")
        if leader_epoch < found.leader_epoch and self._fences_leaders:
            raise KafkaError(
                ErrorCode.FENCED_LEADER_EPOCH,
                f"{key} was read or written with leader epoch {found.leader_epoch} already,"
                f" after {leader_epoch}",
            )
        return found

    def _check_state_epoch(self, found: ShareState, state_epoch: int) -> None:
        if state_epoch < found.state_epoch and self._fences_states:
            raise KafkaError(
                ErrorCode.FENCED_STATE_EPOCH,
                f"the state has begun again, with epoch {found.state_epoch} after {state_epoch}",
            )

    def _check(self, key: SharePartitionKey) -> None:
        if key.partition < 0:
            _invalid("The partition id cannot be a negative number.")
        name = self._image.topic_names.get(key.topic_id)
        if name is None or self._image.partition(name, key.partition) is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no {key}")

    # ---- writing

    def _write(
        self, key: SharePartitionKey, found: ShareState, change: Change, now: Moment
    ) -> None:
        """Write a change: as an update, or as a snapshot after many updates."""
        state = changed(found, change)
        if self._updates[key] >= self._config.updates_per_snapshot:
            self._snapshot(key, state, now)
            return
        self._states[key] = state
        self._updates[key] += 1
        self._record(records.update(key, found.snapshot_epoch, change), now)

    def _snapshot(self, key: SharePartitionKey, state: ShareState, now: Moment) -> None:
        """Write the whole state of a share-partition; later updates build on it."""
        self._begin(
            key,
            replace(state, snapshot_epoch=state.snapshot_epoch + 1, written_ms=now.wall_ms),
            now,
        )

    def _begin(self, key: SharePartitionKey, state: ShareState, now: Moment) -> None:
        self._states[key] = state
        self._updates[key] = 0
        self._record(records.snapshot(key, state), now)

    # ---- for logs and checkers

    def states(self) -> dict[SharePartitionKey, ShareState]:
        """All share-partitions as they are in memory."""
        return dict(self._states)

    def sizes(self) -> Mapping[str, int]:
        """The number of share-partitions, for the log line."""
        return {"share_partitions": len(self._states)}


def _invalid(words: str) -> NoReturn:
    raise KafkaError(ErrorCode.INVALID_REQUEST, words)
