"""Decodes strings of the protocol as Java does: malformed UTF-8, and numbers.

A Java broker or client never fails on a string: malformed bytes become U+FFFD. Python's own
`errors="replace"` puts as many of them as Java in all cases but one: three bytes that would encode
a surrogate (ED A0..BF 80..BF, also without the last) are one in Java. Compared over all sequences
of up to four bytes out of 26 that stand for the classes of UTF-8, with OpenJDK 17.
"""

from __future__ import annotations

import codecs
from typing import Final

from raftka.model.ports import Buffer

AS_JAVA: Final = "raftka.as_java"
"""The name of the error handler, for `bytes.decode` and `str`."""

_SURROGATES: Final = range(0xA0, 0xC0)
_CONTINUATIONS: Final = range(0x80, 0xC0)
_INT32: Final = range(-(2**31), 2**31)
_LONGEST_NUMBER: Final = 1000
"""The limit of digits, including leading zeros, that are passed to int()."""


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    data, start, end = error.object, error.start, error.end
    if data[start] == 0xED and data[start + 1 : start + 2] and data[start + 1] in _SURROGATES:
        end = start + 2
        if data[end : end + 1] and data[end] in _CONTINUATIONS:
            end += 1
    return "\ufffd", end


codecs.register_error(AS_JAVA, _replace)


def decode_text(data: Buffer) -> str:
    """`data` as text, with U+FFFD for malformed UTF-8."""
    return str(data, "utf-8", AS_JAVA)


def java_int(text: str) -> int:
    """Parse `text` like Java's Integer.parseInt: an optional sign, then digits; 32 bits.

    Raises ValueError. Python's own int() would also accept spaces, "1_000" and larger numbers.
    """
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not digits.isdecimal() or len(digits) > _LONGEST_NUMBER:
        raise ValueError(f"{text!r} is not a number")
    number = int(text)
    if number not in _INT32:
        raise ValueError(f"{text!r} is out of range: at most {_INT32.stop - 1}")
    return number
