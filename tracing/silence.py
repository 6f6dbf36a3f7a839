"""Detects since when one voter has been silent towards another, from their heartbeats.

The leader sends heartbeats and followers answer them, so each expects messages from the other.
Other nodes need not send, so none are expected from them. The fault happened between the last
message and the first missing one: half of the usual interval after the last is the best estimate.
"""

from __future__ import annotations

from typing import Final

from raftka.model.named_tuple import NamedTuple

SILENT_S: Final = 0.6
"""A node is silent after this time without a message: less than an election timeout."""
_USUAL_PAUSES: Final = 4
"""Or after this many usual intervals, if an election began earlier."""
_LONGEST_PAUSE_S: Final = 0.3
"""The longest heartbeat interval of the largest cluster; a longer one was a silence itself."""
_FADES: Final = 0.9


class Silence(NamedTuple):
    """One node has not heard another since; times are of the caller's clock."""

    last_heard_s: float
    since_s: float
    """When that began, as precisely as known."""


class _Peer:
    """A node's state of a peer whose heartbeats it expects."""

    __slots__ = ("heard_s", "is_silent", "pause_s")

    def __init__(self, now: float) -> None:
        self.heard_s = now
        self.pause_s = 0.0
        self.is_silent = False


class Listening:
    """One node's silence detector: pure; the caller passes the time in seconds."""

    def __init__(self) -> None:
        self._peers: dict[int, _Peer] = {}
        self._leader: int | None = None
        """The node whose heartbeats this node expects; None while it leads, or knows no leader."""

    def heard_leader(self, peer: int, now: float) -> None:
        """A leader's heartbeat arrived."""
        if self._leader != peer:
            self._peers.clear()
            self._leader = peer
        self._heard(peer, now)

    def heard_follower(self, peer: int, now: float) -> None:
        """A follower answered this leader's heartbeat."""
        if peer in self._peers:
            self._heard(peer, now)

    def showed_itself(self, peer: int, now: float) -> Silence | None:
        """This node leads, and has sent a heartbeat; return the other leader's silence, if new."""
        if self._leader is not None:
            # The previous leader may still be silent, since then.
            self._peers = {peer: each for peer, each in self._peers.items() if each.is_silent}
            self._leader = None
        known = self._peers.get(peer)
        if known is None:
            self._peers[peer] = _Peer(now)
            return None
        return self._silence(known, now, SILENT_S)

    def stands(self, now: float) -> tuple[int, Silence] | None:
        """This node requests votes: return its leader and that leader's silence, if it is new."""
        known = None if self._leader is None else self._peers.get(self._leader)
        if self._leader is None or known is None:
            return None
        usual_s = _USUAL_PAUSES * known.pause_s or SILENT_S
        found = self._silence(known, now, min(SILENT_S, usual_s))
        return None if found is None else (self._leader, found)

    def lost(self, peer: int) -> None:
        """The connection is closed: that is known, and is not a silence."""
        self._peers.pop(peer, None)
        if self._leader == peer:
            self._leader = None

    def stood_still(self) -> None:
        """This node itself was suspended: messages that it missed are not its peers' silence."""
        self._peers.clear()
        self._leader = None

    def _heard(self, peer: int, now: float) -> None:
        known = self._peers.get(peer)
        if known is None:
            self._peers[peer] = _Peer(now)
            return
        pause, known.heard_s = now - known.heard_s, now
        known.is_silent = False
        if pause <= _LONGEST_PAUSE_S:
            known.pause_s = max(pause, known.pause_s * _FADES)

    def _silence(self, known: _Peer, now: float, longest_s: float) -> Silence | None:
        if known.is_silent or now - known.heard_s < longest_s:
            return None
        known.is_silent = True
        return Silence(known.heard_s, known.heard_s + known.pause_s / 2)
