"""Bytes that are not UTF-8, as Java reads them: how many U+FFFD replace them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftka.model.text import decode_text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # Asked of OpenJDK 17: new String(bytes, UTF_8).
        ("41fcb1", "A??"),
        ("42fc726f", "B?ro"),
        ("c041", "?A"),
        ("c080", "??"),
        ("e08080", "???"),
        ("e1a0", "?"),
        ("e1a041", "?A"),
        ("eda0", "?"),
        ("eda041", "?A"),
        ("eda080", "?"),
        ("edbfbf", "?"),
        ("eda080eda080", "??"),
        ("eda0ed", "??"),
        ("ed41", "?A"),
        ("ed", "?"),
        ("f0908041", "?A"),
        ("f0808080", "????"),
        ("f4908080", "????"),
        ("f5808080", "????"),
        ("ffff", "??"),
    ],
)
def test_malformed_bytes_are_replaced_as_java_replaces_them(data: str, expected: str) -> None:
    assert decode_text(bytes.fromhex(data)) == expected.replace("?", "\ufffd")


@given(st.text())
def test_utf_8_is_read_as_it_is(text: str) -> None:
    assert decode_text(text.encode()) == text
    assert decode_text(memoryview(text.encode())) == text


@given(st.binary())
def test_any_bytes_are_text_that_can_be_sent(data: bytes) -> None:
    decode_text(data).encode()
