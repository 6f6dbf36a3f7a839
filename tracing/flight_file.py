"""The flight recorder's file: two rings of fixed slots, mapped into memory.

    header   4096 bytes: MAGIC, the sizes, the node's id, a checksum
    events   10,000 slots of 768 bytes: checksum, length, number, JSON
    samples   4,096 slots of 96 bytes: checksum, length, number, JSON

A slot is `number % slots`; the highest number is the newest. Writes are in the page cache at once
and survive the process, however it ends. Each slot has its length and a checksum: readers skip a
slot that was torn by a power loss, or by a kill in the middle of a copy. The file's blocks are
allocated beforehand, because writing to a mapped page without a block kills the process on a full
disk.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final

from raftka.model.crc import crc32c
from raftka.model.named_tuple import NamedTuple

NAME: Final = "flight-recorder"
"""In the directory of the metadata log's log directory (metadata.log.dir)."""
MAGIC: Final = b"RFTKREC1"
HEADER_BYTES: Final = 4096
EVENTS: Final = 10_000
EVENT_BYTES: Final = 768
SAMPLES: Final = 4_096
SAMPLE_BYTES: Final = 96
FILE_BYTES: Final = HEADER_BYTES + EVENTS * EVENT_BYTES + SAMPLES * SAMPLE_BYTES

_HEADER: Final = struct.Struct("<8siIIIII")
_SLOT: Final = struct.Struct("<IIQ")
_CUT_TEXT: Final = 160
_CUT_LIST: Final = 12


class Unreadable(Exception):
    """The file is not a flight recorder's; the message has the reason."""


class Entry(NamedTuple):
    """One slot: its number, ascending over the node's life, and its content."""

    number: int
    content: Any


class Ring(NamedTuple):
    """The position of one of the two rings."""

    offset: int
    slots: int
    size: int
    note: int
    """The position of the note of the newest number, in the header's page."""

    def at(self, number: int) -> int:
        return self.offset + number % self.slots * self.size


RING_OF_EVENTS: Final = Ring(HEADER_BYTES, EVENTS, EVENT_BYTES, 512)
RING_OF_SAMPLES: Final = Ring(HEADER_BYTES + EVENTS * EVENT_BYTES, SAMPLES, SAMPLE_BYTES, 520)


