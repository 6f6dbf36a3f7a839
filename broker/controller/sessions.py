"""The sessions of broker processes, extended by heartbeats to the active controller. Pure.

A session belongs to one process of a broker (its broker epoch). It lasts `timeout_s` from the last
heartbeat. A process whose connections have all broken is a suspect: with proof of its death
(broker/controller/probe.py) the controller need not wait for the timeout.

Soft state: a new controller starts with a fresh session for every registered broker.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Final

from raftka.kraft.image import BrokerImage
from raftka.model.dataclass import dataclass

_PAUSE_FACTOR: Final = 0.25
"""If no check ran for this fraction of the timeout, this process itself was suspended."""


@dataclass(slots=True)
class BrokerSession:
    """The heartbeats and connections of one broker process."""

    broker_id: int
    epoch: int
    heard_s: float
    metadata_offset: int = -1
    """The offset up to which it had replayed the metadata log at its last heartbeat."""
    connections: set[object] = field(default_factory=set)
    was_connected: bool = False

    @property
    def is_suspect(self) -> bool:
        """Whether it has no connection to this controller."""
        return not self.connections


class BrokerSessions:
    """All sessions of one term of the controller. Times are monotonic seconds."""

    def __init__(self, timeout_s: float, now_s: float, brokers: Iterable[BrokerImage]) -> None:
        self._timeout_s = timeout_s
        self._looked_s = now_s
        self._sessions = {
            each.broker_id: BrokerSession(each.broker_id, each.epoch, now_s) for each in brokers
        }

    def get(self, broker_id: int, epoch: int) -> BrokerSession | None:
        """The session of that process, or None if another process has replaced it."""
        session = self._sessions.get(broker_id)
        return session if session is not None and session.epoch == epoch else None

    def heard(
        self,
        broker_id: int,
        epoch: int,
        now_s: float,
        *,
        metadata_offset: int = -1,
        connection: object = None,
    ) -> BrokerSession:
        """A registration or heartbeat arrived on that connection; it ends older sessions."""
        session = self.get(broker_id, epoch)
        if session is None:
            session = BrokerSession(broker_id, epoch, now_s)
            self._sessions[broker_id] = session
        session.heard_s = now_s
        session.metadata_offset = max(session.metadata_offset, metadata_offset)
        if connection is not None:
            session.connections.add(connection)
            session.was_connected = True
        return session

    def disconnected(self, connection: object) -> list[BrokerSession]:
        """A connection broke: return the sessions that have none left because of that."""
        suspects = []
        for _, session in sorted(self._sessions.items()):
            if connection in session.connections:
                session.connections.remove(connection)
                if session.is_suspect:
                    suspects.append(session)
        return suspects

    def forget(self, broker_id: int) -> None:
        """Remove an unregistered broker."""
        self._sessions.pop(broker_id, None)

    def is_alive(self, broker: BrokerImage, now_s: float, *, same_address: bool) -> bool:
        """Whether that process may still run, so that no other may take its id.

        `same_address`: the other process listens at the same address, so unless this one is
        connected now, the other can only be its successor. A fenced process has nothing to lose.
        """
        session = self.get(broker.broker_id, broker.epoch)
        if session is None or now_s - session.heard_s > self._timeout_s:
            return False
        if not session.is_suspect:
            return True
        return not (session.was_connected or same_address or broker.fenced)

    def expired(self, now_s: float) -> list[BrokerSession]:
        """The expired sessions.

        If nothing has called this for a while, this process was suspended, and the heartbeats of
        that time have not been read yet: all sessions are extended by that time.
        """
        slept = now_s - self._looked_s
        self._looked_s = now_s
        if slept > self._timeout_s * _PAUSE_FACTOR:
            for session in self._sessions.values():
                session.heard_s += slept
        return [
            session
            for _, session in sorted(self._sessions.items())
            if now_s - session.heard_s > self._timeout_s
        ]

    def lowest_offset(self, brokers: Iterable[int]) -> int:
        """The lowest offset that all these brokers have replayed; -1 if one is unknown."""
        offsets = [
            self._sessions[each].metadata_offset if each in self._sessions else -1
            for each in brokers
        ]
        return min(offsets, default=-1)
