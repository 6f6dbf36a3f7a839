"""The two passes of a cleaning, compiled (model/lua.py), over many batches per call.

Both process a run of plain batches of a chunk: uncompressed, with producer times, without a delete
horizon. Rare batches (with a tombstone), and those that they cannot fully parse, are left to the
Python passes (storage/cleaning/walk.py, sieve.py), batch by batch:
`tests/storage/test_cleaning_compiled.py` compares both.
"""

from __future__ import annotations

from array import array
from typing import Any, Final

from raftka.model import lua
from raftka.model.record_batch import HEADER_BYTES

ROOM: Final = 1 << 17
"""The maximal number of records per call."""

EMPTY: Final = 0
WHOLE: Final = 1
THINNED: Final = 2

FIELDS: Final = 5
"""The numbers per batch of `Passes.sift`: (EMPTY, WHOLE or THINNED, where the thinned batch begins
in the output, where it ends, the time delta of its first record, the largest one)."""

_SOURCE: Final = b"""
local bswap = bit.bswap
local ints = ffi.typeof("int32_t*")
local longs = ffi.typeof("int64_t*")
local doubles = ffi.typeof("double*")
local written = ffi.typeof("uint8_t*")

-- No read from where a record begins to its key's length reaches further, nor does what is written
-- of it besides its own bytes.
local REACH = 32
local HEADER = 61

local function int32(p, at) return bswap(cast(words, p + at)[0]) end

-- An offset as a double holds it exactly, with all deltas to it; nothing for a larger one.
local function offset(p, at)
  local high, low = int32(p, at), int32(p, at + 4)
  if high < 0 or high > 0xfffff then return end
  if low < 0 then low = low + 4294967296 end
  return high * 4294967296 + low
end

-- Where a record ends, where its key begins and ends (-1 and -1 without a key), its offset delta,
-- its time delta, where that ends; or nothing. All of it lies before `stop`.
local function fields(p, at, stop, safe)
  if at > safe then return end
  local v
  v, at = varint(p, at)
  if v < 0 or band(v, 1) ~= 0 then return end
  local stops = at + rshift(v, 1)
  if stops > stop then return end
  local time, delta
  time, at = signed(p, at + 1)
  if not time then return end
  local behind = at
  delta, at = varint(p, at)
  if delta < 0 or band(delta, 1) ~= 0 then return end
  v, at = varint(p, at)
  if v == 1 then
    if at > stops then return end
    return stops, -1, -1, rshift(delta, 1), time, behind
  end
  if v < 0 or band(v, 1) ~= 0 then return end
  local ends = at + rshift(v, 1)
  if ends >= stops then return end
  return stops, at, ends, rshift(delta, 1), time, behind
end

-- The keys of one batch: (how many are noted by now, the longest), or nothing for a tombstone too.
local function batch_keys(p, at, stop, safe, count, base, starts, ends, offsets, noted, longest)
  local before, largest = -1, int32(p, at - HEADER + 23)
  for _ = 1, count do
    local stops, from, to, delta = fields(p, at, stop, safe)
    if not stops or delta <= before or delta > largest then return end
    before = delta
    if from >= 0 then
      if p[to] == 1 then return end
      starts[noted], ends[noted], offsets[noted] = from, to, base + delta
      noted, longest = noted + 1, max(longest, to - from)
    end
    at = stops
  end
  if at ~= stop then return end
  return noted, longest
end

-- (batches that were read, their keys, the longest one)
local function keys(address, size, at, batches, room, starts_at, ends_at, offsets_at)
  local p, safe = cast(bytes, address), size - REACH
  local starts, ends, offsets = cast(ints, starts_at), cast(ints, ends_at), cast(longs, offsets_at)
  local noted, longest, taken = 0, 0, 0
  while taken < batches do
    local stop, count, base = at + 12 + int32(p, at + 8), int32(p, at + 57), offset(p, at)
    if not base or stop > size or count < 1 or noted + count > room then break end
    local more, long = batch_keys(
      p, at + HEADER, stop, safe, count, base, starts, ends, offsets, noted, longest
    )
    if not more then break end
    noted, longest, taken, at = more, long, taken + 1, stop
  end
  return taken, noted, longest
end

-- The records of a batch at the `wanted` offsets from `first` on, behind each other in `out`: where
-- they end, the time delta of the first, the largest one; or nothing. Times count from the first.
local function thin(p, at, stop, safe, count, base, kept, first, wanted, out, to, room)
  local shift, latest, found, before = 0, 0, 0, -1
  copy(out + to, p + at, HEADER)
  local o = to + HEADER
  at = at + HEADER
  for _ = 1, count do
    local stops, _, _, delta, time, behind = fields(p, at, stop, safe)
    if not stops or delta <= before then return end
    before = delta
    if found < wanted and base + delta == tonumber(kept[first + found]) then
      if o + stops - at + REACH > room then return end
      if found == 0 then shift, latest = time, time end
      latest, found = max(latest, time), found + 1
      if shift == 0 then
        copy(out + o, p + at, stops - at)
        o = o + stops - at
      else
        local v = 2 * (time - shift)
        if v < 0 then v = -1 - v end
        if v >= 0x10000000 then return end
        local length = 1 + (stops - behind)
        if v < 0x80 then length = length + 1
        elseif v < 0x4000 then length = length + 2
        elseif v < 0x200000 then length = length + 3
        else length = length + 4 end
        length = 2 * length
        while length >= 128 do
          out[o] = bor(band(length, 127), 128)
          length, o = rshift(length, 7), o + 1
        end
        out[o] = length
        -- The attributes lie behind the length that was.
        local attributes = at
        while p[attributes] >= 128 do attributes = attributes + 1 end
        out[o + 1] = p[attributes + 1]
        o = o + 2
        while v >= 128 do
          out[o] = bor(band(v, 127), 128)
          v, o = rshift(v, 7), o + 1
        end
        out[o] = v
        copy(out + o + 1, p + behind, stops - behind)
        o = o + 1 + stops - behind
      end
    end
    at = stops
  end
  if at ~= stop or found ~= wanted then return end
  cast(ints, out + to + 8)[0] = bswap(o - to - 12)
  cast(ints, out + to + 57)[0] = bswap(wanted)
  return o, shift, latest
end

-- How many batches were read.
local function sift(address, size, at, batches, kept_at, kept_count, out_at, to, room, results_at)
  local p, safe, out = cast(bytes, address), size - REACH, cast(written, out_at)
  local kept, results = cast(longs, kept_at), cast(doubles, results_at)
  local k = 0
  for taken = 0, batches - 1 do
    local stop, count, base = at + 12 + int32(p, at + 8), int32(p, at + 57), offset(p, at)
    if not base or stop > size or count < 1 then return taken end
    local last = base + int32(p, at + 23)
    while k < kept_count and tonumber(kept[k]) < base do k = k + 1 end
    local first = k
    while k < kept_count and tonumber(kept[k]) <= last do k = k + 1 end
    local wanted, row = k - first, 5 * taken
    if wanted == 0 then
      results[row] = 0
    elseif wanted == count then
      results[row] = 1
    else
      if to + HEADER > room then return taken end
      local o, shift, latest = thin(
        p, at, stop, safe, count, base, kept, first, wanted, out, to, room
      )
      if not o then return taken end
      results[row], results[row + 1], results[row + 2] = 2, to, o
      results[row + 3], results[row + 4] = shift, latest
      to = o
    end
    at = stop
  end
  return batches
end

return keys, sift
"""


