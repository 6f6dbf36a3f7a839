"""Finds since when one voter has been silent towards another, from their heartbeats.

The leader sends heartbeats and followers answer them, so each side expects the other. No node
expects messages from one that has no reason to send. What cut them off, or stopped one, happened
between the last message and the one that did not come: half of the usual pause after the last is
nearest to all of that.
"""

from __future__ import annotations

from typing import Final

from raftka.model.named_tuple import NamedTuple

SILENT_S: Final = 0.6
"""Without a message for this long a node is silent: shorter than an election timeout, longer than a
busy moment.
"""
_USUAL_PAUSES: Final = 4
"""Or so many pauses, when an election began for less."""
_LONGEST_PAUSE_S: Final = 0.3
"""Between heartbeats of the largest cluster; one that is longer was a silence itself."""
_FADES: Final = 0.9


class Silence(NamedTuple):
    """One node has not heard another since; moments are of the caller's clock."""

    last_heard_s: float
    since_s: float
    """When that began, as nearly as can be known."""


class _Peer:
    """What a node knows of a peer whose heartbeats it expects."""

    __slots__ = ("heard_s", "is_silent", "pause_s")

    def __init__(self, now: float) -> None:
        self.heard_s = now
        self.pause_s = 0.0
        self.is_silent = False


class Listening:
    """One node's silence detector: pure, called with its clock's time. Times in seconds."""

    def __init__(self) -> None:
        self._peers: dict[int, _Peer] = {}
        self._leader: int | None = None
        """Whose heartbeats this node waits for; None while it leads, or knows no leader."""

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
        """This node leads, and has sent a heartbeat: the silence of the other, when it is new."""
        if self._leader is not None:
            # The former leader may still be silent, since then.
            self._peers = {peer: each for peer, each in self._peers.items() if each.is_silent}
            self._leader = None
        known = self._peers.get(peer)
        if known is None:
            self._peers[peer] = _Peer(now)
            return None
        return self._silence(known, now, SILENT_S)

    def stands(self, now: float) -> tuple[int, Silence] | None:
        """This node asks for votes: its leader and the silence of that, when it is new."""
        known = None if self._leader is None else self._peers.get(self._leader)
        if self._leader is None or known is None:
            return None
        usual_s = _USUAL_PAUSES * known.pause_s or SILENT_S
        found = self._silence(known, now, min(SILENT_S, usual_s))
        return None if found is None else (self._leader, found)

    def lost(self, peer: int) -> None:
        """The connection is gone: that is known, and no silence."""
        self._peers.pop(peer, None)
        if self._leader == peer:
            self._leader = None

    def stood_still(self) -> None:
        """This node itself was stopped: what it missed meanwhile is not its peers' silence."""
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
