"""Fetch sessions: a fetcher names its partitions once, and later only changes (KIP-227).

Every fetch has a feed, the set of its partitions. A session's feed outlives the request, and the
replicas notify it of changes (`dirty`), so that a fetch of ten thousand quiet partitions costs as
much as a fetch of none. A fetch without a session has a temporary feed.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final, Protocol

from raftka.broker.replication.follower_progress import NO_LINK
from raftka.broker.replication.replica import Replica
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_BROKER, NO_EPOCH, NO_OFFSET
from raftka.model.ports import Dice

NO_SESSION: Final = 0
INITIAL_EPOCH: Final = 0
FINAL_EPOCH: Final = -1
_MAX_EPOCH: Final = 2**31 - 1
_STALE_AFTER_S: Final = 120.0
"""A session that was unused for so many seconds may be evicted for a new one."""

_turn: Final = attrgetter("turn")
PartitionKey = tuple[str | bytes, int]
"""(topic name, or topic id from Fetch version 13 on; partition index)"""


class WaitingFetch(Protocol):
    """A fetch that waits until its answer is worth sending."""

    def retry(self) -> None:
        """One of its partitions has changed."""
        ...

    def hurry(self) -> None:
        """Answer with what is available: the session's next request has arrived."""
        ...

    def abandon(self, code: ErrorCode) -> None:
        """Answer with an error: the session was removed."""
        ...


class FetchEntry:
    """One partition as requested by a fetcher, and the values in its last answer."""

    __slots__ = (
        "current_leader_epoch",
        "denied",
        "feed",
        "fetch_offset",
        "index",
        "key",
        "last_fetched_epoch",
        "log_start_offset",
        "max_bytes",
        "replica",
        "sent_high_watermark",
        "sent_log_start_offset",
        "turn",
    )

    def __init__(self, feed: Feed, topic: str | bytes, index: int, turn: int) -> None:
        self.feed = feed
        self.turn = turn
        """Its position in the order of its session: the smaller, the longer it has waited."""
        self.key: PartitionKey = (topic, index)
        self.index = index
        self.denied = False
        """Whether the fetcher lacks permission to read it."""
        self.replica: Replica | None = None
        self.fetch_offset = 0
        self.max_bytes = 0
        self.log_start_offset: int = NO_OFFSET
        self.current_leader_epoch: int = NO_EPOCH
        self.last_fetched_epoch: int = NO_EPOCH
        self.sent_high_watermark: int = NO_OFFSET
        self.sent_log_start_offset: int = NO_OFFSET

    # broker.replication.replica.Watcher

    def changed(self) -> None:
        feed = self.feed
        feed.dirty[self] = None
        if feed.waiting is not None:
            feed.waiting.retry()

    def changed_quietly(self) -> None:
        self.feed.dirty[self] = None

    def high_watermark_moved(self) -> None:
        feed = self.feed
        feed.dirty[self] = None
        if feed.wants_high_watermark and feed.waiting is not None:
            feed.waiting.retry()


class Feed:
    """The partitions of one fetcher. `replica_id` is the follower's, NO_BROKER for a consumer."""

    is_session = False
    """Whether it outlives the request, and so remembers what its fetcher was sent."""

    __slots__ = (
        "dirty",
        "entries",
        "last_fetch_s",
        "last_turn",
        "replica_id",
        "waiting",
        "wants_high_watermark",
        "watching",
    )

    def __init__(self, replica_id: int) -> None:
        self.replica_id = replica_id
        self.wants_high_watermark = False
        """Whether a follower must learn of a new high watermark at once, because its consumers wait
        for it; otherwise it learns of it with the next records, or when its wait expires."""
        self.entries: dict[PartitionKey, FetchEntry] = {}
        self.dirty: dict[FetchEntry, None] = {}
        """Entries that may have something to send: changes, or records that were not sent yet."""
        self.last_turn = 0
        """The turn of the last entry in the order."""
        self.waiting: WaitingFetch | None = None
        self.last_fetch_s = 0.0
        self.watching = False
        """Whether the replicas notify the entries."""

    def entry(self, topic: str | bytes, index: int) -> FetchEntry:
        """The entry of a partition, created if it is new; the next answer will check it."""
        key = (topic, index)
        entry = self.entries.get(key)
        if entry is None:
            self.last_turn += 1
            entry = self.entries[key] = FetchEntry(self, topic, index, self.last_turn)
        self.dirty[entry] = None
        return entry

    @property
    def is_waiting(self) -> bool:
        """Whether a fetch waits to be answered."""
        return self.waiting is not None

    def replicas(self) -> list[Replica]:
        """The replicas of its partitions that are hosted here."""
        entries = self.entries.values()
        return [entry.replica for entry in entries if entry.replica is not None]

    def in_turn(self) -> list[FetchEntry]:
        """The entries that may have something to send, least recently served first.

        This is the order of the session (KIP-227): however small the limits of an answer are, the
        first entry with records gets at least a batch, and then goes behind all others.
        """
        dirty = self.dirty
        return sorted(dirty, key=_turn) if len(dirty) > 1 else list(dirty)

    def forget(self, topic: str | bytes, index: int) -> None:
        """Remove a partition from the feed."""
        entry = self.entries.pop((topic, index), None)
        if entry is not None:
            self.dirty.pop(entry, None)
            self.detach(entry)

    def attach(self, entry: FetchEntry, replica: Replica) -> None:
        """Let a replica notify this feed of changes."""
        if entry.replica is not replica:
            self.detach(entry)
            entry.replica = replica
        if self.watching:
            watchers = replica.consumers if self.replica_id < 0 else replica.followers
            watchers[entry] = None

    def detach(self, entry: FetchEntry) -> None:
        """Stop notifications from the entry's replica."""
        replica = entry.replica
        if replica is not None:
            watchers = replica.consumers if self.replica_id < 0 else replica.followers
            watchers.pop(entry, None)
            entry.replica = None
            for follower in replica.state.followers:
                if follower.link is self:
                    follower.link = NO_LINK

    def watch(self) -> None:
        """Start notifications for all entries."""
        self.watching = True
        for entry in self.entries.values():
            if entry.replica is not None:
                self.attach(entry, entry.replica)

    def close(self) -> None:
        """Stop notifications from all replicas."""
        self.watching = False
        for entry in self.entries.values():
            self.detach(entry)


