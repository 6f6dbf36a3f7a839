"""What a leader knows about one follower: its log end offset, and since when it lags.

A follower is caught up while its log end offset equals the leader's. Once the leader is ahead, the
follower stays in sync for `replica.lag.time.max.ms` after it was last caught up (KIP-16).
"""

from __future__ import annotations

from typing import Final, Protocol

from raftka.model.ids import NO_EPOCH, NO_OFFSET

NEVER: Final = float("-inf")


class FetchLink(Protocol):
    """The fetches of a follower's broker, for whatever partitions."""

    last_fetch_s: float
    """When the last fetch arrived, in monotonic seconds."""


class _NoLink:
    last_fetch_s: float = NEVER


NO_LINK: Final[FetchLink] = _NoLink()


class FollowerProgress:
    """One follower as its leader sees it. Offsets are NO_OFFSET until its first fetch."""

    __slots__ = (
        "_last_fetch_leader_end",
        "_last_fetch_s",
        "broker_epoch",
        "last_caught_up_s",
        "link",
        "log_end_offset",
        "log_start_offset",
        "replica_id",
    )

    def __init__(self, replica_id: int, caught_up_s: float) -> None:
        self.replica_id = replica_id
        self.log_end_offset: int = NO_OFFSET
        self.log_start_offset: int = NO_OFFSET
        self.broker_epoch: int = NO_EPOCH
        self.link: FetchLink = NO_LINK
        self.last_caught_up_s = caught_up_s
        """When it was last caught up; a new leader assumes that the members of its ISR are."""
        self._last_fetch_s = NEVER
        self._last_fetch_leader_end: int = NO_OFFSET

    def fetched(
        self, offset: int, start_offset: int, broker_epoch: int, leader_end: int, now_s: float
    ) -> None:
        """The follower asked for `offset`, so it holds everything before it.

        If it has less than the leader has now, but all that the leader had at the previous fetch,
        it was caught up at that previous fetch.
        """
        if offset >= leader_end:
            self.last_caught_up_s = max(self.last_caught_up_s, now_s)
        elif offset >= self._last_fetch_leader_end:
            self.last_caught_up_s = max(self.last_caught_up_s, self._last_fetch_s)
        self.log_end_offset = offset
        self.log_start_offset = start_offset
        self.broker_epoch = broker_epoch
        self._last_fetch_s = now_s
        self._last_fetch_leader_end = leader_end

    def fell_behind(self) -> None:
        """The leader has appended to a log that this follower held completely.

        Fetches in a session do not name unchanged partitions, so the last fetch of the whole link
        is when the follower was last known to be alive and caught up.
        """
        link_s = self.link.last_fetch_s
        if link_s > self.last_caught_up_s:
            self.last_caught_up_s = link_s

    def went_silent(self) -> None:
        """Do not wait for the follower until it fetches again."""
        self.last_caught_up_s = NEVER

    def is_caught_up(self, leader_end: int, now_s: float, lag_max_s: float) -> bool:
        """Whether it lags so little that it may count as in sync."""
        return self.log_end_offset == leader_end or now_s - self.last_caught_up_s <= lag_max_s

    def __repr__(self) -> str:
        return f"FollowerProgress({self.replica_id}, log_end_offset={self.log_end_offset})"
