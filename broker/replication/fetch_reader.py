"""The read path: reads the partitions of a fetch.

Followers read up to the leader's log end, and their fetch offsets report their progress; consumers
read up to the high watermark, or with read_committed to the last stable offset (KIP-98), from the
leader or from a follower near them (KIP-392).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from raftka.broker.replication.fetch_session import Feed, FetchEntry
from raftka.broker.replication.partition import PartitionState
from raftka.broker.replication.throttle import ReplicationThrottle
from raftka.broker.replication.truncation import NO_EPOCH_END, EpochEnd, divergence
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_BROKER, NO_EPOCH, NO_OFFSET
from raftka.model.ports import Piece
from raftka.model.rules import ALL_HOLD, Rule, RulesOff

if TYPE_CHECKING:
    from raftka.broker.replication.isr_keeper import IsrKeeper
    from raftka.broker.replication.replica import Replica
    from raftka.broker.replication.replica_index import ReplicaIndex

NO_REPLICA: Final = NO_BROKER


class FetchLimits:
    """The fields of a fetch request apart from its partitions."""

    __slots__ = (
        "broker_epoch",
        "is_follower",
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
        rack: str | None = None,
        read_committed: bool = False,
    ) -> None:
        self.replica_id = replica_id
        self.broker_epoch = broker_epoch
        self.min_bytes = min_bytes
        self.max_bytes = max_bytes
        self.is_follower = replica_id >= 0
        self.rack = None if self.is_follower else rack
        """A consumer's client.rack; None if it must read from the leader."""
        self.read_committed = read_committed and not self.is_follower


