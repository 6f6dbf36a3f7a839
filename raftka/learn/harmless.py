"""Untrusted bytes as harmless text: no control characters, none that are invisible or reverse the
reading order, and bounded in length.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of Unicode: control, format (with those of direction), surrogates, unassigned."""


def harmless(data: bytes, most: int) -> str:
    """At most `most` characters; an ellipsis and the number of omitted ones follow."""
    head = data[: most * 4]
    text = head.decode("utf-8", "backslashreplace")
    shown = "".join(each if _is_seen(each) else _escaped(each) for each in text[:most])
    if len(head) == len(data) and len(text) <= most:
        return shown
    return f"{shown[:most]}… ({len(data):,} bytes)"


def _is_seen(letter: str) -> bool:
    return letter in "\n\t" or unicodedata.category(letter) not in _UNSEEN


def _escaped(letter: str) -> str:
    code = ord(letter)
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )
