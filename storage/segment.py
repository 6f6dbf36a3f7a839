"""One segment: a file of consecutive batches, with its indexes.

Appending, which has parsed each batch's header already, updates the active segment's state here.
Everything else reads headers from the file: from the nearest index entry on, at most
`index.interval.bytes` and one batch away from the target.

Batches that were not scanned at the start are verified the first time that they are served: a bit
that flipped on the disk never reaches a consumer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final

from raftka.model.crc import crc32c
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_TIMESTAMP
from raftka.model.ports import Disk, File
from raftka.model.record_batch import ATTRIBUTES_AT, HEADER, HEADER_BYTES, MAGIC, BatchHeader
from raftka.storage.index import IndexDisagrees, OffsetIndex, TimeIndex
from raftka.storage.replicated import Replicated
from raftka.storage.spans import Spans
from raftka.storage.transaction_index import SUFFIX, TransactionIndex

MAX_RELATIVE_OFFSET: Final = 2**31 - 1

_READ_AHEAD: Final = 8192
"""Bytes per read when headers are scanned: an index interval, and the start of the next batch."""

_SCAN_BYTES: Final = 1 << 20


def file_name(base_offset: int, suffix: str) -> str:
    """Kafka's name for a file of the segment that begins at `base_offset`."""
    return f"{base_offset:020d}{suffix}"


