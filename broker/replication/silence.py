"""Detects followers whose brokers have stopped fetching although their connections are open.

A process that does not run (SIGSTOP, VM migration, a pulled plug) closes no connection. Every
record with acks=all would wait for it until the controller fences it, nine seconds at the defaults.
A live follower fetches at least every replica.fetch.wait.max.ms, even without records, so its
leader notices after two seconds (raftka.replica.silence.max.ms) and drops it from the ISR if
min.insync.replicas allows that.

What may look like silence but is not:
- The leader itself did not run, so it could not receive. Every follower's time restarts.
- A fetch waits at the leader: it owes the follower an answer.
- A disk or network so slow that a follower's fetches take seconds. It is dropped once; its allowed
  time then doubles with each drop, up to replica.lag.time.max.ms, and is reset when it was never
  silent that long for ten minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from raftka.broker.replication.replica import Replica

LOOK_EVERY_S: Final = 0.2
_STOOD_STILL_S: Final = 3 * LOOK_EVERY_S
_REMEMBERED_S: Final = 600.0


class Link(Protocol):
    """One follower's fetches (fetch_session.Feed)."""

    last_fetch_s: float
    """When the latest fetch arrived, in monotonic seconds."""

    @property
    def is_waiting(self) -> bool:
        """Whether a fetch waits here to be answered."""
        ...

    def replicas(self) -> list[Replica]:
        """The replicas that it fetches."""
        ...


class _Heard:
    """The state of one follower's broker."""

    __slots__ = ("allowed_s", "counted_s", "fetch_s", "since_s", "slow_s")

    def __init__(self, allowed_s: float, now_s: float) -> None:
        self.allowed_s = allowed_s
        self.since_s = now_s
        """The last check at which it had fetched, or waited for an answer."""
        self.fetch_s = -1.0
        self.counted_s = -1.0
        """The `since_s` of the silence after which its allowed time was last doubled."""
        self.slow_s = now_s
        """When it was last silent for longer than `allowed_s` of a healthy broker."""


class Silence:
    """Checks followers every `LOOK_EVERY_S`. `most_s` is replica.lag.time.max.ms."""

    def __init__(self, allowed_s: float, most_s: float) -> None:
        self.links: dict[int, Link] = {}
        """By broker id: the feed of its latest fetch."""
        self._allowed_s = allowed_s
        self._most_s = most_s
        self._heard: dict[int, _Heard] = {}
        self._looked_s = 0.0

    def look(self, now_s: float) -> Iterator[tuple[int, float]]:
        """(broker id, seconds of silence) of those that are silent for too long."""
        stood_still = now_s - self._looked_s > _STOOD_STILL_S
        self._looked_s = now_s
        for broker_id, link in self.links.items():
            heard = self._heard.get(broker_id)
            if heard is None:
                heard = self._heard[broker_id] = _Heard(self._allowed_s, now_s)
            if stood_still or link.is_waiting or link.last_fetch_s != heard.fetch_s:
                heard.fetch_s, heard.since_s = link.last_fetch_s, now_s
                if now_s - heard.slow_s > _REMEMBERED_S:
                    heard.allowed_s = self._allowed_s
                continue
            silent_s = now_s - heard.since_s
            if silent_s > self._allowed_s:
                heard.slow_s = now_s
            if silent_s > heard.allowed_s:
                yield broker_id, silent_s

    def dropped(self, broker_id: int) -> None:
        """It was dropped from an ISR for its silence; double its allowed time."""
        heard = self._heard[broker_id]
        if heard.counted_s != heard.since_s:  # Once for all partitions of one silence.
            heard.counted_s = heard.since_s
            heard.allowed_s = min(2 * heard.allowed_s, self._most_s)
