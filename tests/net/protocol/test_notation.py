"""The notation, its errors, and that the generated files match the texts."""

from __future__ import annotations

import pytest

from raftka.net.protocol.apis import APIS
from raftka.net.protocol.codec import REQUESTS
from raftka.net.protocol.generate import generated, main
from raftka.net.protocol.message import NEVER
from raftka.net.protocol.notation import ALL, NONE, NotationError, Span, parse_field, parse_text

TEXT = """\
# What it is for.
# A second line.
api 99 Tryout
versions 1-4
flexible 3+

request TryoutRequest
    name   string  2+ nullable 3+ = null   # said at the end of a line
    topics []Topic
        id         uuid
        partitions []int32 nullable

response TryoutResponse
    topics []Topic 2-3 tag 0
    done   bool    = true
"""


def test_a_whole_text() -> None:
    text = parse_text(TEXT)
    assert text.comment == "What it is for.\nA second line."
    assert (text.api_key, text.api_name, text.flexible_from) == (99, "Tryout", 3)
    assert text.versions == (1, 4)
    assert [(root.kind, root.name) for root in text.roots] == [
        ("request", "TryoutRequest"),
        ("response", "TryoutResponse"),
    ]
    assert list(text.structs) == ["Topic", "TryoutRequest", "TryoutResponse"]
    assert text.structs["Topic"] == ["id uuid", "partitions []int32 nullable"]


def test_fields() -> None:
    field = parse_field("name string 2+ nullable 3-4 tag 7 = null")
    assert (field.name, field.type, field.is_array) == ("name", "string", False)
    assert (field.versions, field.nullable) == (Span(2, NEVER), Span(3, 4))
    assert (field.tag, field.default) == (7, None)
    plain = parse_field("ids []int64")
    assert plain == ("ids", "int64", True, ALL, NONE, None, "[]")
    assert 2 in Span(2, 2)
    assert 3 not in Span(2, 2)


@pytest.mark.parametrize(
    ("line", "default"),
    [
        ("x int8", 0),
        ("x bool", False),
        ("x string", ""),
        ("x records", None),
        ("x int64 = -1", -1),
        ("x bool = true", True),
    ],
)
def test_defaults(line: str, default: object) -> None:
    assert parse_field(line).default == default


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x", "is not understood"),
        ("    x int32", "no message was begun"),
        ("data D\n    x", "has a name and a type"),
        ("data D\n    x int12", "there is no type int12"),
        ("data D\n    x int32 0-y", "not a range"),
        ("data D\n    x int32 tags", "'tags' is not understood"),
        ("data D\n    x []Other", "nothing says what a Other is"),
        ("data D\n    x int32\n        y int32", "indented below no new struct"),
        ("data D\n    x int32\n      y int32", "indented below no new struct"),
        ("data D\n      y int32", "indented by 6, not by 4"),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    with pytest.raises(NotationError, match=words):
        parse_text(text)


def test_the_generated_files_are_current() -> None:
    stale = [
        path.name
        for path, text in generated().items()
        if not path.exists() or path.read_text() != text
    ]
    assert not stale, "run: python -m raftka.net.protocol.generate"
    assert main(["--check"]) == 0


def test_the_table_of_apis_agrees_with_the_classes() -> None:
    for key, api in APIS.items():
        request = REQUESTS[key]
        assert request.__name__ == f"{api.name}Request"
        for cls in (request, request.RESPONSE):
            assert (int(cls.API_KEY), str(cls.API_NAME)) == (key, api.name)
            assert tuple(cls.VALID_VERSIONS) == (api.first_version, api.last_version)
            assert int(cls.FLEXIBLE_FROM) == api.flexible_from
