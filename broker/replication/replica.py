"""One hosted replica: its rules (PartitionState), its records (Log), and the requests that wait for
either.

Every change of the state goes through here, so that it wakes the waiting requests in the same
scheduler turn: records wake followers, the high watermark wakes producers and consumers, a change
of role wakes all of them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from raftka.broker.replication.follower_progress import FollowerProgress
from raftka.broker.replication.partition import IsrProposal, PartitionState
from raftka.broker.replication.traffic import TopicTraffic
from raftka.model.control_records import EndMarker, encode_end_marker
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from raftka.model.ports import Buffer

if TYPE_CHECKING:
    from raftka.storage.log import AppendInfo, Log
    from raftka.storage.verification import Guard


class AckWaiter(Protocol):
    """A producer's request that waits for the high watermark."""

    done: bool
    """Whether it was answered already, for example at its deadline."""

    def acknowledged(self, slot: int, code: ErrorCode) -> None:
        """The outcome for the partition that the request registered as `slot`."""
        ...


class Watcher(Protocol):
    """A partition of a fetch that is notified of changes (fetch_session.FetchEntry)."""

    def changed(self) -> None:
        """There may be something to send; a waiting fetch checks at the end of this turn."""
        ...

    def changed_quietly(self) -> None:
        """There is a change, but no fetch needs to be answered because of it."""
        ...

    def high_watermark_moved(self) -> None:
        """A follower learns of it with its next records, unless its own consumers wait for it."""
        ...


