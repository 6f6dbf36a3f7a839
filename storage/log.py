"""One partition's log, and how records get into it.

Appending is the hot path of the broker: one parse of the header, one CRC, one write, and numbers
kept in memory. Everything rare is behind a comparison that is usually false.

Offsets: log start offset <= any record's offset < log end offset. The high watermark is the
partition's business and is handed in where it matters. Source of the rules: KIP-98 (format,
idempotence), KIP-101 (epochs), KIP-32 and KIP-33 (time).
"""

from __future__ import annotations

import struct
from functools import partial
from typing import Final

from crc32c import crc32c

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_TIMESTAMP
from raftka.model.ports import Buffer
from raftka.model.record_batch import (
    ATTRIBUTES_AT,
    CONTROL_BIT,
    HEADER,
    LOG_APPEND_TIME,
    BatchHeader,
    iter_batches,
    parse_header,
    place_bytes,
)
from raftka.storage.appending import (
    NOTHING_APPENDED,
    PLAIN_ATTRIBUTES,
    AppendInfo,
    bad_sequence,
    check_shape,
    convert,
    corrupt,
    is_opaque,
    out_of_range,
)
from raftka.storage.log_reads import LogReads, Slice
from raftka.storage.segment import MAX_RELATIVE_OFFSET

__all__ = ["AppendInfo", "Log", "Slice"]

_unpack = HEADER.unpack_from
_place = struct.Struct(">qii").pack_into
_PLACE_BYTES: Final = 16


