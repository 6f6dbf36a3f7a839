"""The pass over a batch's records, compiled: lengths are added up, nothing is made of them.

Python needs about half a microsecond for a record, which for a batch of 128 KB is as much as the
rest of its work together. LuaJIT, through `lupa`, needs a hundredth. It is loaded when the
first batch of several records comes, so that a start and an idle node pay nothing; without it
(no wheel for the platform, no memory that may be executed), model/record_check.py does it all.

The function below confirms only what it understands completely, and may return no answer:
record_check.py then checks again and finds the words. It reads memory by address, so every read is
bounded: a varint is read in words of four bytes, and the last bytes of a batch are copied to where
there is room behind them. `tests/model/test_record_check.py` compares it with the slow one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from raftka.model import lua
from raftka.model.ports import Buffer


class Walk(NamedTuple):
    """The compiled passes over a writable buffer, from where its records begin, of their number."""

    survey: Callable[[Buffer, int, int], tuple[int, int, bool] | None]
    """(smallest time delta, largest, whether every record has a key), or None for whatever is not
    plainly well-formed."""
    newest: Callable[[Buffer, int, int], int]
    """The largest time delta alone; -1 for one below 0 too."""


_WARM: Final = 400

_SOURCE: Final = b"""
local LARGEST = 0x1fffffffffffff

-- No read of any_shape reaches further than this from where it begins.
local REACH = 16
local tail = ffi.new("uint8_t[?]", 2 * REACH)

-- The last bytes, with zeros behind them, under the positions that they have in the batch.
local function onto_tail(p, at, size)
  fill(tail, 2 * REACH)
  copy(tail, p + at, size - at)
  return tail - at, size
end

-- The record at `at`, of any shape: (where it ends, its time delta, 1 if it has no key) or nothing.
-- Before each read, `at` lies before the end of the record, hence of the batch.
local function any_shape(p, at, size, index)
  local safe, keyless, v, time = size - REACH, 0
  if at >= size then return end
  if at > safe then p, safe = onto_tail(p, at, size) end
  v, at = varint(p, at)
  if band(v, 1) ~= 0 then return end
  local stop = at + rshift(v, 1)
  if stop > size then return end

  at = at + 1
  if at >= stop then return end
  if at > safe then p, safe = onto_tail(p, at, size) end
  time, at = signed(p, at)
  if not time then return end

  if at >= stop then return end
  if at > safe then p, safe = onto_tail(p, at, size) end
  v, at = varint(p, at)
  if v ~= 2 * index then return end

  if at >= stop then return end
  if at > safe then p, safe = onto_tail(p, at, size) end
  v, at = varint(p, at)
  if band(v, 1) == 0 then at = at + rshift(v, 1) elseif v == 1 then keyless = 1 else return end

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
  return at, time, keyless
end

-- The records from `index` on, of any shape: (where the last ends, smallest time delta, largest, 1
-- if one has no key) or nothing. A loop of its own: one that is mostly left after its first record
-- would not be compiled.
local function any_shapes(p, at, size, index, count)
  local oldest, newest, keyless = LARGEST, -LARGEST, 0
  for i = index, count - 1 do
    local stop, time, no_key = any_shape(p, at, size, i)
    if not stop then return end
    if time < oldest then oldest = time end
    if time > newest then newest = time end
    at, keyless = stop, bor(keyless, no_key)
  end
  return at, oldest, newest, keyless
end

-- How many bytes a varint has; 10 for more than three.
local function length_of(p, at)
  if p[at] < 128 then return 1 end
  if p[at + 1] < 128 then return 2 end
  if p[at + 2] < 128 then return 3 end
  return 10
end

-- By the length of a varint: its bytes in a word, and their high bits. ODD has the lowest bit too.
local MASK, MORE, ODD = {0xff, 0xffff, 0xffffff}, {0, 0x80, 0x8080}, 0x808081

local function groups(word)
  return bor(band(word, 0x7f), rshift(band(word, 0x7f00), 1), rshift(band(word, 0x7f0000), 2))
end

-- No read of same_shape reaches further than this from where its record begins: fields of at most
-- nine bytes, a key of at most 127, and five more.
local FAR = 160