class Segment:
    """Batches from `base_offset` on. `size` is tracked here instead of asking the file."""

    __slots__ = (
        "_disk",
        "_ending",
        "_verified",
        "base_offset",
        "bytes_since_index",
        "created_ms",
        "directory",
        "file",
        "first_timestamp",
        "index_interval_bytes",
        "max_timestamp",
        "max_timestamp_offset",
        "offset_index",
        "size",
        "time_index",
        "timestamps_known",
        "transaction_index",
        "unverified_end",
        "was_cut",
    )

    def __init__(
        self,
        disk: Disk,
        directory: str,
        base_offset: int,
        *,
        created_ms: int,
        index_interval_bytes: int,
        index_bytes: int,
        create: bool,
        ending: str = "",
    ) -> None:
        """`ending` is the suffix of its files while a cleaning writes them."""
        self._disk = disk
        self._ending = ending
        self.directory = directory
        self.base_offset = base_offset
        self.created_ms = created_ms
        self.index_interval_bytes = index_interval_bytes
        self.bytes_since_index = 0
        self.was_cut = False
        """Whether it was truncated since the last sync."""
        self.first_timestamp: int | None = None
        self.max_timestamp = NO_TIMESTAMP
        self.max_timestamp_offset = base_offset
        self.timestamps_known = create
        self.file: File = disk.open(self.path(".log"), create=create)
        self.size = self.file.size()
        self.unverified_end = self.size
        self._verified = Spans()
        self.transaction_index = TransactionIndex(
            disk, self.path(SUFFIX), base_offset, is_new=create
        )
        self.offset_index = OffsetIndex(disk, self.path(".index"), base_offset, index_bytes)
        self.time_index = TimeIndex(disk, self.path(".timeindex"), base_offset, index_bytes)
        if not create:
            self.offset_index.lazily()
            self.time_index.lazily()

    def path(self, suffix: str) -> str:
        return f"{self.directory}/{file_name(self.base_offset, suffix)}{self._ending}"

    # ---- appending

    def note_batch(self, position: int, size: int, last_offset: int, max_timestamp: int) -> bool:
        """Account for a batch at `position`: timestamps, and an index entry if one is due.

        Return whether an index is full now: then the segment should get no further batch.
        """
        filled = False
        if max_timestamp > self.max_timestamp:
            self.max_timestamp = max_timestamp
            self.max_timestamp_offset = last_offset
        if self.first_timestamp is None:
            self.first_timestamp = max_timestamp
        if self.bytes_since_index > self.index_interval_bytes:
            self.offset_index.append(last_offset, position)
            self.time_index.maybe_append(self.max_timestamp, self.max_timestamp_offset)
            self.bytes_since_index = 0
            filled = self.is_index_full
        self.bytes_since_index += size
        return filled

    def note_run(self, position: int, run: Sequence[Replicated]) -> bool:
        """The same for each of these consecutive batches, from `position` on."""
        filled = False
        if self.first_timestamp is None:
            self.first_timestamp = run[0][0][8]
        for header, size, _ in run:
            last_offset, timestamp = header[0] + header[6], header[8]
            if timestamp > self.max_timestamp:
                self.max_timestamp = timestamp
                self.max_timestamp_offset = last_offset
            if self.bytes_since_index > self.index_interval_bytes:
                self.offset_index.append(last_offset, position)
                self.time_index.maybe_append(self.max_timestamp, self.max_timestamp_offset)
                self.bytes_since_index = 0
                filled = self.is_index_full
            self.bytes_since_index += size
            position += size
        return filled

    def finish(self) -> None:
        """Write the index files; the last time entry has the largest timestamp."""
        if self.size and self.timestamps_known:
            self.time_index.need()
            self.time_index.maybe_append(self.max_timestamp, self.max_timestamp_offset)
        self.make_indexes()

    def make_indexes(self) -> None:
        """Create the index files: a segment has them as soon as it has a batch."""
        self.offset_index.write()
        self.time_index.write()

    @property
    def is_index_full(self) -> bool:
        return self.offset_index.is_full or self.time_index.is_full

    # ---- reading

    def headers(
        self, position: int = 0, end: int | None = None
    ) -> Iterator[tuple[int, BatchHeader]]:
        """(position, header) of the complete batches from a batch's `position` on.

        Stops at the first batch whose length exceeds `end` (default: the segment's end) or is too
        small; the CRC is not checked.
        """
        limit = self.size if end is None else end
        chunk = b""
        chunk_at = position
        while position + HEADER_BYTES <= limit:
            at = position - chunk_at
            if at + HEADER_BYTES > len(chunk):
                chunk = self.file.read(min(_READ_AHEAD, limit - position), position)
                chunk_at, at = position, 0
                if len(chunk) < HEADER_BYTES:
                    return
            header = BatchHeader._make(HEADER.unpack_from(chunk, at))
            size = header.size
            if size < HEADER_BYTES or position + size > limit or header.magic != MAGIC:
                return
            yield position, header
            position += size

    def position_of(self, offset: int) -> int:
        """The position of the first batch that reaches `offset` or beyond; else the size."""
        if offset <= self.base_offset:
            return 0
        for position, header in self._headers_near(lambda: self.offset_index.lookup(offset)):
            if header.last_offset >= offset:
                return position
        return self.size

    def boundary_before(self, position: int) -> int:
        """The largest start of a batch that is <= `position`; the size if that is smaller."""
        if position >= self.size:
            return self.size
        near = self._headers_near(lambda: self.offset_index.lookup_position(position))
        for start, header in near:
            if start + header.size > position:
                return start
        return self.size

    def _headers_near(
        self, lookup: Callable[[], tuple[int, int]]
    ) -> Iterator[tuple[int, BatchHeader]]:
        """`headers` from the offset index's position on, if that agrees with the log."""
        try:
            last_offset, position = lookup()
            walk = self.headers(position)
            if position == 0:
                return walk
            first = next(walk, None)
            if first is not None and first[1].last_offset == last_offset:
                return chain((first,), walk)
        except IndexDisagrees:
            pass  # Treated like a mismatch with the header: the index is rebuilt from the log.
        self.rebuild_indexes()
        return self.headers(lookup()[1])

    def header_at(self, position: int) -> BatchHeader | None:
        """The header of the batch at `position`; None at the end."""
        return next((header for _, header in self.headers(position)), None)

    def next_offset(self) -> int | None:
        """The offset after its last record; None unless it ends with a complete batch."""
        end, at = self.base_offset, 0
        start = self.boundary_before(self.size - 1) if self.size else 0
        for position, header in self.headers(start):
            end, at = header.next_offset, position + header.size
        return end if at == self.size else None

    def batch_at(self, position: int, header: BatchHeader) -> bytes:
        return self.file.read(header.size, position)

    def checked(self, start: int, end: int) -> Iterator[tuple[int, BatchHeader, bool]]:
        """(position, header, whether the CRC is right) of the complete batches in [start, end)."""
        data = memoryview(b"")
        data_at = start
        for position, header in self.headers(start, end):
            at, size = position - data_at, header.size
            if at + size > len(data):
                data = memoryview(
                    self.file.read(min(max(size, _SCAN_BYTES), end - position), position)
                )
                data_at, at = position, 0
            crc = crc32c(data[at + ATTRIBUTES_AT : at + size])
            yield position, header, crc == header.crc and at + size <= len(data)

    def verify(self, start: int, end: int) -> int:
        """The end of the intact batches in [start, end), both starts of batches.

        Raises KafkaError CORRUPT_MESSAGE if the first one is damaged.
        """
        if self._verified.covers(start, min(end, self.unverified_end)):
            return end
        good = start
        for position, header, is_intact in self.checked(start, end):
            if not is_intact:
                break
            good = position + header.size
        if good == start:
            raise KafkaError(
                ErrorCode.CORRUPT_MESSAGE,
                f"{self.file.path} is corrupt at position {start}; what follows is not served.",
            )
        self._verified.add(start, good)
        return good

    def trust(self) -> None:
        """Every batch was just checked: skip the check when they are read."""
        self.unverified_end = 0

    # ---- indexes and truncation

    def rebuild_indexes(self) -> None:
        """Rebuild both indexes and the timestamps from the headers in the log."""
        self.offset_index.reset()
        self.time_index.reset()
        self.bytes_since_index = 0
        self.first_timestamp = None
        self.max_timestamp = NO_TIMESTAMP
        self.max_timestamp_offset = self.base_offset
        self.timestamps_known = True
        for position, header in self.headers():
            self.note_batch(position, header.size, header.last_offset, header.max_timestamp)

    def know_timestamps(self) -> None:
        """Determine the largest timestamp of a segment that was not scanned at the start.

        Both indexes get their entries together: the last time entry has the largest timestamp up to
        the last entry of the offset index, and the batches after that are read.
        """
        if self.timestamps_known:
            return
        self.timestamps_known = True
        first = self.header_at(0)
        self.first_timestamp = None if first is None else first.max_timestamp
        try:
            last = self.time_index.last()
            self.offset_index.need()
            self.offset_index.check(self.size)
            indexed = self.offset_index.values[-1] if self.offset_index.values else 0
            if last is None and indexed and first is not None and first.max_timestamp >= 0:
                raise IndexDisagrees(f"{self.time_index.path} has no entries")
        except IndexDisagrees:
            self.rebuild_indexes()
            return
        if last is not None:
            self.max_timestamp, self.max_timestamp_offset = last
        for _, header in self.headers(indexed):
            if header.max_timestamp > self.max_timestamp:
                self.max_timestamp = header.max_timestamp
                self.max_timestamp_offset = header.last_offset
        self.bytes_since_index = self.size - indexed

    def truncate(self, position: int, offset: int) -> None:
        """Truncate the log at `position`, the start of the batch of `offset`, and the indexes."""
        self.file.truncate(position)
        self.size = position
        self.was_cut = True
        self.unverified_end = min(self.unverified_end, position)
        self._verified = Spans()
        self.transaction_index.truncate_to(offset)
        try:
            self.offset_index.truncate_to(offset)
            self.time_index.truncate_to(offset)
        except IndexDisagrees:
            self.rebuild_indexes()
            return
        self.max_timestamp = NO_TIMESTAMP
        self.max_timestamp_offset = self.base_offset
        self.timestamps_known = False
        self.know_timestamps()

    # ---- durability and the end

    def sync(self, *, with_indexes: bool) -> None:
        """Sync the log and its aborted transactions, and the other indexes of a closed segment."""
        self.was_cut = False
        self.file.sync()
        self.transaction_index.sync()
        if with_indexes:
            self.offset_index.sync()
            self.time_index.sync()

    def mark_deleted(self) -> list[str]:
        """Rename the files to their .deleted names; return the paths to remove later.

        The log file is not closed: regions of it may still be being sent.
        """
        doomed: list[str] = []
        for suffix in (".log", ".index", ".timeindex", ".txnindex"):
            path = self.path(suffix)
            if self._disk.exists(path):
                self._disk.rename(path, path + ".deleted")
                doomed.append(path + ".deleted")
        return doomed

    def close(self) -> None:
        self.finish()
        self.file.close()