class Passes:
    """The compiled passes and their output buffers."""

    __slots__ = ("_cast", "_keys", "_pointer", "_sift", "ends", "offsets", "results", "starts")

    def __init__(self, compiled: Any) -> None:
        from ctypes import c_char_p, c_void_p, cast

        self._cast, self._pointer = cast, (c_char_p, c_void_p)
        self._keys, self._sift = compiled
        self.starts = array("i", bytes(4 * ROOM))
        """The start of each key in the chunk that `keys` has read; `ends` has the ends."""
        self.ends = array("i", bytes(4 * ROOM))
        self.offsets = array("q", bytes(8 * ROOM))
        """The offset of each key's record."""
        self.results = array("d")
        """`FIELDS` numbers for each batch that `sift` has read."""

    def address(self, data: bytes) -> int:
        """The address of `data`, valid while it is referenced."""
        string, void = self._pointer
        found = self._cast(string(data), void).value
        assert found is not None, "bytes have an address"
        return found

    def keys(self, address: int, size: int, at: int, batches: int, room: int) -> tuple[int, ...]:
        """Store the keys of the `batches` from `at` on, at most `room`.

        Returns (batches read, keys in `starts`, `ends` and `offsets`, the longest).
        """
        found: tuple[int, int, int] = self._keys(
            address,
            size,
            at,
            batches,
            min(room, ROOM),
            self.starts.buffer_info()[0],
            self.ends.buffer_info()[0],
            self.offsets.buffer_info()[0],
        )
        return found

    def sift(
        self,
        source: tuple[int, int, int, int],
        kept: array[int],
        span: tuple[int, int],
        out: bytearray,
        to: int,
    ) -> int:
        """Write the remaining records to `out` from `to` on, and to `results`, see `FIELDS`.

        `source` is (address of the chunk, its size, position of the first batch, number of
        batches); `kept` has the remaining offsets, those of these batches in `span`. Returns the
        number of batches read.
        """
        from ctypes import addressof, c_char

        address, size, at, batches = source
        if len(self.results) < FIELDS * batches:
            self.results = array("d", bytes(8 * FIELDS * batches))
        first, end = span
        taken: int = self._sift(
            address,
            size,
            at,
            batches,
            kept.buffer_info()[0] + 8 * first,
            end - first,
            addressof(c_char.from_buffer(out)),
            to,
            len(out),
            self.results.buffer_info()[0],
        )
        return taken


def load() -> Passes | None:
    """The compiled passes; None if this platform does not support them."""
    compiled = lua.load(_SOURCE)
    return None if compiled is None else Passes(compiled)


assert HEADER_BYTES == 61, "the source above counts on it"
