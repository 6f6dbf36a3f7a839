"""Java's properties format; javaproperties is the oracle.

But for one thing: where a lone backslash continues nothing, javaproperties takes a # or ! in the
next line for a key. Java's own Properties.load (of 17.0.15) takes it for a comment, and we do.
"""

from __future__ import annotations

import re

import javaproperties
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from raftka.model.settings.properties import parse_properties

_COMMENT_AFTER_NOTHING = re.compile(r"(?:^|[\r\n])[ \t\f]*\\(?:\r\n?|\n)[ \t\f]*[#!]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", {"a": "b"}),
        ("  a  =  b  ", {"a": "b  "}),
        ("a:b\nc d\ne\tf\ng", {"a": "b", "c": "d", "e": "f", "g": ""}),
        ("# no\n! neither\n\na=1", {"a": "1"}),
        ("a=1\\\n   ,2", {"a": "1,2"}),
        ("a=1\\\\\nb=2", {"a": "1\\", "b": "2"}),
        ("a\\ b\\=c=d", {"a b=c": "d"}),
        ("a=\\u0041\\t\\q", {"a": "A\tq"}),
        ("a=1\r\nb=2\rc=3", {"a": "1", "b": "2", "c": "3"}),
        ("a=1\na=2", {"a": "2"}),
        ("a=x=y:z", {"a": "x=y:z"}),
        ("a=1\\", {"a": "1"}),
        ("=x", {"": "x"}),
        ("a=fado\u2028b", {"a": "fado\u2028b"}),
        ("a\\\n#b", {"a#b": ""}),
        ("\\\r#", {}),
        ("\\\n  !a\nb=c", {"b": "c"}),
        ("\\\n\\\n#a\\\nb=c", {"b": "c"}),
    ],
)
def test_lines(text: str, expected: dict[str, str]) -> None:
    assert parse_properties(text) == expected


def test_a_broken_escape_is_told_with_its_line() -> None:
    with pytest.raises(ValueError, match=r"line 2: \\u12"):
        parse_properties("a=1\nb=\\u12")


@example("a\\\r#")
@given(st.text(alphabet="ab=: \\\t\n#!\r", max_size=40))
def test_any_text_is_read_as_javaproperties_reads_it(text: str) -> None:
    assume(not _COMMENT_AFTER_NOTHING.search(text))
    assert parse_properties(text) == javaproperties.loads(text)