class FetchSession(Feed):
    """A feed that later requests refer to by its id."""

    is_session = True

    __slots__ = ("epoch", "session_id", "uses_topic_ids")

    def __init__(self, session_id: int, replica_id: int, uses_topic_ids: bool) -> None:
        super().__init__(replica_id)
        self.session_id = session_id
        self.epoch = 1
        """The epoch that the next request must carry."""
        self.uses_topic_ids = uses_topic_ids
        self.watching = True

    @property
    def privileged(self) -> bool:
        """Followers' sessions are never evicted for a consumer's."""
        return self.replica_id != NO_BROKER


class SessionCache:
    """The sessions of one broker, at most max.incremental.fetch.session.cache.slots."""

    def __init__(self, slots: int, dice: Dice) -> None:
        self._slots = slots
        self._dice = dice
        self._sessions: dict[int, FetchSession] = {}
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def partitions(self) -> int:
        """The number of entries in all sessions."""
        return sum(len(session.entries) for session in self._sessions.values())

    def resume(self, session_id: int, epoch: int, uses_topic_ids: bool) -> FetchSession:
        """The session that an incremental request continues.

        Raises KafkaError FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH or
        FETCH_SESSION_TOPIC_ID_ERROR; the fetcher then starts a new one.
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise KafkaError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        if session.epoch != epoch:
            raise KafkaError(
                ErrorCode.INVALID_FETCH_SESSION_EPOCH,
                f"fetch session {session_id} expects epoch {session.epoch}, not {epoch}",
            )
        if session.uses_topic_ids != uses_topic_ids:
            raise KafkaError(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
        if session.waiting is not None:
            session.waiting.hurry()
        session.epoch = 1 if epoch == _MAX_EPOCH else epoch + 1
        return session

    def create(
        self, replica_id: int, uses_topic_ids: bool, size: int, now_s: float
    ) -> FetchSession | None:
        """A new session for `size` partitions; None if no slot is free or evictable."""
        if len(self._sessions) >= self._slots and not self._evict(replica_id, size, now_s):
            return None
        session_id = self._dice.randrange(1, 2**31)
        while session_id in self._sessions:
            session_id = self._dice.randrange(1, 2**31)
        session = FetchSession(session_id, replica_id, uses_topic_ids)
        session.last_fetch_s = now_s
        self._sessions[session_id] = session
        return session

    def remove(self, session_id: int) -> None:
        """End a session, if it exists."""
        session = self._sessions.pop(session_id, None)
        if session is not None:
            if session.waiting is not None:
                session.waiting.abandon(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
            session.close()

    def _evict(self, replica_id: int, size: int, now_s: float) -> bool:
        """Evict the least recently used session if it is stale, or else one smaller than the new
        one.

        Followers have priority over consumers: a replica without a session costs the most.
        """
        candidates = [s for s in self._sessions.values() if not s.privileged]
        if not candidates:
            return False
        oldest = min(candidates, key=attrgetter("last_fetch_s"))
        if now_s - oldest.last_fetch_s > _STALE_AFTER_S:
            victim = oldest
        else:
            victim = min(candidates, key=lambda session: len(session.entries))
            if replica_id == NO_BROKER and len(victim.entries) >= size:
                return False
        self.evictions += 1
        self.remove(victim.session_id)
        return True
