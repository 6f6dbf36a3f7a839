"""The read path: what a fetch gets of each of its partitions.

Followers read up to the leader's log end and thereby tell it how far they are; consumers read up
to the high watermark, from the leader or (KIP-392) from a follower near them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from raftka.broker.replication.fetch_session import Feed, FetchEntry
from raftka.broker.replication.partition import PartitionState
from raftka.broker.replication.truncation import NO_EPOCH_END, EpochEnd, divergence
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_BROKER, NO_EPOCH, NO_OFFSET
from raftka.model.ports import Piece

if TYPE_CHECKING:
    from raftka.broker.replication.replica import Replica
    from raftka.broker.replication.replica_manager import ReplicaManager

NO_REPLICA: Final = NO_BROKER


class FetchLimits:
    """What a fetch request says apart from its partitions."""

    __slots__ = (
        "broker_epoch",
        "first_always",
        "from_leader_only",
        "max_bytes",
        "min_bytes",
        "rack",
        "read_committed",
        "replica_id",
    )

    def __init__(
        self,
        *,
        replica_id: int = NO_BROKER,
        broker_epoch: int = NO_EPOCH,
        min_bytes: int = 1,
        max_bytes: int = 2**31 - 1,
        first_always: bool = True,
        rack: str | None = None,
        read_committed: bool = False,
    ) -> None:
        self.replica_id = replica_id
        self.broker_epoch = broker_epoch
        self.min_bytes = min_bytes
        self.max_bytes = max_bytes
        self.first_always = first_always
        """Whether the first partition with records gives one batch though it is too large."""
        self.rack = rack
        """A consumer's client.rack; None for a client that cannot read from followers."""
        self.read_committed = read_committed
        self.from_leader_only = replica_id >= 0 or rack is None


class Fetched:
    """One partition's part of a fetch answer."""

    __slots__ = (
        "current_leader",
        "diverging_epoch",
        "entry",
        "error_code",
        "high_watermark",
        "last_stable_offset",
        "log_start_offset",
        "pieces",
        "preferred_read_replica",
        "size",
    )

    def __init__(self, entry: FetchEntry, error_code: int = 0) -> None:
        self.entry = entry
        self.error_code = error_code
        self.high_watermark: int = NO_OFFSET
        self.last_stable_offset: int = NO_OFFSET
        self.log_start_offset: int = NO_OFFSET
        self.diverging_epoch: EpochEnd | None = None
        self.current_leader: tuple[int, int] | None = None
        """(leader, its epoch), told to those who asked the wrong broker (KIP-951)."""
        self.preferred_read_replica: int = NO_REPLICA
        self.pieces: Sequence[Piece] = ()
        self.size = 0

    @property
    def is_urgent(self) -> bool:
        """Whether the fetcher should hear of it at once."""
        return (
            self.error_code != 0
            or self.diverging_epoch is not None
            or self.preferred_read_replica != NO_REPLICA
        )

    @property
    def is_news(self) -> bool:
        """Whether an incremental answer has to mention it."""
        entry = self.entry
        return (
            self.size > 0
            or self.high_watermark != entry.sent_high_watermark
            or self.log_start_offset != entry.sent_log_start_offset
            or self.is_urgent
        )


