"""The compiled pass over a batch's records: adds up lengths, without creating objects.

Python needs about half a microsecond per record, which for a batch of 128 KB is as much as all
other work. LuaJIT, through `lupa`, needs a hundredth of that. It is loaded with the first batch of
several records, so that it costs nothing at the start and on an idle node; without it (no wheel for
the platform, no executable memory, another layout of memoryviews), model/record_check.py checks
everything.

The function below only accepts records that it fully understands, and may return no result:
record_check.py then checks again and produces the error. It reads memory by address, so every read
is bounded: a varint is read in words of four bytes, and the last bytes of a batch are copied to a
buffer with room after them. `tests/model/test_record_check.py` compares it with the slow one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from raftka.model import lua
from raftka.model.record_batch import HEADER_BYTES, RECORD_COUNT_AT


class Walk(NamedTuple):
    """The compiled passes. Each takes the id of a memoryview, which is the object's address: the
    caller keeps the view alive, so that its bytes stay in place."""

    survey: Callable[[int, int, int], tuple[int, int, bool] | None]
    """(smallest time delta, largest, whether every record has a key) of `count` records from a
    position on; None unless they are clearly well-formed."""
    newest: Callable[[int], int]
    """The largest time delta of a whole batch; -1 if it is below 0 too."""


_WARM: Final = 400
_FEW: Final = 16

_SOURCE: Final = b"""
local bswap, pointers = bit.bswap, ffi.typeof("const uint8_t* const*")

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

-- The records from `index` on that begin at `at`, as long as their fields have as many bytes as
-- those of the first, keys are short, time deltas are not negative, and there are no headers: (the
-- first that is otherwise, where it begins, twice the smallest time delta, twice the largest, 1 if
-- one has no key). Nearly all records of nearly all batches are so. All that is compared comes
-- together in one word, since each branch that is taken now and then would be a trace of its own.
-- Positions are numbers: a pointer that changes would be an object at each way into the loop.
local function same_shape(p, at, size, index, count)
  local oldest, newest, keyless = 0x7fffffff, 0, 0
  if at + REACH > size then return index, at, oldest, newest, keyless end
  local s = length_of(p, at)
  local t_at = s + 1
  local t = length_of(p, at + t_at)
  local o_at = t_at + t
  if s + t > 6 then return index, at, oldest, newest, keyless end
  local o = length_of(p, at + o_at)
  local k_at = o_at + o
  if o > 3 or at + k_at >= size then return index, at, oldest, newest, keyless end
  local v_at = at + k_at + 1 + rshift(p[at + k_at], 1)
  if v_at + 4 > size then return index, at, oldest, newest, keyless end
  local v = length_of(p, v_at)
  if v > 3 then return index, at, oldest, newest, keyless end
  local s_mask, t_mask, o_mask, v_mask = MASK[s], MASK[t], MASK[o], MASK[v]
  local s_more, t_more, o_more, v_more = MORE[s], MORE[t], MORE[o], MORE[v]
  -- A record has at least so many bytes, so that what is before its value is read within it.
  local least = size - (k_at + v + 2)
  local beyond = v + 2  -- the value's length, the count of headers, and one for the key's length
  local stopped = count
  for i = index, count - 1 do
    if at > least then stopped = i break end
    local whole = band(cast(words, p + at)[0], s_mask)
    local stop = at + s + rshift(groups(whole), 1)
    local key = p[at + k_at]
    local value_at = at + k_at + rshift(key, 1)
    if stop > size or value_at + 5 > size then stopped = i break end
    local time = band(cast(words, p + (at + t_at))[0], t_mask)
    local offset = band(cast(words, p + (at + o_at))[0], o_mask)
    local value = band(cast(words, p + (value_at + 1))[0], v_mask)
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
      bxor(value_at + rshift(groups(value), 1) + beyond, stop)
    )
    if differs ~= 0 or p[stop - 1] ~= 0 then stopped = i break end  -- the count of headers
    time = groups(time)
    oldest, newest, keyless = min(oldest, time), max(newest, time), bor(keyless, key)
    at = stop
  end
  return stopped, at, oldest, newest, keyless
end

