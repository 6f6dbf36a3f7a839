"""Share sessions: a member names its partitions once, and later only changes (KIP-932).

There is one per member and group on a broker, and it belongs to a connection. Unlike a fetch
session it is never evicted for another: its member's acquired records would be lost with it.
"""

from __future__ import annotations

from typing import Final, Protocol

from raftka.broker.share.key import SharePartitionKey
from raftka.model.errors import ErrorCode, KafkaError

INITIAL_EPOCH: Final = 0
FINAL_EPOCH: Final = -1
_MAX_EPOCH: Final = 2**31 - 1


class WaitingFetch(Protocol):
    """A fetch that waits until there is enough to answer it."""

    def hurry(self) -> None:
        """Answer with what is available: the session's next request has arrived."""
        ...


class ShareSession:
    """The partitions that a member fetches from this broker."""

    __slots__ = ("epoch", "group_id", "member_id", "partitions", "waiting")

    def __init__(self, group_id: str, member_id: str) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.epoch = 1
        """The epoch that the next request must carry."""
        self.partitions: dict[SharePartitionKey, None] = {}
        self.waiting: WaitingFetch | None = None

    def in_turn(self) -> list[SharePartitionKey]:
        """Its partitions, rotated by each call, so that limits starve none."""
        found = list(self.partitions)
        if not found:
            return found
        first = self.epoch % len(found)
        return found[first:] + found[:first]


class ShareSessions:
    """The share sessions of one broker, at most group.share.max.share.sessions."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sessions: dict[tuple[str, str], ShareSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def has_group(self, group_id: str) -> bool:
        """Whether any member of the group has a session."""
        return any(group == group_id for group, _ in self._sessions)

    def create(self, group_id: str, member_id: str) -> ShareSession:
        """A new session, which replaces the member's previous one; the member keeps its acquired
        records.

        Raises KafkaError SHARE_SESSION_LIMIT_REACHED.
        """
        key = (group_id, member_id)
        if key not in self._sessions and len(self._sessions) >= self._most:
            raise KafkaError(
                ErrorCode.SHARE_SESSION_LIMIT_REACHED,
                f"{self._most} members have share sessions on this broker"
                " (group.share.max.share.sessions)",
            )
        session = self._sessions[key] = ShareSession(group_id, member_id)
        return session

    def resume(self, group_id: str, member_id: str, epoch: int) -> ShareSession:
        """The session that a request continues.

        Raises KafkaError SHARE_SESSION_NOT_FOUND or INVALID_SHARE_SESSION_EPOCH; the member then
        starts a new one.
        """
        session = self._sessions.get((group_id, member_id))
        if session is None:
            raise KafkaError(
                ErrorCode.SHARE_SESSION_NOT_FOUND,
                f"member {member_id} of {group_id!r} has no share session here",
            )
        if epoch == FINAL_EPOCH:
            return session
        if session.epoch != epoch:
            raise KafkaError(
                ErrorCode.INVALID_SHARE_SESSION_EPOCH,
                f"the share session expects epoch {session.epoch}, not {epoch}",
            )
        if session.waiting is not None:
            session.waiting.hurry()
        session.epoch = 1 if epoch == _MAX_EPOCH else epoch + 1
        return session

    def remove(self, session: ShareSession) -> bool:
        """End a session; return whether it was the member's current one."""
        key = (session.group_id, session.member_id)
        if self._sessions.get(key) is not session:
            return False
        del self._sessions[key]
        return True
