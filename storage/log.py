"""One partition's log: append, read, find.

Appending is the hot path of the broker: one parse of the header, one CRC, one write, and numbers
kept in memory. Reading plans regions of files; the bytes go from the page cache to the socket
without passing through here.

Offsets: log start offset <= any record's offset < log end offset. The high watermark is the
partition's business and is handed in where it matters. Source of the rules: KIP-98 (format,
idempotence), KIP-101 (epochs), KIP-32 and KIP-33 (time).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from functools import partial
from typing import Final, NamedTuple

from crc32c import crc32c

from model.errors import ErrorCode, KafkaError
from model.ids import NO_TIMESTAMP
from model.record_batch import (
    ATTRIBUTES_AT,
    CONTROL_BIT,
    HEADER,
    LOG_APPEND_TIME,
    BatchHeader,
    iter_batches,
    parse_header,
    place_bytes,
)
from model.world import Buffer, FileRegion
from storage import lookup
from storage.appending import (
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
from storage.log_ends import LogEnds
from storage.segment import MAX_RELATIVE_OFFSET

__all__ = ["AppendInfo", "Log", "Slice"]

_unpack = HEADER.unpack_from
_place = struct.Struct(">qii").pack_into
_PLACE_BYTES: Final = 16

_NO_RECORDS: Final[list[FileRegion | bytes]] = []


class Slice(NamedTuple):
    """Whole batches to send: where they are and how many bytes they have."""

    pieces: list[FileRegion | bytes]
    size: int
    first_offset: int
    """The offset that was asked for; the first batch may begin before it."""


class Log(LogEnds):
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
        segment = self._active
        base = self.log_end_offset
        last_offset = base + delta
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

    # ---- reading

    def read(
        self, offset: int, max_bytes: int, upper_offset: int, *, min_one: bool = True
    ) -> Slice:
        """Where the batches from the one that holds `offset` on are: at most `max_bytes` of them.

        Only whole batches, none that reaches `upper_offset` (a high watermark, or the log's end),
        and of one segment. With `min_one` at least one batch, however large. Raises KafkaError:
        OFFSET_OUT_OF_RANGE outside the log, CORRUPT_MESSAGE where a CRC is wrong.
        """
        if self.failure is not None:
            raise self._refuse()
        if not self.log_start_offset <= offset <= self.log_end_offset:
            raise KafkaError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"Received request for offset {offset} for partition {self.topic_partition}, but "
                f"we only have log segments from offset {self.log_start_offset} up to "
                f"{self.log_end_offset}.",
            )
        if offset >= upper_offset or offset == self.log_end_offset:
            return Slice(_NO_RECORDS, 0, offset)
        recent = self._recent_offsets
        if recent and offset >= recent[0]:
            return self._read_recent(offset, max_bytes, upper_offset, min_one)
        try:
            return self._read_files(offset, max_bytes, upper_offset, min_one)
        except OSError as error:
            raise self._fail(error, "reading") from error

    def _read_recent(self, offset: int, max_bytes: int, upper_offset: int, min_one: bool) -> Slice:
        """Read where the places of all batches are known."""
        offsets, positions = self._recent_offsets, self._recent_positions
        segment = self._active
        slot = bisect_right(offsets, offset) - 1
        start = positions[slot]
        if upper_offset >= self.log_end_offset:
            end = segment.size
        else:
            end = positions[bisect_right(offsets, upper_offset) - 1]
        if end - start > max_bytes:
            fits = bisect_right(positions, start + max_bytes) - 1
            if fits == slot and min_one:
                fits += 1
            end = positions[fits] if fits < len(positions) else segment.size
        if end <= start:
            return Slice(_NO_RECORDS, 0, offset)
        return Slice([FileRegion(segment.file, start, end - start)], end - start, offset)

    def _read_files(self, offset: int, max_bytes: int, upper_offset: int, min_one: bool) -> Slice:
        """Read by index and headers, from the first segment on that has something."""
        for slot in range(self._segment_at(offset), len(self.segments)):
            segment = self.segments[slot]
            start = segment.position_of(offset)
            end = segment.size
            if slot + 1 == len(self.segments):
                if upper_offset < self.log_end_offset:
                    end = segment.position_of(upper_offset)
            elif upper_offset < self.segments[slot + 1].base_offset:
                end = segment.position_of(upper_offset)
            if start == segment.size:
                continue
            if end - start > max_bytes:
                fits = segment.boundary_before(start + max_bytes)
                first = segment.header_at(start)
                if fits <= start and min_one and first is not None:
                    fits = start + first.size
                end = min(end, fits)
            if end <= start:
                break
            if start < segment.unverified_end:
                end = segment.verify(start, end)
            return Slice([FileRegion(segment.file, start, end - start)], end - start, offset)
        return Slice(_NO_RECORDS, 0, offset)

    # ---- finding

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        """(the largest known epoch <= `epoch`, where its records end); (-1, -1) when unknown."""
        return self.epochs.end_offset_for(epoch, self.log_end_offset)

    def offset_for_timestamp(self, timestamp: int) -> tuple[int, int, int] | None:
        """(timestamp, offset, leader epoch) of the first record with a timestamp >= `timestamp`."""
        if self.failure is not None:
            raise self._refuse()
        try:
            return lookup.offset_for_timestamp(self.segments, timestamp, self.log_start_offset)
        except OSError as error:
            raise self._fail(error, "searching") from error

    def max_timestamp_offset(self) -> tuple[int, int, int] | None:
        """(timestamp, offset, leader epoch) of the record with the largest timestamp."""
        if self.failure is not None:
            raise self._refuse()
        try:
            return lookup.max_timestamp_offset(self.segments, self.log_start_offset)
        except OSError as error:
            raise self._fail(error, "searching") from error