class Fetched:
    """One partition in the answer to a fetch."""

    __slots__ = (
        "aborted",
        "available",
        "current_leader",
        "diverging_epoch",
        "entry",
        "error_code",
        "has_records",
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
        """(leader, its epoch) for a fetcher that sent its request to the wrong broker (KIP-951)."""
        self.preferred_read_replica: int = NO_REPLICA
        self.pieces: Sequence[Piece] = ()
        self.aborted: Sequence[tuple[int, int]] = ()
        """(producer id, first offset) of the aborted transactions, for read_committed."""
        self.size = 0
        self.available = 0
        """Bytes that count for min_bytes, at most as many as the limits allow."""
        self.has_records = False
        """Whether there are records for the fetcher, even if they exceeded the limits."""

    @property
    def is_urgent(self) -> bool:
        """Whether the fetch must be answered at once because of it."""
        return (
            self.error_code != 0
            or self.diverging_epoch is not None
            or self.preferred_read_replica != NO_REPLICA
        )

    @property
    def is_news(self) -> bool:
        """Whether an incremental answer must contain it."""
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
        replicas: ReplicaIndex,
        isr: IsrKeeper,
        select_replica: Callable[[Replica, str, int], int] | None,
        rules_off: RulesOff = ALL_HOLD,
        throttle: ReplicationThrottle | None = None,
    ) -> None:
        self.throttle = throttle
        """Limits what out-of-sync followers copy from here; None for no limit."""
        self._spares_in_sync = Rule.IN_SYNC_IS_NEVER_THROTTLED not in rules_off
        self._replicas = replicas
        self._isr = isr
        self.select_replica = select_replica
        """(partition, client's rack, fetch offset) -> the broker to read from, or NO_REPLICA."""
        self._remembers = Rule.LOOK_AGAIN_WITHOUT_ROOM not in rules_off
        self._holds_back_unstable = Rule.LAST_STABLE_OFFSET not in rules_off
        self._names_aborted = Rule.ABORTED_ARE_NAMED not in rules_off
        self._takes_turns = Rule.TURNS_IN_SESSIONS not in rules_off

    def collect(
        self, feed: Feed, limits: FetchLimits, *, full: bool, arrival: bool, now_s: float
    ) -> tuple[list[Fetched], int, bool]:
        """Read the feed's partitions: (partitions of the answer, bytes for min_bytes, urgent).

        With `full` the answer contains every partition, otherwise only those with news. `arrival`
        is true once per request: a follower's offsets are recorded then. The first partition with
        records returns at least one batch, however large; bytes count for min_bytes as if batches
        could be split, so that no fetch waits for more than its limits allow.
        """
        fetched_all: list[Fetched] = []
        left = limits.max_bytes
        available = 0
        served = urgent = False
        for entry in list(feed.entries.values()) if full else feed.in_turn():
            fetched = self._read(entry, limits, left, not served, arrival, now_s)
            available += fetched.available
            if fetched.size:
                left = max(0, left - fetched.size)
                served = True
                fetched_all.append(fetched)
                continue
            if fetched.is_urgent or (limits.is_follower and _must_hear(feed, fetched)):
                urgent = True
            if full or fetched.is_news:
                fetched_all.append(fetched)
            elif not fetched.has_records:
                feed.dirty.pop(entry, None)
        return fetched_all, available, urgent

    def _read(
        self,
        entry: FetchEntry,
        limits: FetchLimits,
        left: int,
        first: bool,
        arrival: bool,
        now_s: float,
    ) -> Fetched:
        if entry.denied:
            return Fetched(entry, int(ErrorCode.TOPIC_AUTHORIZATION_FAILED))
        fetched = Fetched(entry)
        try:
            replica = entry.replica
            if replica is None or not replica.hosted:
                replica = self._replicas.find(entry.key)
                entry.feed.attach(entry, replica)
            self._replicas.check_serving(replica, now_s)
            self._check_epoch(replica.state, entry, limits)
            throttle = self.throttle
            if (
                throttle is not None
                and throttle.is_active
                and limits.is_follower
                and self._holds_back(throttle, replica, limits.replica_id, now_s)
            ):
                left, first = 0, False
            self._fill(fetched, replica, limits, left, first)
            if arrival and limits.is_follower and fetched.diverging_epoch is None:
                self._follower_fetched(entry, replica, limits, now_s)
                fetched.high_watermark = replica.state.high_watermark
        except KafkaError as error:
            fetched = Fetched(entry, int(error.code))
            fetched.current_leader = self._replicas.leader_hint(entry.key, error.code)
        return fetched

    def _holds_back(
        self, throttle: ReplicationThrottle, replica: Replica, follower_id: int, now_s: float
    ) -> bool:
        """Whether a follower gets no records now because of its throttle (KIP-73)."""
        if not throttle.covers(replica.topic_partition):
            return False
        if self._spares_in_sync and follower_id in replica.state.view.isr:
            return False
        return throttle.wait_ms(int(now_s * 1000)) > 0

    def _check_epoch(self, state: PartitionState, entry: FetchEntry, limits: FetchLimits) -> None:
        if limits.rack is None:
            state.check_leader(entry.current_leader_epoch)
            return
        state.check_leader_epoch(entry.current_leader_epoch)
        if not state.is_leader and state.view.leader == NO_BROKER:
            state.check_leader()

    def _fill(
        self, fetched: Fetched, replica: Replica, limits: FetchLimits, left: int, first: bool
    ) -> None:
        """Read the partition's records. Raises KafkaError OFFSET_OUT_OF_RANGE."""
        state, log, entry = replica.state, replica.log, fetched.entry
        offset = entry.fetch_offset
        start, end = log.log_start_offset, log.log_end_offset
        committed = stable = state.high_watermark
        if log.transactions.first_unstable < committed:
            stable = log.stable_offset(committed)
        fetched.high_watermark = committed
        fetched.last_stable_offset = stable
        fetched.log_start_offset = start
        # Records deleted here are not looked up elsewhere: followers learn late what was deleted.
        if self.select_replica is not None and limits.rack is not None and offset >= start:
            chosen = self.select_replica(replica, limits.rack, offset)
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
        upper = end if limits.is_follower else committed
        if limits.read_committed and self._holds_back_unstable:
            upper = stable
        if offset >= upper:
            return
        room = min(entry.max_bytes, left)
        if room < 0:
            words = f"a fetch may not ask for {room} bytes at most"
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, words)
        if room > 0 or first:
            found = log.read(offset, room, upper, min_one=first)
            fetched.pieces = found.pieces
            fetched.size = fetched.available = found.size
            if limits.read_committed and found.size and self._names_aborted:
                fetched.aborted = [
                    (each.producer_id, each.first_offset)
                    for each in log.aborted_transactions(offset, found, upper)
                ]
            if found.available > found.size:
                fetched.available = max(found.size, min(found.available, room))
        fetched.has_records = fetched.size > 0 or self._remembers

    def _follower_fetched(
        self, entry: FetchEntry, replica: Replica, limits: FetchLimits, now_s: float
    ) -> None:
        follower = replica.state.follower(limits.replica_id)
        if entry.feed.watching:
            follower.link = self._isr.silence.links[limits.replica_id] = entry.feed
        proposal = replica.follower_fetched(
            follower, entry.fetch_offset, entry.log_start_offset, limits.broker_epoch, now_s
        )
        if proposal is not None:
            self._isr.propose(replica, proposal)

    def answered(self, feed: Feed, fetched_all: list[Fetched], *, full: bool) -> None:
        """Record what an answer contains, and let other partitions come first in the next one.

        Partitions with records or an error stay dirty: some had no room in the answer, and a
        fetcher does not repeat the request for an unchanged partition.
        """
        dirty, turn = feed.dirty, feed.last_turn
        if full:
            dirty.clear()
        moves_on = not full and self._takes_turns
        for fetched in fetched_all:
            entry = fetched.entry
            # A follower whose log diverges truncates and ignores these offsets: send them again.
            diverges = fetched.diverging_epoch is not None
            entry.sent_high_watermark = NO_OFFSET if diverges else fetched.high_watermark
            entry.sent_log_start_offset = NO_OFFSET if diverges else fetched.log_start_offset
            if fetched.size and moves_on:
                turn += 1
                entry.turn = turn
            if fetched.has_records or fetched.is_urgent:
                dirty[entry] = None
            else:
                dirty.pop(entry, None)
        feed.last_turn = turn


