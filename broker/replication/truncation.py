"""Where a follower's log diverges from its leader's, and must therefore be truncated.

Both sides know the start offset of each leader epoch (the leader-epoch cache). Two logs are equal
up to the end of the last epoch that both have. Offsets and high watermarks do not matter:
truncating to the high watermark loses acknowledged records, or leaves the logs different (KIP-101).
"""

from __future__ import annotations

from typing import Protocol

from raftka.model.ids import NO_EPOCH, NO_OFFSET
from raftka.model.named_tuple import NamedTuple


class EpochEnd(NamedTuple):
    """The largest epoch not above the requested one, and its end offset."""

    epoch: int
    end_offset: int


NO_EPOCH_END = EpochEnd(NO_EPOCH, NO_OFFSET)


class EpochHistory(Protocol):
    """The leader epochs of a log."""

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        """(largest epoch <= `epoch`, its end offset), or (NO_EPOCH, NO_OFFSET) if unknown."""
        ...


class Cut(NamedTuple):
    """Keep the records before `offset`; `complete` if the logs are known to be equal then."""

    offset: int
    complete: bool


def divergence(log: EpochHistory, fetch_offset: int, last_fetched_epoch: int) -> EpochEnd | None:
    """The leader's side: the maximal end of a follower's log, or None if the logs do not diverge.

    `last_fetched_epoch` is the epoch of the follower's last record, which is just before
    `fetch_offset`. NO_EPOCH_END if the leader's log no longer reaches back that far: then the fetch
    is out of range.
    """
    end = EpochEnd(*log.end_offset_for_epoch(last_fetched_epoch))
    if end.epoch == NO_EPOCH or end.end_offset == NO_OFFSET:
        return NO_EPOCH_END
    if end.epoch < last_fetched_epoch or end.end_offset < fetch_offset:
        return end
    return None


def cut(log: EpochHistory, leader: EpochEnd, log_end_offset: int, high_watermark: int) -> Cut:
    """The follower's side: where to truncate for the leader's answer.

    The leader answers with its largest epoch not above the follower's. If the follower never had
    that epoch, it truncates to its own largest epoch below it, and compares again (KIP-279).
    """
    if leader.end_offset == NO_OFFSET:
        return Cut(min(high_watermark, log_end_offset), True)
    if leader.epoch == NO_EPOCH:
        return Cut(min(leader.end_offset, log_end_offset), True)
    own = EpochEnd(*log.end_offset_for_epoch(leader.epoch))
    if own.end_offset == NO_OFFSET:
        return Cut(min(leader.end_offset, log_end_offset), True)
    if own.epoch != leader.epoch:
        return Cut(min(own.end_offset, log_end_offset), False)
    return Cut(min(own.end_offset, leader.end_offset, log_end_offset), True)