-- The records from `index` on, which must fill the batch: (smallest time delta, largest, 1 if one
-- has no key) or nothing.
local function walk_on(p, at, size, index, count)
  local oldest, newest, keyless, patience = LARGEST, -LARGEST, 0, 4
  repeat
    -- Beyond 2^20, offset deltas have four bytes.
    local stopped, after, low, high, no_key =
      same_shape(p, at, size, index, max(index, min(count, 0x100000)))
    if stopped > index then
      oldest, newest, keyless = min(oldest, low / 2), max(newest, high / 2), bor(keyless, no_key)
      index, at = stopped, after
    else
      patience = patience - 1
    end
    if index < count then
      if patience > 0 then
        at, low, no_key = any_shape(p, at, size, index)
        index, high = index + 1, low
      else
        at, low, high, no_key = any_shapes(p, at, size, index, count)
        index = count
      end
      if not at then return end
      oldest, newest, keyless = min(oldest, low), max(newest, high), bor(keyless, no_key)
    end
  until index == count
  if at ~= size then return end
  return oldest, newest, keyless
end

-- A memoryview's bytes, and how many they are.
local function bytes_of(view)
  local object = cast(bytes, view)
  return cast(pointers, object + BUFFER_AT)[0], cast(words, object + SIZE_AT)[0]
end

-- (smallest time delta, largest, whether every record has a key) or nothing, of `count` records
-- from `start` on.
local function survey(view, start, count)
  local p, size = bytes_of(view)
  if count < 1 or size < start then return end
  local oldest, newest, keyless = walk_on(p, start, size, 0, count)
  if not oldest then return end
  return oldest, newest, band(keyless, 1) == 0
end

-- The largest time delta alone of a batch, -1 for one below 0 and for nothing: each number that
-- goes to Python or comes back costs as much as several records. Offset deltas have one byte up to
-- 64, and two up to 8192. No loop but that of same_shape: so all of it is one compiled trace.
local function newest(view)
  local p, size = bytes_of(view)
  if size < HEADER then return -1 end
  local count = bswap(cast(words, p + COUNT_AT)[0])
  if count < 1 then return -1 end
  local index, at, _, found = same_shape(p, HEADER, size, 0, min(count, 64))
  if index == 64 and count > 64 then
    local _, more
    index, at, _, more = same_shape(p, at, size, 64, min(count, 8192))
    found = max(found, more)
  end
  found = rshift(found, 1)
  if index == count then
    if at ~= size then return -1 end
    return found
  end
  local _, more = walk_on(p, at, size, index, count)
  if not more then return -1 end
  if index == 0 then found = -1 end
  found = max(found, more)
  return found
end

return survey, newest
"""


def load() -> Walk | None:
    """The compiled pass; None if this machine does not support it."""
    places = _places()
    if places is None:
        return None
    known = (*places, HEADER_BYTES, RECORD_COUNT_AT)
    head = b"local BUFFER_AT, SIZE_AT, HEADER, COUNT_AT = %d, %d, %d, %d\n" % known
    compiled: Any = lua.load(head + _SOURCE)
    if compiled is None:
        return None
    passes = Walk(*compiled)
    _warm_up(passes)
    return passes


def _places() -> tuple[int, int] | None:
    """The positions of the address and the size of the bytes in a memoryview object.

    They are detected in three views instead of assumed: on an interpreter with another layout there
    is no compiled pass. Asking ctypes for each batch's address would cost as much as the pass
    itself.
    """
    try:
        from ctypes import addressof, c_char, string_at
    except ImportError:
        return None
    views = [memoryview(bytearray(size))[at:] for size, at in ((40, 0), (900, 7), (70_000, 61))]
    objects = [string_at(id(view), memoryview.__basicsize__) for view in views]
    found = []
    for numbers in ([addressof(c_char.from_buffer(view)) for view in views], map(len, views)):
        words = [struct.pack("=q", number) for number in numbers]
        places = [
            at
            for at in range(0, memoryview.__basicsize__ - 7, 8)
            if all(each[at : at + 8] == word for each, word in zip(objects, words, strict=True))
        ]
        if not places:
            return None
        found.append(places[0])
    return found[0], found[1]


def _warm_up(passes: Walk) -> None:
    """Compile the common paths first.

    The traces that LuaJIT compiles first determine its later speed: they should be the loops over
    many records. After many single-record batches with headers it would never compile these loops.
    """
    for end in (b"\0", b"\4" + b"\x0aindex\2v" * 2):
        for count, times in ((_WARM, 6), (_FEW, 400)):
            data = bytearray(HEADER_BYTES)
            data[RECORD_COUNT_AT:] = struct.pack(">i", count)
            for index in range(count):
                body = b"\0\0%b\1\x50%b%b" % (_varint(2 * index), bytes(40), end)
                data += _varint(2 * len(body)) + body
            view = memoryview(data)
            for _ in range(times):
                passes.newest(id(view))


def _varint(number: int) -> bytes:
    return bytes((number,) if number < 128 else (number & 0x7F | 0x80, number >> 7))