def _must_hear(feed: Feed, fetched: Fetched) -> bool:
    """Whether to answer a follower although it gets no records.

    DeleteRecords waits for followers to advance their log start, and a follower's consumers wait
    for its high watermark. Without a session the leader does not know what the follower was sent,
    so it waits; otherwise the two would exchange empty fetches without a pause.
    """
    entry = fetched.entry
    return feed.is_session and (
        fetched.log_start_offset != entry.sent_log_start_offset
        or (feed.wants_high_watermark and fetched.high_watermark != entry.sent_high_watermark)
    )


def count_throttled(
    throttle: ReplicationThrottle, fetched_all: list[Fetched], now_s: float
) -> None:
    """Count the bytes of throttled partitions in an answer to a follower, in sync or not."""
    for fetched in fetched_all:
        replica = fetched.entry.replica
        if fetched.size and replica is not None and throttle.covers(replica.topic_partition):
            throttle.record(fetched.size, int(now_s * 1000))


def count_traffic(fetched_all: list[Fetched], is_follower: bool) -> None:
    """Count an answer's records and bytes; for followers' fetches Kafka counts only bytes."""
    for fetched in fetched_all:
        replica = fetched.entry.replica
        if replica is None:
            continue
        if is_follower:
            replica.traffic.replication_bytes_out += fetched.size
        else:
            replica.traffic.bytes_out += fetched.size
            replica.traffic.fetch_requests += 1
            if fetched.error_code:
                replica.traffic.failed_fetch_requests += 1


def out_of_range(replica: Replica, offset: int) -> KafkaError:
    """The answer to a fetch of records that do not exist here."""
    log = replica.log
    return KafkaError(
        ErrorCode.OFFSET_OUT_OF_RANGE,
        f"{replica.topic_partition} has offsets {log.log_start_offset} to {log.log_end_offset}, "
        f"{offset} was asked for",
    )