class Log(LogReads):
    """Opened by storage/recovery.py. Not safe to use from several threads."""

    @property
    def latest_epoch(self) -> int:
        """The largest leader epoch of any record or leadership here, -1 for none."""
        return self.epochs.latest

    def _set_limits(self, is_index_full: bool) -> None:
        super()._set_limits(is_index_full)
        config = self.config
        self._max_message_bytes = min(config.max_message_bytes, config.segment_bytes)
        self._opaque = is_opaque(config)
        self._time_ahead_ms = config.message_timestamp_after_max_ms
        self._stamps = config.message_timestamp_type == LOG_APPEND_TIME

    # ---- appending

    def append_as_leader(
        self, records: Buffer, leader_epoch: int, now_ms: int, *, from_client: bool = True
    ) -> AppendInfo:
        """Append one batch at the end of the log.

        `records` is patched in place when it is writable; it is never copied unless the topic's
        settings ask for other bytes. Raises KafkaError for a batch that cannot be taken (nothing
        is appended then), LogDirFailure when the disk fails.
        """
        if self.failure is not None:
            raise self._refuse()
        try:
            fields = _unpack(records)
        except struct.error:
            check_shape(records, self._config, self.topic_partition, from_client)
            raise
        size = len(records)
        (base, length, _, magic, crc, attributes, delta, _, max_timestamp, producer_id,
         producer_epoch, base_sequence, count) = fields  # fmt: skip
        if (
            length + 12 != size
            or base
            or magic != 2
            or count != delta + 1
            or count < 1
            or size > self._max_message_bytes
            or size < 61 + 7 * count
            or attributes not in PLAIN_ATTRIBUTES
        ):
            check_shape(records, self._config, self.topic_partition, from_client)
        view = records if type(records) is memoryview else memoryview(records)
        computed = crc32c(view[ATTRIBUTES_AT:])
        if computed != crc:
            raise corrupt(crc, computed, self.topic_partition)
        log_append_time = NO_TIMESTAMP
        if self._opaque:
            if max_timestamp > now_ms + self._time_ahead_ms:
                raise out_of_range(max_timestamp, self.config, now_ms)
        else:
            view = memoryview(convert(view, self._config, self.topic_partition, now_ms))
            size = len(view)
            if self._stamps:
                log_append_time = max_timestamp = now_ms
        if producer_id >= 0:
            if base_sequence < 0 and from_client:
                raise bad_sequence(base_sequence, producer_id)
            earlier = from_client and self.producer_state.check(
                producer_id, producer_epoch, base_sequence, delta, self.topic_partition
            )
            if earlier:
                return AppendInfo(
                    earlier.base_offset, earlier.last_offset, log_append_time,
                    self.log_start_offset, True, 0, 0,
                )  # fmt: skip
        base = self.log_end_offset
        last_offset = base + delta
        self._store(view, size, base, last_offset, max_timestamp, leader_epoch, now_ms)
        if attributes & CONTROL_BIT:
            self.producer_state.replay(parse_header(view), partial(bytes, view))
        elif producer_id >= 0:
            self.producer_state.appended(
                producer_id, producer_epoch, base_sequence, delta, last_offset, max_timestamp,
                attributes,
            )  # fmt: skip
        return AppendInfo(
            base, last_offset, log_append_time, self.log_start_offset, False, size, count
        )

    def _store(
        self,
        view: memoryview,
        size: int,
        base: int,
        last_offset: int,
        max_timestamp: int,
        leader_epoch: int,
        now_ms: int,
    ) -> None:
        """Give an accepted batch its place, and write it there."""
        segment = self._active
        if (
            segment.size + size > self._size_limit
            or max_timestamp > self._roll_timestamp
            or now_ms > self._roll_ms
            or last_offset > self._offset_limit
        ) and not self._has_room(size, last_offset, max_timestamp, now_ms):
            segment = self._roll(base, now_ms)
        if leader_epoch != self.epochs.latest:
            self._begin_epoch(leader_epoch, base)
        position = segment.size
        try:
            if view.readonly:
                head = place_bytes(size, base, leader_epoch)
                segment.file.write((head, view[_PLACE_BYTES:]), position)
            else:
                _place(view, 0, base, size - 12, leader_epoch)
                segment.file.write((view,), position)
            self._note(segment, position, size, base, last_offset, max_timestamp)
        except OSError as error:
            raise self._fail(error, "appending to") from error

    def _begin_epoch(self, epoch: int, start_offset: int) -> None:
        if epoch < self.epochs.latest:
            raise KafkaError(
                ErrorCode.FENCED_LEADER_EPOCH,
                f"An append to {self.topic_partition} in leader epoch {epoch}, but the log has "
                f"records of epoch {self.epochs.latest} already.",
            )
        self.epochs.assign(epoch, start_offset)

    def assign_epoch(self, epoch: int, start_offset: int) -> None:
        """Note that a leader epoch begins at `start_offset` (a new leader: at its log's end)."""
        if self.failure is not None:
            raise self._refuse()
        self.epochs.assign(epoch, start_offset)

    def append_as_follower(self, records: Buffer, now_ms: int = 0) -> AppendInfo:
        """Append whole batches as their leader numbered them; a cut-off last one is left out.

        All or nothing of what is complete. Raises KafkaError: CORRUPT_MESSAGE for a batch whose
        CRC is wrong, INVALID_RECORD for one that would go back behind the end of the log;
        LogDirFailure when the disk fails. A step forward is taken: a compacted leader has gaps.
        """
        if self.failure is not None:
            raise self._refuse()
        batches = list(iter_batches(records))
        if not batches:
            return NOTHING_APPENDED
        first = batches[0][0]
        start = self.log_start_offset
        if self.log_end_offset == start and first.base_offset < start <= first.last_offset:
            # The leader's log begins inside a batch (DeleteRecords); it can only send it whole.
            self.truncate_fully_and_start_at(first.base_offset, now_ms)
        self._check_batches(batches)
        run: list[tuple[BatchHeader, memoryview]] = []
        run_bytes = 0
        for header, view in batches:
            time_ms = header.max_timestamp
            if not self._has_room(
                header.size, header.last_offset, time_ms, now_ms, pending=run_bytes
            ):
                self._write_run(run)
                run, run_bytes = [], 0
                if not self._has_room(header.size, header.last_offset, time_ms, now_ms):
                    # Without a gap between segments, one that lost its end can be told.
                    base, last = self.log_end_offset, header.last_offset
                    is_near = last - base <= MAX_RELATIVE_OFFSET
                    self._roll(base if is_near else header.base_offset, now_ms)
            run.append((header, view))
            run_bytes += header.size
        self._write_run(run)
        self.advance_log_start(start)
        count = sum(header.record_count for header, _ in batches)
        size = sum(header.size for header, _ in batches)
        end = batches[-1][0].last_offset
        return AppendInfo(
            first.base_offset, end, NO_TIMESTAMP, self.log_start_offset, False, size, count
        )

    def _check_batches(self, batches: list[tuple[BatchHeader, memoryview]]) -> None:
        expected = self.log_end_offset
        for header, view in batches:
            computed = crc32c(view[ATTRIBUTES_AT:])
            if computed != header.crc:
                raise corrupt(header.crc, computed, self.topic_partition)
            if header.base_offset < expected or header.last_offset_delta < 0:
                raise KafkaError(
                    ErrorCode.INVALID_RECORD,
                    f"A batch of offsets {header.base_offset} to {header.last_offset} cannot "
                    f"follow the end of {self.topic_partition} at {expected}.",
                )
            expected = header.next_offset

    def _write_run(self, run: list[tuple[BatchHeader, memoryview]]) -> None:
        """Append batches that fit into the active segment, in one write."""
        if not run:
            return
        segment = self._active
        position = segment.size
        try:
            segment.file.write([view for _, view in run], position)
            for header, view in run:
                if header.leader_epoch > self.epochs.latest:
                    self.epochs.assign(header.leader_epoch, header.base_offset)
                if header.base_offset != self.log_end_offset:
                    self._forget_recent()
                self._note(
                    segment, position, header.size, header.base_offset, header.last_offset,
                    header.max_timestamp,
                )  # fmt: skip
                position += header.size
                self.producer_state.replay(header, partial(bytes, view))
        except OSError as error:
            raise self._fail(error, "appending to") from error
