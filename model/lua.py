"""Loads byte loops compiled by LuaJIT, if `lupa` is installed, and their common prelude.

LuaJIT reads memory by address, so every loop must bound its reads itself.
"""

from __future__ import annotations

from typing import Any, Final

_PRELUDE: Final = b"""
local ffi, bit = require("ffi"), require("bit")
local band, bor, bxor, bnot, tobit = bit.band, bit.bor, bit.bxor, bit.bnot, bit.tobit
local lshift, rshift, arshift = bit.lshift, bit.rshift, bit.arshift
local max, min = math.max, math.min
local cast, copy, fill = ffi.cast, ffi.copy, ffi.fill
local words, bytes = ffi.typeof("const int32_t*"), ffi.typeof("const uint8_t*")
debug = nil  -- lupa would look for a traceback to install at each call
if not ffi.abi("le") then return nil end

-- A varint of three or four bytes without a branch: the groups of seven bits up to the first byte
-- without a high bit, pushed together. -1 for a longer one.
local function long_varint(p, at)
  local word = cast(words, p + at)[0]
  local ends = band(bnot(word), 0x80808080)
  if ends == 0 then return -1, at end
  local first = band(ends, bnot(tobit(ends - 1)))
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
  local second = p[at + 1]
  if second < 128 then return band(byte, 0x7f) + lshift(second, 7), at + 2 end
  return long_varint(p, at)
end

-- A signed varint of up to eight bytes, as a double holds it exactly; nil for a longer one. (A
-- minus in front of a whole number that may be 0 would end a compiled trace.)
local function signed(p, at)
  local value, after = varint(p, at)
  if value >= 0 then return bxor(rshift(value, 1), arshift(lshift(value, 31), 31)), after end
  local word = cast(words, p + at)[0]
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
"""
"""Prepended to each source: short names of LuaJIT's functions, and zigzag varints."""


def load(source: bytes) -> Any:
    """The compiled result of `source`; None if this machine has no LuaJIT (no wheel for the
    platform, no executable memory) or is big-endian."""
    try:
        import lupa.luajit21 as luajit
    except ImportError:
        return None
    try:
        runtime: Any = luajit.LuaRuntime(encoding=None, register_eval=False)
        return runtime.execute(_PRELUDE + source)
    except luajit.LuaError:
        return None