-- The records from `index` on, as long as their fields have as many bytes as those of the one at
-- `p`, keys are short, time deltas are not negative, and there are no headers: (the first that is
-- otherwise, where it begins, smallest time delta, largest, 1 if one has no key). Nearly all
-- records of nearly all batches are so. All that is compared comes together in one word, since each
-- branch that is taken now and then would be a trace of its own.
local function same_shape(p, last, index, count)
  local safe = last - FAR
  if p > safe then return index end
  count = min(count, 0x100000)  -- Beyond that, offset deltas have four bytes.
  if index >= count then return index end
  local s = length_of(p, 0)
  local t_at = s + 1
  local t = length_of(p, t_at)
  local o_at = t_at + t
  local o = length_of(p, o_at)
  local k_at = o_at + o
  local key = p[k_at]
  if s + t + o > 9 or key > 127 then return index end
  local v = length_of(p, k_at + 1 + rshift(key, 1))
  if v > 3 then return index end
  local s_mask, t_mask, o_mask, v_mask = MASK[s], MASK[t], MASK[o], MASK[v]
  local s_more, t_more, o_more, v_more = MORE[s], MORE[t], MORE[o], MORE[v]
  local beyond = v + 2  -- the value's length, the count of headers, and one for the key's length
  local oldest, newest, keyless, stopped = 0x7fffffff, 0, 0, count
  for i = index, count - 1 do
    if p > safe then stopped = i break end
    local whole = band(cast(words, p)[0], s_mask)
    local stop = p + s + rshift(groups(whole), 1)
    if stop > last then stopped = i break end
    local time = band(cast(words, p + t_at)[0], t_mask)
    local offset = band(cast(words, p + o_at)[0], o_mask)
    key = p[k_at]
    local value_at = p + k_at + rshift(key, 1)
    local value = band(cast(words, value_at + 1)[0], v_mask)
    local double = 2 * i
    local expected = bor(
      band(double, 0x7f), lshift(band(double, 0x3f80), 1), lshift(band(double, 0x1fc000), 2), o_more
    )
    local differs = bor(
      bxor(band(whole, ODD), s_more),
      bxor(band(time, ODD), t_more),
      bxor(offset, expected),
      band(key, bor(arshift(lshift(key, 31), 31), 0x80), -2),  -- 1 (no key), or even and short
      bxor(band(value, ODD), v_more),
      stop[-1]  -- the count of headers
    )
    if differs ~= 0 or value_at + rshift(groups(value), 1) + beyond ~= stop then
      stopped = i
      break
    end
    time = groups(time)
    oldest, newest, keyless = min(oldest, time), max(newest, time), bor(keyless, key)
    p = stop
  end
  return stopped, p, oldest / 2, newest / 2, keyless
end

-- (smallest time delta, largest, whether every record has a key) or nothing.
local function walk(address, size, count)
  if count < 1 then return end
  local first = cast(bytes, address)
  local at, oldest, newest, keyless, index, patience = 0, LARGEST, -LARGEST, 0, 0, 4
  repeat
    local stopped, p, low, high, no_key = same_shape(first + at, first + size, index, count)
    if stopped > index then
      oldest, newest, keyless = min(oldest, low), max(newest, high), bor(keyless, no_key)
      index, at = stopped, tonumber(p - first)
    else
      patience = patience - 1
    end
    if index < count then
      if patience > 0 then
        at, low, no_key = any_shape(first, at, size, index)
        index, high = index + 1, low
      else
        at, low, high, no_key = any_shapes(first, at, size, index, count)
        index = count
      end
      if not at then return end
      oldest, newest, keyless = min(oldest, low), max(newest, high), bor(keyless, no_key)
    end
  until index == count
  if at ~= size then return end
  return oldest, newest, band(keyless, 1) == 0
end

-- The largest time delta alone, -1 for one below 0 and for nothing: each number that goes to Python
-- or comes back costs as much as several records.
local function newest(address, size, count)
  local _, found = walk(address, size, count)
  return found and max(found, -1) or -1
end

return walk, newest
"""


def load() -> Walk | None:
    """The compiled pass; None where this machine has none."""
    try:
        from ctypes import addressof, c_char
    except ImportError:
        return None
    compiled: Any = lua.load(_SOURCE)
    if compiled is None:
        return None
    compiled_walk, compiled_newest = compiled
    at_address = c_char.from_buffer

    def survey(batch: Buffer, start: int, count: int) -> tuple[int, int, bool] | None:
        size = len(batch) - start
        if size <= 0:
            return None
        found: tuple[int, int, bool] | None = compiled_walk(
            addressof(at_address(batch, start)), size, count
        )
        return found

    def newest(batch: Buffer, start: int, count: int) -> int:
        size = len(batch) - start
        if size <= 0:
            return -1
        found: int = compiled_newest(addressof(at_address(batch, start)), size, count)
        return found

    passes = Walk(survey, newest)
    _warm_up(passes)
    return passes


def _warm_up(passes: Walk) -> None:
    """Walk through what is common first.

    What LuaJIT compiles first decides how well all else runs: it should be the loops over many
    records. After many batches of one record with headers it would give these loops up for good.
    """
    for end in (b"\0", b"\4" + b"\x0aindex\2v" * 2):
        data = bytearray()
        for index in range(_WARM):
            body = b"\0\0%b\1\x50%b%b" % (_varint(2 * index), bytes(40), end)
            data += _varint(2 * len(body)) + body
        for _ in range(6):
            passes.newest(data, 0, _WARM)


def _varint(number: int) -> bytes:
    return bytes((number,) if number < 128 else (number & 0x7F | 0x80, number >> 7))
