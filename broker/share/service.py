"""Share groups on a broker that leads partitions: their sessions and their share-partitions."""

from __future__ import annotations

from raftka.broker.share.partitions import SharePartitions
from raftka.broker.share.sessions import ShareSession, ShareSessions


class ShareService:
    """What the handlers of ShareFetch and ShareAcknowledge work on."""

    def __init__(self, sessions: ShareSessions, partitions: SharePartitions) -> None:
        self.sessions = sessions
        self.partitions = partitions
        self.run = partitions.run

    def end(self, session: ShareSession) -> None:
        """A member leaves, or its connection has gone: what it holds goes to others."""
        if session.waiting is not None:
            session.waiting.hurry()
        if self.sessions.remove(session):
            self.partitions.release(session.group_id, session.member_id)