class FlightFile:
    """A recorder's file, open for writing only by its node (which holds the directory's lock)."""

    def __init__(self, path: str, node_id: int) -> None:
        """Continue an earlier process's file, or create it. Raises OSError."""
        header = _header(node_id)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if os.pread(descriptor, len(header), 0) != header:
                os.ftruncate(descriptor, 0)
            os.posix_fallocate(descriptor, 0, FILE_BYTES)
            self._map = mmap.mmap(descriptor, FILE_BYTES)
        finally:
            os.close(descriptor)
        self._map[: len(header)] = header
        self.last_event = self._find_last(RING_OF_EVENTS)
        self._last_sample = self._find_last(RING_OF_SAMPLES)

    def _find_last(self, ring: Ring) -> int:
        """The newest number, from the header's note; by a scan if a power loss left a stale one."""
        number = int.from_bytes(self._map[ring.note : ring.note + 8], "little")
        if number and _entry(self._map, ring, number) is None:
            return max((each.number for each in _entries(self._map, ring)), default=0)
        while (found := _entry(self._map, ring, number + 1)) is not None and found.number > number:
            number = found.number
        return number

    def newest(self, field: str) -> int:
        """That field of the newest event that has it; 0 if there is none."""
        for number in range(self.last_event, max(0, self.last_event - EVENTS), -1):
            found = _entry(self._map, RING_OF_EVENTS, number)
            if found is not None and isinstance(value := found.content.get(field), int):
                return value
        return 0

    @property
    def last_sample(self) -> int:
        """The number of the newest sample; 0 if there is none."""
        return self._last_sample

    def after(self, ring: Ring, number: int, last: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """The JSON of the slots after `number`, up to `last`, oldest first: at least one slot,
        within this many bytes; damaged slots are skipped.
        """
        found: list[tuple[int, bytes]] = []
        for wanted in range(max(number, last - ring.slots, 0) + 1, last + 1):
            if (whole := _whole(self._map, ring, wanted)) is None or whole[0] != wanted:
                continue
            max_bytes -= len(whole[1])
            if found and max_bytes < 0:
                break
            found.append(whole)
        return found

    def event(self, number: int, content: Mapping[str, Any]) -> None:
        """Write an event; long texts and lists are truncated to fit the slot."""
        self._write(RING_OF_EVENTS, number, _fitting(content, EVENT_BYTES - _SLOT.size))

    def sample(self, content: list[Any]) -> None:
        """Write a clock sample; it is dropped if it does not fit."""
        data = _json(content)
        if len(data) <= SAMPLE_BYTES - _SLOT.size:
            self._last_sample += 1
            self._write(RING_OF_SAMPLES, self._last_sample, data)

    def _write(self, ring: Ring, number: int, data: bytes) -> None:
        rest = _SLOT.pack(0, len(data), number)[4:] + data
        at = ring.at(number)
        self._map[at : at + 4 + len(rest)] = crc32c(rest).to_bytes(4, "little") + rest
        self._map[ring.note : ring.note + 8] = number.to_bytes(8, "little")

    def close(self) -> None:
        """Unmap the file; its content stays."""
        self._map.close()


class Recording(NamedTuple):
    """A file's content, oldest first."""

    node_id: int
    events: list[Entry]
    samples: list[Entry]


def read(data: bytes) -> Recording:
    """The content of a file, whose node may run. Raises Unreadable."""
    if len(data) < _HEADER.size + 4 or data[: len(MAGIC)] != MAGIC:
        raise Unreadable("it does not begin as a flight recorder's file does")
    node_id = _HEADER.unpack_from(data)[1]
    header = _header(node_id)
    if data[: len(header)] != header:
        raise Unreadable("its header is damaged, or of another version of raftka")
    rings = (RING_OF_EVENTS, RING_OF_SAMPLES)
    events, samples = (sorted(_entries(data, ring), key=lambda each: each.number) for ring in rings)
    return Recording(node_id, events, samples)


def _header(node_id: int) -> bytes:
    sizes = (EVENTS, EVENT_BYTES, SAMPLES, SAMPLE_BYTES, HEADER_BYTES)
    packed = _HEADER.pack(MAGIC, node_id, *sizes)
    return packed + crc32c(packed).to_bytes(4, "little")


def _entries(data: bytes | mmap.mmap, ring: Ring) -> Iterator[Entry]:
    for slot in range(ring.slots):
        if (found := _entry(data, ring, slot)) is not None:
            yield found


def _entry(data: bytes | mmap.mmap, ring: Ring, number: int) -> Entry | None:
    """The content of this number's slot if it is intact; it may belong to another number."""
    if (whole := _whole(data, ring, number)) is None:
        return None
    return entry_of(*whole)


def entry_of(number: int, content: bytes) -> Entry | None:
    """A slot's content, parsed; None if it is not JSON."""
    try:
        return Entry(number, json.loads(content))
    except (ValueError, RecursionError):
        return None


def _whole(data: bytes | mmap.mmap, ring: Ring, number: int) -> tuple[int, bytes] | None:
    """The number and the JSON in the slot of this number, if its checksum matches."""
    at = ring.at(number)
    slot = data[at : at + ring.size]
    if len(slot) < ring.size:
        return None  # The file was truncated.
    checksum, length, found = _SLOT.unpack_from(slot)
    end = _SLOT.size + length
    if not found or end > ring.size or ring.at(found) != at or crc32c(slot[4:end]) != checksum:
        return None
    return found, slot[_SLOT.size : end]


def _fitting(content: Mapping[str, Any], room: int) -> bytes:
    data = _json(content)
    if len(data) <= room:
        return data
    shorter = {name: _shorter(value) for name, value in content.items()}
    names = sorted(shorter, key=lambda name: -len(_json(shorter[name])))
    while len(data := _json(shorter)) > room:
        del shorter[names.pop(0)]
    return data


def _shorter(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _CUT_TEXT:
        return f"{value[:_CUT_TEXT]} ..."
    if isinstance(value, list) and len(value) > _CUT_LIST:
        return value[:_CUT_LIST]
    return value


def _json(value: Any) -> bytes:
    return json.dumps(value, default=str, separators=(",", ":")).encode()
