"""Prints the indexes of a segment as text, and compares them with the log.

Apache Kafka preallocates an index with zeros and truncates it at a clean shutdown, so a file may
end with empty entries: the first entry after the first one with the base offset ends the index.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from raftka.model.errors import KafkaError
from raftka.model.ports import Disk, File, read_file
from raftka.storage.dump_entries import DumpOptions, Entry, Findings, read_entries
from raftka.storage.index import OffsetIndex, TimeIndex

_NOWHERE: Final = "none"
"""Printed for an offset without an entry in the log."""


def is_number(stem: str) -> bool:
    """Whether a file's name starts with a segment's base offset."""
    return stem.isascii() and stem.isdigit()


def offset_index_lines(
    disk: Disk, path: str, base_offset: int, options: DumpOptions, findings: Findings
) -> Iterator[str]:
    """The entries of an offset index; those that do not point to their batch are findings."""
    data = read_file(disk, path)
    entries = _entries(OffsetIndex.ENTRY, data)
    if not entries:
        yield f"{path} is empty."
        return
    if options.sanity_check:
        full, last = options.full(path), base_offset + entries[-1][0]
        if last < base_offset:
            findings.fail(
                f"Corrupt index found, index file {full} has non-zero size but the last offset is "
                f"{last} which is less than the base offset {base_offset}"
            )
        elif len(data) % OffsetIndex.ENTRY.size:
            findings.fail(_odd_size("Index file", full, data, OffsetIndex.ENTRY))
        else:
            yield f"{path} passed sanity check."
        return
    mismatches: dict[int, str] = {}
    log = _open_log_of(disk, path)
    try:
        for number, (key, position) in enumerate(entries):
            offset = base_offset + key
            if number and offset == base_offset:
                break
            found = str(offset) if log is None else _last_offset_at(log, position)
            if found != str(offset):
                mismatches[offset] = found
                findings.failed |= found == _NOWHERE
            if not options.verify_only:
                yield f"offset: {offset} position: {position}"
    finally:
        if log is not None:
            log.close()
    if mismatches:
        findings.lines.append(f"Mismatches in :{options.full(path)}")
        findings.lines += [
            f"  Index offset: {offset}, log offset: {mismatches[offset]}"
            for offset in reversed(mismatches)
        ]


def time_index_lines(
    disk: Disk, path: str, base_offset: int, options: DumpOptions, findings: Findings
) -> Iterator[str]:
    """The entries of a time index; those that contradict the log or decrease are findings."""
    data = read_file(disk, path)
    entries = _entries(TimeIndex.ENTRY, data)
    if options.sanity_check:
        problem = _time_index_problem(options.full(path), data, entries, base_offset)
        if problem:
            findings.fail(problem)
        else:
            yield f"{path} passed sanity check."
        return
    log = _open_log_of(disk, path)
    check = _TimeCheck(path, log, _positions(disk, path, base_offset))
    try:
        for number, (timestamp, value) in enumerate(entries):
            offset = base_offset + value
            if number and offset == base_offset:
                break
            try:
                check.add(timestamp, offset)
            except KafkaError as error:
                findings.fail(error.message)
            if not options.verify_only:
                yield f"timestamp: {timestamp} offset: {offset}"
    finally:
        if log is not None:
            log.close()
    findings.lines += check.lines(options.full(path))


class _TimeCheck:
    """Compares the entries of a time index with the log, one after the other."""

    def __init__(self, path: str, log: File | None, positions: list[tuple[int, int]]) -> None:
        self._path = path
        self._log = log
        self._positions = positions
        self._previous = -1
        self._mismatches: list[str] = []
        self._out_of_order: list[str] = []
        self._not_found: list[str] = []

    def add(self, timestamp: int, offset: int) -> None:
        """Check the next entry. Raises KafkaError if the log is unreadable there."""
        previous, self._previous = self._previous, timestamp
        if self._log is not None:
            entry = self._find(self._log, offset)
            found = -1 if entry is None else entry.last_offset
            if entry is None or found != offset:
                self._not_found.append(f"Indexed offset: {offset}, found log offset: {found}")
                return
            largest = entry.max_timestamp()
            if largest != timestamp:
                self._mismatches.append(f"  Index timestamp: {timestamp}, log timestamp: {largest}")
        if previous >= timestamp:
            self._out_of_order.append(
                f"  Index timestamp: {timestamp}, Previously indexed timestamp: {previous}"
            )

    def _find(self, log: File, offset: int) -> Entry | None:
        """The first entry of the log that ends at `offset` or later."""
        slot = bisect_right(self._positions, offset, key=lambda entry: entry[0])
        start = self._positions[slot - 1][1] if slot else 0
        for entry in read_entries(log, self._path, log.size(), max(0, start)):
            if entry.last_offset >= offset:
                return entry
        return None

    def lines(self, full: str) -> list[str]:
        """The findings, by type."""
        kinds = {
            f"Found timestamp mismatch in :{full}": self._mismatches,
            f"Found out of order timestamp in :{full}": self._out_of_order,
            f"The following indexed offsets are not found in :{full}": self._not_found,
        }
        return [line for title, told in kinds.items() if told for line in (title, *told)]


def _time_index_problem(
    full: str, data: bytes, entries: list[tuple[int, int]], base_offset: int
) -> str:
    """Why Apache Kafka would rebuild this time index when it starts; empty if it would not.

    Unlike in an offset index, zeros at the end are a reason: they are a time before the first.
    """
    if entries:
        (first, _), (last, value) = entries[0], entries[-1]
        begin = f"Corrupt time index found, time index file ({full}) has non-zero size but the last"
        if last < first:
            return f"{begin} timestamp is {last} which is less than the first timestamp {first}"
        if value < 0:
            return (
                f"{begin} offset is {base_offset + value} which is less than the first offset "
                f"{base_offset}"
            )
    if len(data) % TimeIndex.ENTRY.size:
        return _odd_size("Time index file", full, data, TimeIndex.ENTRY)
    return ""


def _odd_size(kind: str, full: str, data: bytes, entry: struct.Struct) -> str:
    return (
        f"{kind} {full} is corrupt, found {len(data)} bytes which is neither positive nor a "
        f"multiple of {entry.size}"
    )


def _entries(entry: struct.Struct, data: bytes) -> list[tuple[int, int]]:
    """The complete entries of a file, which may end within one."""
    whole = len(data) - len(data) % entry.size
    return [(key, value) for key, value in entry.iter_unpack(data[:whole])]


def _positions(disk: Disk, path: str, base_offset: int) -> list[tuple[int, int]]:
    """(offset, position) of the offset index of the same segment, in order; empty without one."""
    beside = path.rpartition(".")[0] + ".index"
    if not disk.exists(beside):
        return []
    entries = _entries(OffsetIndex.ENTRY, read_file(disk, beside))
    return sorted((base_offset + key, position) for key, position in entries if key)


def _open_log_of(disk: Disk, path: str) -> File | None:
    log_path = path.rpartition(".")[0] + ".log"
    return disk.open(log_path) if disk.exists(log_path) else None


def _last_offset_at(log: File, position: int) -> str:
    """The last offset of the entry at a position, as text; "none" if there is no entry."""
    if not 0 <= position < log.size():
        return _NOWHERE
    try:
        entry = next(read_entries(log, "the log", log.size(), position), None)
    except KafkaError:
        return _NOWHERE
    return _NOWHERE if entry is None else str(entry.last_offset)
