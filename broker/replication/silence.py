"""Which followers' brokers have stopped fetching although their connections are whole.

A process that does not run (SIGSTOP, a machine on the move, a pulled plug) closes nothing. Its
partitions' leaders would wait for it with every record of acks=all until the controller fences it,
nine seconds at the defaults. A follower that lives asks at least every replica.fetch.wait.max.ms,
whether there are records or not, so its leader knows after two seconds
(raftka.replica.silence.max.ms) and goes on without it, where min.insync.replicas allows that.

What may look like silence, and is not:
- The leader itself did not run: then it has not listened. Every follower's time begins again.
- A fetch waits at the leader: the follower has asked, and must be answered first.
- A disk or a network so slow that a follower's rounds take seconds. It is dropped once; when it is
  back it gets twice the time, and again, up to replica.lag.time.max.ms, until it was never silent
  that long for ten minutes.
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
    """When the latest arrived, monotonic seconds."""

    @property
    def is_waiting(self) -> bool:
        """Whether a fetch waits here to be answered."""
        ...

    def replicas(self) -> list[Replica]:
        """What it fetches."""
        ...


class _Heard:
    """What is known of one follower's broker."""

    __slots__ = ("allowed_s", "counted_s", "fetch_s", "since_s", "slow_s")

    def __init__(self, allowed_s: float, now_s: float) -> None:
        self.allowed_s = allowed_s
        self.since_s = now_s
        """The last look at which it had fetched, or waited for an answer."""
        self.fetch_s = -1.0
        self.counted_s = -1.0
        """The `since_s` of the silence for which it got more time last."""
        self.slow_s = now_s
        """When it was last silent for longer than a healthy one may be."""


class Silence:
    """Learns by looks, `LOOK_EVERY_S` apart. `most_s` is replica.lag.time.max.ms."""

    def __init__(self, allowed_s: float, most_s: float) -> None:
        self.links: dict[int, Link] = {}
        """By broker id: the feed by which it fetched last."""
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
        """It left an ISR for its silence; the next time it gets longer."""
        heard = self._heard[broker_id]
        if heard.counted_s != heard.since_s:  # Once for all partitions of one silence.
            heard.counted_s = heard.since_s
            heard.allowed_s = min(2 * heard.allowed_s, self._most_s)
