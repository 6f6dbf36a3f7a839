"""The pass over a batch's records, compiled: lengths are added up, nothing is made of them.

Python needs about half a microsecond for a record, which for a batch of 128 KB is as much as the
rest of its work together. LuaJIT, through `lupa`, needs a few hundredths. It is loaded when the
first batch of several records comes, so that a start and an idle node pay nothing; without it
(no wheel for the platform, no memory that may be executed), model/record_check.py does it all.

The function below confirms only what it understands completely, and may return no answer:
record_check.py then checks again and finds the words. It reads memory by address, so every read is
bounded: a varint is read in words of four bytes, and the last bytes of a batch are copied to where
there is room behind them. `tests/model/test_record_check.py` compares it with the slow one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from raftka.model.ports import Buffer

Walk = Callable[[Buffer, int, int], tuple[int, int, bool] | None]
"""(writable buffer, where its records begin, their number) -> (smallest time delta, largest,
whether every record has a key), or None for whatever is not plainly well-formed."""

_SOURCE: Final = b"""
local ffi, bit = require("ffi"), require("bit")
local band, bor, bxor, bnot = bit.band, bit.bor, bit.bxor, bit.bnot
local lshift, rshift = bit.lshift, bit.rshift
local cast, copy, fill, tobit = ffi.cast, ffi.copy, ffi.fill, bit.tobit
local words, bytes = ffi.typeof("const uint32_t*"), ffi.typeof("const uint8_t*")
if not ffi.abi("le") then return nil end

-- No read reaches further than this from where it begins.
local REACH = 16
local tail = ffi.new("uint8_t[?]", 2 * REACH)

-- The last bytes, with zeros behind them, under the positions that they have in the batch.
local function onto_tail(p, at, size)
  fill(tail, 2 * REACH)
  copy(tail, p + at, size - at)
  return tail - at, size
end

-- A varint of two to four bytes without a branch, which traces like: the groups of seven bits up
-- to the first byte without a high bit, pushed together. -1 for a longer one.
local function long_varint(p, at)
  local word = tobit(cast(words, p + at)[0])
  local ends = band(bnot(word), 0x80808080)
  if ends == 0 then return -1, at end
  local first = band(ends, -ends)
  word = band(word, first - 1)
  local value = bor(
    band(word, 0x7f),
    band(rshift(word, 1), 0x3f80),
    band(rshift(word, 2), 0x1fc000),
    band(rshift(word, 3), 0xfe00000)
  )
  local length = band(rshift(first, 7), 1) + band(rshift(first, 14), 2)
    + 3 * band(rshift(first, 23), 1) + band(rshift(first, 29), 4)
  return value, at + length
end

local function varint(p, at)
  local byte = p[at]
  if byte < 128 then return byte, at + 1 end
  return long_varint(p, at)
end

-- A signed varint of up to eight bytes, as a double holds it exactly; nil for a longer one.
local function signed(p, at)
  local value, after = varint(p, at)
  if value >= 0 then return bxor(rshift(value, 1), -band(value, 1)), after end
  local word = tobit(cast(words, p + at)[0])
  local low = bor(
    band(word, 0x7f),
    band(rshift(word, 1), 0x3f80),
    band(rshift(word, 2), 0x1fc000),
    band(rshift(word, 3), 0xfe00000)
  )
  local high
  high, after = varint(p, at + 4)
  if high < 0 or high >= 0x1000000 then return nil, at end
  value = low + high * 0x10000000
  if value % 2 == 0 then return value / 2, after end
  return -(value + 1) / 2, after
end

-- (smallest time delta, largest, whether every record has a key) or nothing. Before each read, `at`
-- lies before the end of its record, hence of the batch.
return function(address, size, count)
  local p, safe = cast(bytes, address), size - REACH
  local at, oldest, newest, keyed = 0, 0x1fffffffffffff, -0x1fffffffffffff, true
  local like_mask, like_word, like_bytes, like_size = 0, 1, 0, 0
  local v
  for index = 0, count - 1 do
    if at >= size then return end
    if at > safe then p, safe = onto_tail(p, at, size) end
    -- A size like the one before is not decoded: where the next record begins then hangs on no
    -- byte of this one, and the processor fetches ahead.
    local word = tobit(cast(words, p + at)[0])
    if band(word, like_mask) == like_word then
      at = at + like_bytes
    else
      local begin = at
      v, at = varint(p, at)
      if band(v, 1) ~= 0 then return end
      like_bytes, like_size = at - begin, rshift(v, 1)
      like_mask = like_bytes == 4 and -1 or lshift(1, 8 * like_bytes) - 1
      like_word = band(word, like_mask)
    end
    local stop = at + like_size
    if stop > size then return end

    at = at + 1
    if at >= stop then return end
    if at > safe then p, safe = onto_tail(p, at, size) end
    v, at = signed(p, at)
    if not v then return end
    if v < oldest then oldest = v end
    if v > newest then newest = v end

    if at >= stop then return end
    if at > safe then p, safe = onto_tail(p, at, size) end
    v, at = varint(p, at)
    if v ~= 2 * index then return end

    if at >= stop then return end
    if at > safe then p, safe = onto_tail(p, at, size) end
    v, at = varint(p, at)
    if band(v, 1) == 0 then at = at + rshift(v, 1) elseif v == 1 then keyed = false else return end

    if at >= stop then return end
    if at > safe then p, safe = onto_tail(p, at, size) end
    v, at = varint(p, at)
    if band(v, 1) == 0 then at = at + rshift(v, 1) elseif v ~= 1 then return end

    if at >= stop then return end
    if at > safe then p, safe = onto_tail(p, at, size) end
    v, at = varint(p, at)
    if v ~= 0 then
      if band(v, 1) ~= 0 then return end
      for _ = 1, rshift(v, 1) do
        if at >= stop then return end
        if at > safe then p, safe = onto_tail(p, at, size) end
        v, at = varint(p, at)
        if band(v, 1) ~= 0 then return end
        at = at + rshift(v, 1)
        if at >= stop then return end
        if at > safe then p, safe = onto_tail(p, at, size) end
        v, at = varint(p, at)
        if band(v, 1) == 0 then at = at + rshift(v, 1) elseif v ~= 1 then return end
      end
    end
    if at ~= stop then return end
    at = stop
  end
  if at ~= size then return end
  return oldest, newest, keyed
end
"""


def load() -> Walk | None:
    """The compiled pass; None where this machine has none."""
    try:
        from ctypes import addressof, c_char

        import lupa.luajit21 as luajit
    except ImportError:
        return None
    try:
        compiled: Any = luajit.LuaRuntime(encoding=None, register_eval=False).execute(_SOURCE)
    except luajit.LuaError:
        return None
    if compiled is None:
        return None
    at_address = c_char.from_buffer

    def walk(batch: Buffer, start: int, count: int) -> tuple[int, int, bool] | None:
        if start >= len(batch):
            return None
        found: tuple[int, int, bool] | None = compiled(
            addressof(at_address(batch, start)), len(batch) - start, count
        )
        return found

    return walk
