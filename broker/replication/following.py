"""Copies one partition from its leader: builds the requests and applies the answers.

No I/O except the replica's own log; broker/replication/leader_fetcher.py sends the requests. A
fetch names the epoch of the follower's last record, so the leader detects at once that the logs
diverge and answers where (KIP-595); no request precedes the first fetch, and nothing is truncated
on suspicion.
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
    """The result of one partition's answer."""

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
        """Do not ask before this time, after a refusal; in monotonic seconds."""
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
        """Whether this replica still follows that leader epoch, by the current metadata."""
        state = self.replica.state
        return (
            self.replica.hosted
            and not state.is_leader
            and state.view.leader_epoch == self.leader_epoch
        )

    def request(self, max_bytes: int) -> FetchPartition:
        """The next request to the leader."""
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
        """Apply the leader's answer for `asked_offset`.

        Raises LogDirFailure if the log cannot be written, KafkaError CORRUPT_MESSAGE or
        INVALID_RECORD for bytes that the leader cannot have had.
        """
        if not self.is_current:
            return Outcome.COPIED
        if data.error_code != ErrorCode.NONE:
            return self._refused(ErrorCode(data.error_code), now_s)
        self._backoff_s = _FIRST_BACKOFF_S
        replica, state, partition_log = self.replica, self.replica.state, self.replica.log
        if asked_offset != partition_log.log_end_offset:
            # The answer is about a log that has changed since: truncating by it would lose records.
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
                # Before the next fetch, which acknowledges the records to the leader.
                partition_log.flush(now_ms)
        self._take_marks(data)
        return Outcome.COPIED

    def heard(self, data: PartitionData) -> None:
        """Apply the leader's offsets in an answer to an earlier request than the last.

        The leader has what was copied since that request, too, so the offsets are valid.
        """
        if self.is_current and data.error_code == ErrorCode.NONE and not _diverges(data):
            self._take_marks(data)

    def _take_marks(self, data: PartitionData) -> None:
        """Adopt the leader's high watermark and log start offset."""
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
        # Leader and follower learn of an election at different times: retry quickly at first.
        return self.back_off(now_s)

    def back_off(self, now_s: float) -> Outcome:
        """The leader or the connection fails: increase the delay with each attempt."""
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
        # Even without records: this drops an epoch in which this replica led and wrote nothing.
        replica.log.truncate_to(min(offset, end))
        state.truncated(replica.log.log_end_offset)

    def found(self, start_offset: int, end_offset: int, now_ms: int) -> None:
        """Apply the leader's log range, after this follower's offset was out of it.

        Below the leader's start, retention has deleted the next records: restart the log there.
        Above its end, an unclean election has lost our records: truncate them.
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
    """Whether the leader answered that the follower's log diverges from its own."""
    diverging = data.diverging_epoch
    return diverging.epoch != NO_EPOCH or diverging.end_offset != NO_OFFSET
