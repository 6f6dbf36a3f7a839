"""What the share coordinator knows of one share-partition, as a value."""

from __future__ import annotations

from typing import Final

from raftka.broker.share.batches import StateBatch, overlay
from raftka.model.dataclass import dataclass
from raftka.model.ids import NO_EPOCH, NO_OFFSET

UNKNOWN_COUNT: Final = -1


@dataclass(frozen=True, slots=True)
class ShareState:
    """Immutable: a change makes another one."""

    state_epoch: int
    """Goes up when the group coordinator begins the state again."""
    start_offset: int
    """The first offset that is not complete; NO_OFFSET until the leader has found one."""
    leader_epoch: int = NO_EPOCH
    """The greatest of those by which leaders have read or written."""
    batches: tuple[StateBatch, ...] = ()
    complete_count: int = UNKNOWN_COUNT
    """How many offsets from the start on are complete (KIP-1226)."""
    snapshot_epoch: int = 0
    """Which of its snapshots it builds on."""
    created_ms: int = 0
    written_ms: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What a leader writes; NO_OFFSET and UNKNOWN_COUNT leave what is there."""

    leader_epoch: int
    start_offset: int
    complete_count: int
    batches: tuple[StateBatch, ...]


def changed(state: ShareState, change: Change) -> ShareState:
    """The state after a change."""
    start = state.start_offset if change.start_offset == NO_OFFSET else change.start_offset
    count = change.complete_count
    return ShareState(
        state_epoch=state.state_epoch,
        start_offset=start,
        leader_epoch=state.leader_epoch if change.leader_epoch < 0 else change.leader_epoch,
        batches=tuple(overlay(state.batches, change.batches, start)),
        complete_count=state.complete_count if count == UNKNOWN_COUNT else count,
        snapshot_epoch=state.snapshot_epoch,
        created_ms=state.created_ms,
        written_ms=state.written_ms,
    )
