"""Share groups on a broker that leads partitions: their sessions and share-partitions."""

from __future__ import annotations

from raftka.broker.share.partitions import SharePartitions
from raftka.broker.share.sessions import ShareSession, ShareSessions


class ShareService:
    """The state behind the handlers of ShareFetch and ShareAcknowledge."""

    def __init__(self, sessions: ShareSessions, partitions: SharePartitions) -> None:
        self.sessions = sessions
        self.partitions = partitions
        self.run = partitions.run

    def begin(self, group_id: str, member_id: str) -> ShareSession:
        """Create a member's session. Raises KafkaError SHARE_SESSION_LIMIT_REACHED."""
        if not self.sessions.has_group(group_id):
            self.partitions.read_again(group_id)
        return self.sessions.create(group_id, member_id)

    def end(self, session: ShareSession) -> None:
        """A member leaves, or its connection is closed: release its acquired records."""
        if session.waiting is not None:
            session.waiting.hurry()
        if self.sessions.remove(session):
            self.partitions.release(session.group_id, session.member_id)
