"""Reading a log: plans of which regions of which files to send, and finding offsets.

Nothing is copied here: the bytes go from the page cache to the socket. What the end of the log
holds is found by the places that appending noted; the rest by index and headers.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, NamedTuple

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import FileRegion
from raftka.storage import lookup
from raftka.storage.log_ends import LogEnds
from raftka.storage.segment import Segment

_NO_RECORDS: Final[list[FileRegion | bytes]] = []


class Slice(NamedTuple):
    """Whole batches to send: where they are and how many bytes they have."""

    pieces: list[FileRegion | bytes]
    size: int
    first_offset: int
    """The offset that was asked for; the first batch may begin before it."""


class LogReads(LogEnds):
    """Answers fetches, and questions for epochs and times."""

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
                if fits <= start and min_one:
                    first = segment.header_at(start)
                    fits = start if first is None else start + first.size
                end = min(end, fits)
            if end <= start:
                break
            if start < segment.unverified_end:
                end = self._verify(segment, start, end)
            return Slice([FileRegion(segment.file, start, end - start)], end - start, offset)
        return Slice(_NO_RECORDS, 0, offset)

    def _verify(self, segment: Segment, start: int, end: int) -> int:
        """Where the intact batches end; what is found corrupt is told, and raised."""
        try:
            return segment.verify(start, end)
        except KafkaError as error:
            if self._owner is not None:
                self._owner.corruption_found(self, error.message)
            raise

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
