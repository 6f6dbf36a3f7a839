"""Copying one partition from its leader: what to ask for, and what to do with the answer.

No I/O but the replica's own log; broker/replication/leader_fetcher.py does the asking. A fetch
names the epoch of our last record, so the leader sees at once when the logs diverge and says
where (KIP-595); nothing has to be asked before the first fetch, and nothing is cut on suspicion.
"""

from __future__ import annotations

import enum
from typing import Final

from raftka.broker.replication.replica import Replica
from raftka.broker.replication.truncation import EpochEnd, cut
from raftka.model.errors import ErrorCode
from raftka.model.ids import NO_EPOCH, NO_OFFSET
from raftka.model.logs import get_logger
from raftka.model.rules import Rule, RulesOff
from raftka.net.protocol.messages.fetch import FetchPartition, PartitionData

log = get_logger(__name__)

_FIRST_BACKOFF_S: Final = 0.01


class Outcome(enum.Enum):
    """What became of one partition's part of an answer."""

    COPIED = "all is well, also when there was nothing new"
    REFUSED = "leave the leader alone for a while"
    LOST = "the leader does not have what comes next: ask where its log begins and ends"


class Following:
    """One follower's position at its leader, in one leader epoch."""

    __slots__ = (
        "_backoff_max_s",
        "_backoff_s",
        "_rules_off",
        "leader_epoch",
        "not_before_s",
        "replica",
    )

    def __init__(self, replica: Replica, rules_off: RulesOff, backoff_max_s: float) -> None:
        self.replica = replica
        self.leader_epoch = replica.state.view.leader_epoch
        self.not_before_s = 0.0
        """After a refusal: leave the leader alone until then, monotonic seconds."""
        self._backoff_s = _FIRST_BACKOFF_S
        self._backoff_max_s = backoff_max_s
        self._rules_off = rules_off
        if Rule.TRUNCATE_BY_LEADER_EPOCH in rules_off:
            self._truncate(replica.state.high_watermark, "")

    @property
    def key(self) -> tuple[bytes, int]:
        return self.replica.topic_id, self.replica.index

    @property
    def is_current(self) -> bool:
        """Whether the metadata still wants this partition copied in this epoch."""
        state = self.replica.state
        return (
            self.replica.hosted
            and not state.is_leader
            and state.view.leader_epoch == self.leader_epoch
        )

    def request(self, max_bytes: int) -> FetchPartition:
        """What to ask the leader for next."""
        partition_log = self.replica.log
        fenced = Rule.EPOCH_IN_FETCH not in self._rules_off
        return FetchPartition(
            partition=self.replica.index,
            current_leader_epoch=self.leader_epoch if fenced else NO_EPOCH,
            fetch_offset=partition_log.log_end_offset,
            last_fetched_epoch=partition_log.latest_epoch if fenced else NO_EPOCH,
            log_start_offset=partition_log.log_start_offset,
            partition_max_bytes=max_bytes,
        )

    def answered(
        self, asked_offset: int, data: PartitionData, now_s: float, now_ms: int
    ) -> Outcome:
        """Take over what the leader has sent for `asked_offset`.

        Raises LogDirFailure when the log cannot be written, KafkaError CORRUPT_MESSAGE or
        INVALID_RECORD for bytes that are not what the leader must have had.
        """
        if not self.is_current:
            return Outcome.COPIED
        if data.error_code != ErrorCode.NONE:
            return self._refused(ErrorCode(data.error_code), now_s)
        self._backoff_s = _FIRST_BACKOFF_S
        replica, state, partition_log = self.replica, self.replica.state, self.replica.log
        if asked_offset != partition_log.log_end_offset:
            # About a log that has changed since; to truncate by it would lose records.
            return Outcome.COPIED
        if _diverges(data):
            if state.diverged(data.high_watermark):
                leader = EpochEnd(data.diverging_epoch.epoch, data.diverging_epoch.end_offset)
                self._diverged(leader)
            else:
                replica.high_watermark_moved()
            return Outcome.COPIED
        records = data.records
        if records and not isinstance(records, list):
            partition_log.append_as_follower(records, now_ms)
            replica.traffic.replication_bytes_in += len(records)
            if partition_log.counts_for_flush and partition_log.needs_flush(now_ms):
                # Before the next fetch, which acknowledges them to the leader.
                partition_log.flush(now_ms)
        self._take_marks(data)
        return Outcome.COPIED

    def heard(self, data: PartitionData) -> None:
        """Take over the leader's marks from an answer to an earlier question than the last.

        What was copied since that question is the leader's, too: the marks hold for it.
        """
        if self.is_current and data.error_code == ErrorCode.NONE and not _diverges(data):
            self._take_marks(data)

    def _take_marks(self, data: PartitionData) -> None:
        """High watermark and log start of the leader."""
        replica, state, partition_log = self.replica, self.replica.state, self.replica.log
        if state.follower_appended(partition_log.log_end_offset, data.high_watermark):
            replica.high_watermark_moved()
        if data.log_start_offset > partition_log.log_start_offset:
            partition_log.advance_log_start(min(data.log_start_offset, state.high_watermark))

    def _refused(self, code: ErrorCode, now_s: float) -> Outcome:
        topic_partition, leader = self.replica.topic_partition, self.replica.state.view.leader
        if code is ErrorCode.OFFSET_OUT_OF_RANGE:
            return Outcome.LOST
        if self._backoff_s >= self._backoff_max_s:
            log.warning(
                f"{topic_partition}: broker {leader} refuses fetches in epoch "
                f"{self.leader_epoch}: {code.name}"
            )
        # The two sides learn of an election at different moments: the first tries come fast.
        return self.back_off(now_s)

    def back_off(self, now_s: float) -> Outcome:
        """Something is wrong at the leader or on the way; wait longer each time."""
        self.not_before_s = now_s + self._backoff_s
        self._backoff_s = min(self._backoff_max_s, self._backoff_s * 2)
        return Outcome.REFUSED

    def _diverged(self, leader: EpochEnd) -> None:
        partition_log, state = self.replica.log, self.replica.state
        where = cut(partition_log, leader, partition_log.log_end_offset, state.high_watermark)
        self._truncate(
            where.offset,
            f"the leader's epoch {leader.epoch} ends at {leader.end_offset}",
        )

    def _truncate(self, offset: int, reason: str) -> None:
        replica, state = self.replica, self.replica.state
        end = replica.log.log_end_offset
        if offset < end:
            log.info(
                f"truncating {replica.topic_partition} from {end} to {offset}: {reason}",
                leader=state.view.leader,
                leader_epoch=self.leader_epoch,
                high_watermark=state.high_watermark,
            )
        # Also when no record goes: an epoch in which we led and wrote nothing is forgotten so.
        replica.log.truncate_to(min(offset, end))
        state.truncated(replica.log.log_end_offset)

    def found(self, start_offset: int, end_offset: int, now_ms: int) -> None:
        """Where the leader's log begins and ends, after our offset was out of its range.

        Behind the leader's start, because its retention has passed our end: start again there.
        Beyond its end, because it was elected without our records (an unclean election): cut them.
        """
        if not self.is_current:
            return
        replica, state = self.replica, self.replica.state
        end = replica.log.log_end_offset
        if end_offset < end:
            self._truncate(max(end_offset, start_offset), "the leader's log ends there")
        if replica.log.log_end_offset < start_offset or end_offset < replica.log.log_start_offset:
            log.info(
                f"{replica.topic_partition}: the leader's log begins at {start_offset}, ours ended"
                f" at {end}; starting again there"
            )
            replica.log.truncate_fully_and_start_at(start_offset, now_ms)
            state.restarted_at(start_offset)


def _diverges(data: PartitionData) -> bool:
    """Whether the leader answered that our log diverges from its own."""
    diverging = data.diverging_epoch
    return diverging.epoch != NO_EPOCH or diverging.end_offset != NO_OFFSET
