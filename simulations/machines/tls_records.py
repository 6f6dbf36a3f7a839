"""Records of the stand-in for TLS: as long as real ones (RFC 8446, section 5), in cleartext.

`clear` gives their payload to a run's observers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

ALERT: Final = 21
HANDSHAKE: Final = 22
DATA: Final = 23
MOST: Final = 16 * 1024
"""Clear bytes in one record."""
_HEADER: Final = struct.Struct(">BHH")
_TAG: Final = struct.Struct(">QQ")
"""In place of an authentication tag: the record's number in its direction, and a checksum."""
_VERSION: Final = 0x0303
_KINDS: Final = (ALERT, HANDSHAKE, DATA)
_CHECK: Final = 0x5461672E


class MalformedRecord(Exception):
    """Something arrived that is no record; the message is OpenSSL's."""


class Writer:
    """Writes the records of one direction."""

    def __init__(self) -> None:
        self._number = 0

    def record(self, kind: int, data: bytes) -> bytes:
        """Encode one record."""
        tag = _TAG.pack(self._number, _CHECK)
        self._number += 1
        return _HEADER.pack(kind, _VERSION, len(data) + _TAG.size) + data + tag


class Reader:
    """Parses the records of one direction."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._number = 0

    def take(self, data: bytes | bytearray | memoryview) -> None:
        """Add received bytes."""
        self._data += data

    def next(self) -> tuple[int, bytes] | None:
        """The next record's kind and cleartext; None until it is complete. Raises MalformedRecord,
        and AssertionError for a record that is missing or repeated.
        """
        data = self._data
        if len(data) < _HEADER.size:
            return None
        kind, version, size = _HEADER.unpack_from(data)
        if kind not in _KINDS or version >> 8 != _VERSION >> 8:
            raise MalformedRecord("the other side does not speak TLS (wrong version number)")
        if not _TAG.size <= size <= MOST + _TAG.size:
            raise MalformedRecord("packet length too long")
        end = _HEADER.size + size
        if len(data) < end:
            return None
        number, check = _TAG.unpack_from(data, end - _TAG.size)
        if check != _CHECK:
            raise MalformedRecord("decryption failed or bad record mac")
        assert number == self._number, f"record {number} in the place of {self._number}"
        self._number += 1
        clear = bytes(data[_HEADER.size : end - _TAG.size])
        del data[:end]
        return kind, clear


def clear(
    told: Callable[[bytes], None], ended: Callable[[], None] = lambda: None
) -> Callable[[bytes], None]:
    """A tap that passes to another one the payload of a direction's records, and the plain bytes of
    a direction without TLS. An alert ends the direction (RFC 8446, section 6): `ended` is
    called.
    """
    reader: Reader | None = None
    is_plain = False

    def tap(data: bytes) -> None:
        nonlocal reader, is_plain
        if not data:
            return
        if reader is None and not is_plain:
            # As the first byte of a Kafka frame's size it would announce 369 MB.
            is_plain = data[0] != HANDSHAKE
            reader = None if is_plain else Reader()
        if reader is None:
            told(data)
            return
        reader.take(data)
        try:
            while (found := reader.next()) is not None:
                if found[0] == DATA:
                    told(found[1])
                elif found[0] == ALERT:
                    ended()
        except MalformedRecord:
            is_plain, reader = True, None

    return tap
