"""CRC-32C from a table, in the place of the package crc32c, which has no wheel for WebAssembly.

The algorithm is that of RFC 3720, section 12.1 and appendix B.4: polynomial 0x1EDC6F41, reflected.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from raftka.model.ports import Buffer

_POLYNOMIAL: Final = 0x82F63B78
_ALL: Final = 0xFFFFFFFF


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ _POLYNOMIAL if byte & 1 else byte >> 1
    return byte


_TABLE: Final = tuple(_entry(byte) for byte in range(256))


def crc32c(data: Buffer, value: int = 0) -> int:
    """The checksum of `data`; `value` is the checksum of the bytes before it."""
    table, register = _TABLE, value ^ _ALL
    for byte in bytes(data):
        register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ _ALL


def module() -> ModuleType:
    """The module that `import crc32c` finds."""
    made = ModuleType("crc32c", __doc__)
    made.__dict__["crc32c"] = crc32c
    return made
