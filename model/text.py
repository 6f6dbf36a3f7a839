"""Strings of the protocol that are not UTF-8, read as Java reads them.

A Java broker or client never fails at a string: what is malformed becomes U+FFFD. Python's own
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
    """`data` as text, with U+FFFD where it is not UTF-8."""
    return str(data, "utf-8", AS_JAVA)
