"""The notation in which messages are written down: schema/<api>.txt.

    # What the API is for, and what changed in which version.
    api 12 Heartbeat
    versions 0-4
    flexible 4+

    request HeartbeatRequest
        group_id          string
        group_instance_id string   3+ nullable = null
        topics            []Topic  4+ tag 0
            name          string

A field is `name type [versions] [nullable [versions]] [tag n] [= default]`. `[]` before a type is
an array; a type that begins with a capital is a struct, whose fields follow, indented, where the
struct is first used. Versions read `3`, `3-5` or `3+`; without them a field is in all versions and
null only where `nullable` says so. Without a default a field is 0, false, empty, or a struct of
defaults; a field of type `records` is null.

`data` in place of `request` and `response` begins a structure that travels inside of records or
of other messages. Types on the wire: protocol guide, "Protocol Primitive Types", and KIP-482.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Final

from raftka.model.dataclass import dataclass
from raftka.model.named_tuple import NamedTuple
from raftka.net.protocol.message import NEVER

INTEGERS: Final = frozenset({"int8", "int16", "int32", "int64", "uint16", "uint32"})
PRIMITIVES: Final = INTEGERS | {"bool", "float64", "string", "uuid", "bytes", "records"}
_INDENT = 4


class NotationError(ValueError):
    """A text that violates the notation; the message has the line."""


class Span(NamedTuple):
    """Versions from `first` to `last`, inclusive."""

    first: int
    last: int

    def __contains__(self, version: object) -> bool:
        return isinstance(version, int) and self.first <= version <= self.last


ALL: Final = Span(0, NEVER)
NONE: Final = Span(NEVER, 0)


class Field(NamedTuple):
    """One field of a struct, for all versions."""

    name: str
    type: str
    """A primitive or the name of a struct; for an array, the type of its elements."""
    is_array: bool = False
    versions: Span = ALL
    nullable: Span = NONE
    tag: int | None = None
    default: int | bool | str | None = None
    """The text after `=`, or the type's own default. None is null, or for a struct that is not
    nullable, a struct of defaults; arrays are "[]" if their default is not null."""

    @property
    def is_struct(self) -> bool:
        return self.type not in PRIMITIVES


@dataclass(slots=True)
class Root:
    """A message in a text: `kind` is request, response or data."""

    kind: str
    name: str


@dataclass(slots=True)
class Text:
    """One parsed file."""

    comment: str = ""
    api_key: int | None = None
    api_name: str = ""
    versions: Span = ALL
    flexible_from: int = NEVER
    roots: list[Root] = field(default_factory=list)
    structs: dict[str, list[str]] = field(default_factory=dict)
    """Name -> the lines of its fields in canonical spacing, as parse_field accepts them. Nested
    structs come before those that use them."""


def parse_span(text: str) -> Span:
    """Parse `3`, `3-5` or `3+`. Raises NotationError."""
    try:
        if text.endswith("+"):
            return Span(int(text[:-1]), NEVER)
        first, dash, last = text.partition("-")
        return Span(int(first), int(last) if dash else int(first))
    except ValueError as error:
        raise NotationError(f"{text!r} is not a range of versions") from error


def parse_field(line: str) -> Field:
    """Parse the line of one field. Raises NotationError."""
    words = line.split()
    if len(words) < 2:
        raise NotationError(f"{line!r}: a field has a name and a type")
    name, kind, rest = words[0], words[1], words[2:]
    is_array = kind.startswith("[]")
    kind = kind.removeprefix("[]")
    if kind not in PRIMITIVES and not kind[0].isupper():
        raise NotationError(f"{line!r}: there is no type {kind}")
    versions, nullable, tag = ALL, NONE, None
    default: int | bool | str | None = _own_default(kind, is_array)
    if rest and rest[0][0].isdigit():
        versions = parse_span(rest.pop(0))
    if rest and rest[0] == "nullable":
        rest.pop(0)
        nullable = parse_span(rest.pop(0)) if rest and rest[0][0].isdigit() else ALL
    if rest and rest[0] == "tag":
        tag = int(rest[1])
        del rest[:2]
    if rest and rest[0] == "=":
        default = _parse_default(rest[1])
        del rest[:2]
    if rest:
        raise NotationError(f"{line!r}: {rest[0]!r} is not understood")
    return Field(name, kind, is_array, versions, nullable, tag, default)


def _own_default(kind: str, is_array: bool) -> int | bool | str | None:
    if is_array:
        return "[]"
    if kind == "bool":
        return False
    if kind in ("string", "bytes", "uuid"):
        return ""
    return None if kind == "records" or kind not in PRIMITIVES else 0


def _parse_default(word: str) -> int | bool | None:
    known = {"null": None, "true": True, "false": False}
    return known[word] if word in known else int(word)


def parse_text(text: str) -> Text:
    """Parse a whole file. Raises NotationError."""
    result = Text()
    lines = list(_lines(text))
    comment = []
    for raw in text.splitlines():
        if not raw.startswith("#"):
            break
        comment.append(raw[1:].strip())
    result.comment = "\n".join(comment)
    position = 0
    while position < len(lines):
        indent, line = lines[position]
        if indent:
            raise NotationError(f"{line!r}: no message was begun")
        words = line.split()
        position += 1
        if words[0] == "api":
            result.api_key, result.api_name = int(words[1]), words[2]
        elif words[0] == "versions":
            result.versions = parse_span(words[1])
        elif words[0] == "flexible":
            result.flexible_from = parse_span(words[1]).first
        elif words[0] in ("request", "response", "data"):
            result.roots.append(Root(words[0], words[1]))
            position = _parse_struct(words[1], lines, position, _INDENT, result.structs)
        else:
            raise NotationError(f"{line!r}: {words[0]!r} is not understood")
    return result


def _parse_struct(
    name: str,
    lines: list[tuple[int, str]],
    position: int,
    indent: int,
    structs: dict[str, list[str]],
) -> int:
    """Parse the fields at `indent`, and deeper ones into structs of their own; return the end."""
    fields: list[str] = []
    while position < len(lines) and lines[position][0] >= indent:
        depth, line = lines[position]
        if depth != indent:
            raise NotationError(f"{line!r}: indented by {depth}, not by {indent}")
        fields.append(" ".join(line.split()))
        position += 1
        parsed = parse_field(line)
        if position < len(lines) and lines[position][0] > indent:
            if not parsed.is_struct or parsed.type in structs:
                raise NotationError(f"{line!r}: what follows is indented below no new struct")
            position = _parse_struct(parsed.type, lines, position, indent + _INDENT, structs)
        elif parsed.is_struct and parsed.type not in structs:
            raise NotationError(f"{line!r}: nothing says what a {parsed.type} is")
    structs[name] = fields
    return position


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """(indent, line) without comments and empty lines."""
    for raw in text.splitlines():
        line = raw.partition("#")[0].rstrip()
        if line:
            yield len(line) - len(line.lstrip()), line.strip()
