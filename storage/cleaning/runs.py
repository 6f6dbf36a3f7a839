"""Runs of plain batches, which nearly all are: a cleaning processes each chunk in one compiled
call.

Neither pass has rules of its own: its results equal those of storage/cleaning/walk.py and sieve.py
for each batch, and those process the batches that it skips.
"""

from __future__ import annotations

import struct
from array import array
from functools import cache
from itertools import compress, repeat
from operator import le
from typing import Final, NamedTuple

from raftka.model.crc import crc32c
from raftka.model.record_batch import ATTRIBUTES_AT, CRC_AT, TRANSACTIONAL_BIT, BatchHeader
from raftka.storage.cleaning.chunks import Chunk
from raftka.storage.cleaning.compiled import EMPTY, FIELDS, ROOM, THINNED, Passes, load
from raftka.storage.cleaning.offset_map import SHORT, OffsetMap, fingerprint
from raftka.storage.cleaning.transactions import TransactionsPassed

WORTH_BYTES: Final = 4 << 20
"""Below this size a cleaning ends before the compiled passes are loaded."""

_NOT_PLAIN: Final = ~TRANSACTIONAL_BIT
_TIMES_AT: Final = 27
_TIMES: Final = struct.Struct(">qq")
_CRC: Final = struct.Struct(">I")
_NO_OFFSET: Final = -1
_LEAST_REACH: Final = 16

Bytes = bytes | bytearray | memoryview


class Kept(NamedTuple):
    """The rest of a batch after cleaning."""

    header: BatchHeader
    """The original header."""
    rest: Bytes | None
    """None if at most the header stays."""
    latest: int
    """The largest time of the remaining records, in ms."""


@cache
def _passes() -> Passes | None:
    return load()


def runs_for(size: int) -> Runs | None:
    """The compiled passes for a cleaning of `size` bytes, if available and worth it."""
    if size < WORTH_BYTES:
        return None
    passes = _passes()
    return None if passes is None else Runs(passes)


class Runs:
    """Processes the runs of one chunk after another."""

    __slots__ = ("_address", "_chunk", "_out", "_passes", "_reach", "_used")

    def __init__(self, passes: Passes) -> None:
        self._passes = passes
        self._chunk = Chunk(b"", [], 0)
        self._address = 0
        self._out = bytearray()
        self._used = 0
        self._reach = _LEAST_REACH

    def turn_to(self, chunk: Chunk) -> None:
        """Process the batches of this chunk from now on; the previous chunk's output was used."""
        self._chunk = chunk
        self._address = self._passes.address(chunk.data)
        if len(self._out) < 2 * chunk.size:
            self._out = bytearray(2 * chunk.size)
        self._used = 0

    def note_keys(
        self, index: int, at: int, offset_map: OffsetMap, transactions: TransactionsPassed
    ) -> int:
        """Add the keys of batches from the one at `index` on to the map; return the number of
        batches.

        That batch starts at byte `at` of the chunk; all its records are after the first dirty
        offset.
        """
        count = self._plain(index, index + self._reach, transactions)
        offsets = offset_map.offsets
        taken, found = self._read_keys(at, count, offset_map.capacity - len(offsets))
        offsets.update(zip(found, self._passes.offsets[: len(found)], strict=True))
        return taken

    def sift(
        self,
        index: int,
        at: int,
        offset_map: OffsetMap,
        first_dirty_offset: int,
        transactions: TransactionsPassed,
    ) -> list[Kept]:
        """The results for batches from `index` on; none if the batch needs the sieve."""
        batches = self._chunk.batches
        first = batches[index][0]
        if first.last_offset > offset_map.latest:
            return []
        if first.base_offset >= first_dirty_offset:
            return self._sift_known(index, at, offset_map, transactions)
        latest, end = offset_map.latest, index
        for header, _ in batches[index : index + self._reach]:
            if header.base_offset >= first_dirty_offset or header.last_offset > latest:
                break
            end += 1
        count = self._plain(index, end, transactions)
        taken, found = self._read_keys(at, count, ROOM)
        if not taken:
            return []
        offsets = self._passes.offsets[: len(found)]
        newest = map(offset_map.offsets.get, found, repeat(_NO_OFFSET))
        kept = array("q", compress(offsets, map(le, newest, offsets)))
        return self._sift(index, at, taken, kept, (0, len(kept)))

    def _sift_known(
        self, index: int, at: int, offset_map: OffsetMap, transactions: TransactionsPassed
    ) -> list[Kept]:
        """The same for batches whose records are all in the map."""
        batches, latest = self._chunk.batches, offset_map.latest
        tombstones = offset_map.tombstones
        end = index
        for header, _ in batches[index : index + self._reach]:
            if header.last_offset > latest or header.base_offset in tombstones:
                break
            end += 1
        count = self._plain(index, end, transactions)
        if not count:
            return []
        span = offset_map.places_of(
            batches[index][0].base_offset, batches[index + count - 1][0].last_offset
        )
        return self._sift(index, at, count, offset_map.survivors, span)

    def _plain(self, index: int, end: int, transactions: TransactionsPassed) -> int:
        """The number of plain, committed batches from `index` on, before `end`."""
        count = 0
        for header, _ in self._chunk.batches[index:end]:
            if header.attributes & _NOT_PLAIN or not transactions.are_committed(header):
                break
            count += 1
        return count

    def _read_keys(self, at: int, count: int, room: int) -> tuple[int, list[bytes]]:
        """(batches read out of `count`, their keys, with offsets in the passes)"""
        if not count or room <= 0:
            return 0, []
        passes, data = self._passes, self._chunk.data
        taken, found, longest = passes.keys(self._address, len(data), at, count, room)
        self._note_reach(taken, count)
        keys = [
            data[start:end]
            for start, end in zip(passes.starts[:found], passes.ends[:found], strict=True)
        ]
        if longest >= SHORT:
            keys = list(map(fingerprint, keys))
        return taken, keys

    def _sift(
        self, index: int, at: int, count: int, kept: array[int], span: tuple[int, int]
    ) -> list[Kept]:
        """The results for `count` batches if the offsets in that span of `kept` stay."""
        passes, out = self._passes, self._out
        source = (self._address, len(self._chunk.data), at, count)
        taken = passes.sift(source, kept, span, out, self._used)
        self._note_reach(taken, count)
        end = FIELDS * taken
        columns = [map(int, passes.results[field:end:FIELDS]) for field in range(FIELDS)]
        view = memoryview(out)
        found = []
        for (header, batch), kind, start, stop, shift, delta in zip(
            self._chunk.batches[index : index + taken], *columns, strict=True
        ):
            if kind == THINNED:
                base = header.base_timestamp
                latest = base + delta
                _TIMES.pack_into(out, start + _TIMES_AT, base + shift, latest)
                _CRC.pack_into(out, start + CRC_AT, crc32c(view[start + ATTRIBUTES_AT : stop]))
                found.append(Kept(header, view[start:stop], latest))
                self._used = stop
            elif kind == EMPTY:
                found.append(Kept(header, None, header.max_timestamp))
            else:
                found.append(Kept(header, batch, header.max_timestamp))
        return found

    def _note_reach(self, taken: int, count: int) -> None:
        """Limit the lookahead to the length of recent runs: it is wasted after the end of a run."""
        self._reach = max(_LEAST_REACH, 2 * (self._reach if taken == count else taken))