class Replica:
    """A partition's replica on this broker."""

    __slots__ = (
        "_acks",
        "_deletions",
        "consumers",
        "followers",
        "hosted",
        "index",
        "log",
        "state",
        "topic",
        "topic_id",
        "topic_partition",
        "traffic",
    )

    def __init__(self, topic_id: bytes, state: PartitionState, log: Log) -> None:
        self.topic_partition: TopicPartition = state.topic_partition
        self.topic, self.index = state.topic_partition
        self.topic_id = topic_id
        self.hosted = True
        """False once this broker no longer has it: look the partition up again."""
        self.state = state
        self.log = log
        self.traffic = TopicTraffic()
        """The traffic counters of its topic, once it is hosted."""
        self.followers: dict[Watcher, None] = {}
        """The followers' fetches to notify of new records."""
        self.consumers: dict[Watcher, None] = {}
        """The consumers' fetches to notify of a new high watermark."""
        self._acks: deque[tuple[int, AckWaiter, int]] = deque()
        """(required offset, request, its slot), by ascending offset."""
        self._deletions: list[tuple[int, AckWaiter, int]] = []
        """(required log start offset of all replicas, request, its slot)."""

    # ---- the leader

    def append(
        self,
        records: Buffer,
        now_s: float,
        now_ms: int,
        *,
        from_client: bool = True,
        guard: Guard | None = None,
    ) -> AppendInfo:
        """Append as the leader, and notify the requests that wait for it.

        The caller has checked that this replica leads. `guard` is from `verify`, for a batch that
        may open a transaction. Raises KafkaError if the records are refused, LogDirFailure if the
        disk fails.
        """
        state = self.state
        log = self.log
        info = log.append_as_leader(
            records, state.view.leader_epoch, now_ms, from_client=from_client, guard=guard
        )
        if not info.duplicate:
            traffic = self.traffic
            traffic.messages_in += info.records
            traffic.bytes_in += info.bytes
            if log.counts_for_flush and log.needs_flush(now_ms):
                log.flush(now_ms)
            moved = state.leader_appended(info.last_offset + 1, now_s)
            if self.followers:
                self._wake(self.followers)
            if moved:
                self.high_watermark_moved()
        return info

    def append_marker(
        self, marker: EndMarker, transaction_version: int, now_s: float, now_ms: int
    ) -> AppendInfo:
        """Append the end of a transaction of that version (KIP-1228), as `append` does."""
        self.log.producer_state.check_marker(marker, transaction_version, self.topic_partition)
        batch = bytearray(encode_end_marker(marker, now_ms))
        return self.append(batch, now_s, now_ms, from_client=False)

    def verify(
        self, producer_id: int, epoch: int, sequence: int, *, bumps_epoch: bool, now_ms: int
    ) -> Guard | None:
        """The guard that `append` needs for a producer's first write in a transaction, created
        before its coordinator is asked; None if its transaction is open here, so that nobody needs
        to be asked.

        `sequence` is that of the batch, -1 for a coordinator's; `bumps_epoch` is set for
        transactions of version 2 (KIP-890).
        """
        return self.log.producer_state.begin_verification(
            producer_id, epoch, sequence, bumps_epoch=bumps_epoch, now_ms=now_ms
        )

    def wait_for(self, required_offset: int, waiter: AckWaiter, slot: int) -> bool:
        """Register for records before `required_offset`; False if it already has its outcome."""
        reached = self.state.high_watermark >= required_offset
        code = self.state.acknowledgement(required_offset) if reached else None
        if code is not None:
            waiter.acknowledged(slot, code)
            return False
        acks = self._acks
        while acks and acks[0][1].done:
            acks.popleft()
        if acks and acks[-1][0] > required_offset:
            # A repeated batch, answered with earlier offsets: insert it in order.
            self._acks = deque(sorted((*acks, (required_offset, waiter, slot)), key=_required))
        else:
            acks.append((required_offset, waiter, slot))
        return True

    def follower_fetched(
        self,
        follower: FollowerProgress,
        fetch_offset: int,
        start_offset: int,
        broker_epoch: int,
        now_s: float,
    ) -> IsrProposal | None:
        """Record a follower's fetch; return a proposal if it should join the ISR now."""
        state = self.state
        if state.follower_fetched(follower, fetch_offset, start_offset, broker_epoch, now_s):
            self.high_watermark_moved()
        if self._deletions:
            self.check_deletions()
        if follower.replica_id in state.maximal_isr:
            return None
        return state.expansion(follower)

    def high_watermark_moved(self) -> None:
        """Answer the producers whose records it covers, and wake the consumers."""
        state, acks = self.state, self._acks
        reached = state.high_watermark
        if self.log.transactions.ended:
            self.log.transactions.committed(reached)
        if acks and acks[0][0] <= reached:
            code = state.acknowledgement(reached) or ErrorCode.NONE
            while acks and acks[0][0] <= reached:
                _, waiter, slot = acks.popleft()
                waiter.acknowledged(slot, code)
        if self.consumers:
            self._wake(self.consumers)
        for watcher in self.followers:
            watcher.high_watermark_moved()

    # ---- leader or follower

    def role_changed(self) -> None:
        """Another epoch, another leader, or removed from this broker: release every waiter."""
        acks, self._acks = self._acks, deque()
        deletions, self._deletions = self._deletions, []
        code = self.state.outcome_of_waiting
        for _, waiter, slot in acks:
            waiter.acknowledged(slot, code)
        for _, waiter, slot in deletions:
            waiter.acknowledged(slot, ErrorCode.NOT_LEADER_OR_FOLLOWER)
        self._wake(self.followers)
        self._wake(self.consumers)

    def delete_records(self, offset: int) -> None:
        """Advance the log's start to `offset`, and notify followers' fetches."""
        if self.log.advance_log_start(offset):
            self._wake(self.followers)
            for watcher in self.consumers:
                watcher.changed_quietly()

    def when_deleted(self, offset: int, waiter: AckWaiter, slot: int) -> None:
        """Answer the waiter once the log starts at `offset` or later on all live replicas."""
        self._deletions.append((offset, waiter, slot))
        self.check_deletions()

    def check_deletions(self) -> None:
        """A follower's log start offset may have changed."""
        if not self._deletions:
            return
        low = self.low_watermark
        waiting, self._deletions = self._deletions, []
        for offset, waiter, slot in waiting:
            if low >= offset:
                waiter.acknowledged(slot, ErrorCode.NONE)
            elif not waiter.done:
                self._deletions.append((offset, waiter, slot))

    @property
    def low_watermark(self) -> int:
        """The smallest log start offset of all live replicas."""
        followers = [
            follower.log_start_offset
            for follower in self.state.followers
            if self.state.is_eligible(follower.replica_id)
        ]
        return min((self.log.log_start_offset, *followers))

    def _wake(self, watchers: dict[Watcher, None]) -> None:
        for watcher in tuple(watchers):
            watcher.changed()

    @property
    def under_replicated(self) -> bool:
        """Whether replicas of this leader's partition are out of its ISR."""
        view = self.state.view
        return self.state.is_leader and len(view.isr) < len(view.replicas)

    def __repr__(self) -> str:
        return f"Replica({self.topic_partition}, {self.state.view})"


def _required(entry: tuple[int, AckWaiter, int]) -> int:
    return entry[0]
