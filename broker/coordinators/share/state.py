"""The share coordinator's state of one share-partition, as a value."""

from __future__ import annotations

from typing import Final

from raftka.broker.share.batches import StateBatch, overlay
from raftka.model.dataclass import dataclass
from raftka.model.ids import NO_EPOCH, NO_OFFSET

UNKNOWN_COUNT: Final = -1


@dataclass(frozen=True, slots=True)
class ShareState:
    """Immutable: a change creates a new value."""

    state_epoch: int
    """Increases when the group coordinator resets the state."""
    start_offset: int
    """The first offset that is not complete; NO_OFFSET until the leader has set it."""
    leader_epoch: int = NO_EPOCH
    """The greatest leader epoch that has read or written."""
    batches: tuple[StateBatch, ...] = ()
    complete_count: int = UNKNOWN_COUNT
    """The number of complete offsets from the start offset on (KIP-1226)."""
    snapshot_epoch: int = 0
    """The epoch of the snapshot that it builds on."""
    created_ms: int = 0
    written_ms: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A leader's write; NO_OFFSET and UNKNOWN_COUNT leave a field unchanged."""

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
