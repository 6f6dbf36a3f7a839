"""Reads a log: finds the file regions to send, and records by time.

Nothing is copied: the bytes go from the page cache to the socket. Batches at the end of the log are
found by the positions that appending has recorded, others by index and headers.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.named_tuple import NamedTuple
from raftka.model.ports import FileRegion
from raftka.storage import lookup
from raftka.storage.bounds import Bounds
from raftka.storage.health import Health
from raftka.storage.index import IndexDisagrees
from raftka.storage.segment import Segment
from raftka.storage.segments import Segments
from raftka.storage.tail import Tail
from raftka.storage.transaction_index import AbortedTransaction

_PLENTY: Final = 1 << 62
_NO_RECORDS: Final[list[FileRegion | bytes]] = []


class Slice(NamedTuple):
    """Whole batches to send: their region of a file."""

    pieces: list[FileRegion | bytes]
    size: int
    first_offset: int
    """The requested offset; the first batch may begin before it."""
    available: int
    """The size of all batches before the upper offset, whether they fit or not. Larger than any
    fetch if the log continues in the next segment: a read ends with its segment."""


class LogReader:
    """Reads one log."""

    __slots__ = ("_bounds", "_health", "_segments", "_tail")

    def __init__(self, bounds: Bounds, segments: Segments, tail: Tail, health: Health) -> None:
        self._bounds = bounds
        self._segments = segments
        self._tail = tail
        self._health = health

    def read(
        self, offset: int, max_bytes: int, upper_offset: int, *, min_one: bool = True
    ) -> Slice:
        """The region of the batches from the one with `offset` on: at most `max_bytes`.

        Only whole batches, none that reaches `upper_offset` (a high watermark, or the log's end),
        and of one segment. With `min_one` at least one batch, however large. Raises KafkaError:
        OFFSET_OUT_OF_RANGE outside the log, CORRUPT_MESSAGE for a wrong CRC; LogDirFailure.
        """
        if self._health.failure is not None:
            raise self._health.refusal()
        bounds = self._bounds
        if not bounds.start <= offset <= bounds.end:
            raise KafkaError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"Received request for offset {offset} for partition "
                f"{self._health.topic_partition}, but we only have log segments from offset "
                f"{bounds.start} up to {bounds.end}.",
            )
        if offset >= upper_offset or offset == bounds.end:
            return Slice(_NO_RECORDS, 0, offset, 0)
        upper = upper_offset if upper_offset < bounds.end else None
        tail = self._tail
        places = tail.offsets
        if places and offset >= places[0]:
            start, end, last_end = tail.range_from(offset, max_bytes, upper, min_one)
            if end <= start:
                return Slice(_NO_RECORDS, 0, offset, last_end - start)
            region = FileRegion(tail.segment.file, start, end - start)
            return Slice([region], end - start, offset, last_end - start)
        try:
            return self._read_files(offset, max_bytes, min(upper_offset, bounds.end), min_one)
        except OSError as error:
            raise self._health.fail(error, "reading") from error

    def _read_files(self, offset: int, max_bytes: int, upper_offset: int, min_one: bool) -> Slice:
        """Read by index and headers, in the first segment with a batch from `offset` on."""
        segments = self._segments.listed
        for place in range(self._segments.place_of(offset), len(segments)):
            segment = segments[place]
            is_last = place + 1 == len(segments)
            limit = self._bounds.end if is_last else segments[place + 1].base_offset
            start = segment.position_of(offset)
            end = segment.position_of(upper_offset) if upper_offset < limit else segment.size
            if start == segment.size:
                continue
            available = _PLENTY if upper_offset > limit else end - start
            if end - start > max_bytes:
                fits = segment.boundary_before(start + max_bytes)
                if fits <= start and min_one:
                    first = segment.header_at(start)
                    fits = start if first is None else start + first.size
                end = min(end, fits)
            if end <= start:
                return Slice(_NO_RECORDS, 0, offset, available)
            if start < segment.unverified_end:
                end = self._verify(segment, start, end)
            region = FileRegion(segment.file, start, end - start)
            return Slice([region], end - start, offset, available)
        return Slice(_NO_RECORDS, 0, offset, 0)

    def _verify(self, segment: Segment, start: int, end: int) -> int:
        """The end of the intact batches; reports a damaged one to the owner."""
        try:
            return segment.verify(start, end)
        except KafkaError as error:
            owner = self._health.owner
            if owner is not None:
                owner.corruption_found(self._health.topic_partition, error.message)
            raise

    def aborted_transactions(
        self, offset: int, found: Slice, upper_offset: int
    ) -> list[AbortedTransaction]:
        """The aborted transactions that overlap the region found from `offset` on.

        `upper_offset` is that of the read.
        """
        segments = self._segments.listed
        place = self._segments.place_of(offset)
        with self._health.doing("reading indexes of"):
            if not any(segment.transaction_index.entries for segment in segments[place:]):
                return []
            upper = min(upper_offset, self._end_of(found))
            aborted: list[AbortedTransaction] = []
            for segment in segments[place:]:
                some, is_complete = segment.transaction_index.overlapping(offset, upper)
                aborted += some
                if is_complete:
                    break
            return aborted

    def _end_of(self, found: Slice) -> int:
        """An offset at or after the end of the region, as close as an index can tell."""
        region = found.pieces[0]
        assert isinstance(region, FileRegion)
        end, tail = region.offset + region.size, self._tail
        segments = self._segments.listed
        if region.file is tail.segment.file:
            slot = bisect_left(tail.positions, end)
            if 0 < slot < len(tail.positions):
                return tail.offsets[slot]
        for place in range(self._segments.place_of(found.first_offset), len(segments)):
            segment = segments[place]
            if segment.file is region.file:
                is_last = place + 1 == len(segments)
                limit = self._bounds.end if is_last else segments[place + 1].base_offset
                try:
                    return min(limit, segment.offset_index.offset_behind(end))
                except IndexDisagrees:
                    return limit
        return self._bounds.end

    def offset_for_timestamp(self, timestamp: int) -> lookup.Found | None:
        """(timestamp, offset, leader epoch) of the first record with a timestamp >= `timestamp`."""
        with self._health.doing("searching"):
            return lookup.offset_for_timestamp(self._segments, timestamp, self._bounds.start)

    def max_timestamp_offset(self) -> lookup.Found | None:
        """(timestamp, offset, leader epoch) of the first record with the largest timestamp."""
        with self._health.doing("searching"):
            return lookup.max_timestamp_offset(self._segments, self._bounds.start)