class FetchReader:
    """Reads for the fetches of one broker."""

    def __init__(
        self,
        replicas: ReplicaManager,
        select_replica: Callable[[Replica, str, int], int] | None,
    ) -> None:
        self._replicas = replicas
        self.select_replica = select_replica
        """(partition, client's rack, fetch offset) -> broker to read from, or NO_REPLICA."""

    def collect(
        self, feed: Feed, limits: FetchLimits, *, full: bool, arrival: bool, now_s: float
    ) -> tuple[list[Fetched], int, bool]:
        """Read what the feed looks at: (parts of the answer, bytes of records, urgent).

        With `full` every partition gets its part, otherwise those with news only. `arrival` is
        true once per request: then a follower's offsets are taken note of.
        """
        fetched_all: list[Fetched] = []
        left = limits.max_bytes
        size = 0
        urgent = False
        for entry in list(feed.entries.values()) if full else list(feed.dirty):
            first = size == 0 and limits.first_always
            fetched = self._read(entry, limits, left, first, arrival, now_s)
            if fetched.size:
                left = max(0, left - fetched.size)
                size += fetched.size
            elif fetched.is_urgent or (limits.replica_id >= 0 and _must_hear(feed, fetched)):
                urgent = True
            if full or fetched.is_news:
                fetched_all.append(fetched)
            else:
                feed.dirty.pop(entry, None)
        return fetched_all, size, urgent

    def _read(
        self,
        entry: FetchEntry,
        limits: FetchLimits,
        left: int,
        first: bool,
        arrival: bool,
        now_s: float,
    ) -> Fetched:
        fetched = Fetched(entry)
        try:
            replica = entry.replica
            if replica is None or not replica.hosted:
                replica = self._replicas.find(entry.key)
                entry.feed.attach(entry, replica)
            self._replicas.check_serving(replica, now_s)
            self._check_epoch(replica.state, entry, limits)
            self._fill(fetched, replica, limits, left, first)
            if arrival and limits.replica_id >= 0 and fetched.diverging_epoch is None:
                self._follower_fetched(entry, replica, limits, now_s)
                fetched.high_watermark = replica.state.high_watermark
        except KafkaError as error:
            fetched = Fetched(entry, int(error.code))
            fetched.current_leader = self._replicas.leader_hint(entry.key, error.code)
        return fetched

    def _check_epoch(self, state: PartitionState, entry: FetchEntry, limits: FetchLimits) -> None:
        if limits.from_leader_only:
            state.check_leader(entry.current_leader_epoch)
            return
        state.check_leader_epoch(entry.current_leader_epoch)
        if not state.is_leader and state.view.leader == NO_BROKER:
            state.check_leader()

    def _fill(
        self, fetched: Fetched, replica: Replica, limits: FetchLimits, left: int, first: bool
    ) -> None:
        """Read records, or find out why not. Raises KafkaError OFFSET_OUT_OF_RANGE."""
        state, log, entry = replica.state, replica.log, fetched.entry
        offset = entry.fetch_offset
        start, end = log.log_start_offset, log.log_end_offset
        fetched.high_watermark = state.high_watermark
        fetched.last_stable_offset = state.high_watermark
        fetched.log_start_offset = start
        # What is gone here is not looked for elsewhere: followers are late to say what they lost.
        rack = limits.rack if limits.replica_id < 0 and offset >= start else None
        if rack is not None and self.select_replica is not None:
            chosen = self.select_replica(replica, rack, offset)
            if chosen != NO_REPLICA:
                fetched.preferred_read_replica = chosen
                return
        epoch = entry.last_fetched_epoch
        if epoch >= 0 and (epoch != log.latest_epoch or offset > end):
            diverging = divergence(log, offset, epoch)
            if diverging is NO_EPOCH_END:
                raise out_of_range(replica, offset)
            if diverging is not None:
                fetched.diverging_epoch = diverging
                return
        if not start <= offset <= end:
            raise out_of_range(replica, offset)
        upper = end if limits.replica_id >= 0 else state.high_watermark
        room = min(entry.max_bytes, left)
        if offset < upper and (room > 0 or first):
            piece = log.read(offset, room, upper, min_one=first)
            fetched.pieces = piece.pieces
            fetched.size = piece.size

    def _follower_fetched(
        self, entry: FetchEntry, replica: Replica, limits: FetchLimits, now_s: float
    ) -> None:
        follower = replica.state.follower(limits.replica_id)
        if entry.feed.watching:
            follower.link = entry.feed
        proposal = replica.follower_fetched(
            follower, entry.fetch_offset, entry.log_start_offset, limits.broker_epoch, now_s
        )
        if proposal is not None:
            self._replicas.propose(replica, proposal)

    def answered(self, feed: Feed, fetched_all: list[Fetched], *, full: bool) -> None:
        """The feed's owner is being told this: remember it, and let others come first next time.

        Partitions that gave records or an error stay to be looked at: a fetcher that wants the
        same again does not repeat itself.
        """
        dirty = feed.dirty
        if full:
            dirty.clear()
        for fetched in fetched_all:
            entry = fetched.entry
            # Where logs part a follower truncates and believes no mark: it has to hear them again.
            parts = fetched.diverging_epoch is not None
            entry.sent_high_watermark = NO_OFFSET if parts else fetched.high_watermark
            entry.sent_log_start_offset = NO_OFFSET if parts else fetched.log_start_offset
            dirty.pop(entry, None)
            if fetched.size or fetched.is_urgent:
                dirty[entry] = None


def _must_hear(feed: Feed, fetched: Fetched) -> bool:
    """Whether a follower's wait ends though it gets no records.

    DeleteRecords waits for followers to move their start, consumers near a follower for its high
    watermark.
    """
    entry = fetched.entry
    return fetched.log_start_offset != entry.sent_log_start_offset or (
        feed.wants_high_watermark and fetched.high_watermark != entry.sent_high_watermark
    )


def out_of_range(replica: Replica, offset: int) -> KafkaError:
    """The answer to a fetch of records that do not exist here."""
    log = replica.log
    return KafkaError(
        ErrorCode.OFFSET_OUT_OF_RANGE,
        f"{replica.topic_partition} has offsets {log.log_start_offset} to {log.log_end_offset}, "
        f"{offset} was asked for",
    )
