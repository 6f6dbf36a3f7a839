"""Untrusted bytes as harmless text."""

from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis.strategies import binary

from raftka.learn.harmless import harmless


def test_what_cannot_be_seen_is_written_out() -> None:
    assert harmless(b"order 7\tok", 100) == "order 7\tok"
    assert harmless("ação €".encode(), 100) == "ação €"
    assert harmless(b"\x1b[31m\x00", 100) == "\\x1b[31m\\x00"
    assert harmless("a\u202eb\u200b".encode(), 100) == "a\\u202eb\\u200b"
    assert harmless(b"\xff\xfe", 100) == "\\xff\\xfe"


def test_too_many_are_cut_and_counted() -> None:
    assert harmless(b"x" * 5000, 10) == "x" * 10 + "… (5,000 bytes)"
    assert harmless(b"\x00" * 100, 10) == "\\x00\\x00\\x" + "… (100 bytes)"


@given(binary(max_size=300))
def test_no_bytes_do_harm(data: bytes) -> None:
    text = harmless(data, 100)
    assert len(text) <= 120
    assert all(
        each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cf", "Cs") for each in text
    )
    assert json.loads(json.dumps(text)) == text
