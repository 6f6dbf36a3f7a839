"""A message as JSON values, with Kafka's field names."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from raftka.model.ids import uuid_text
from raftka.net.protocol import codec
from raftka.net.protocol.message import Message, Struct

_VERSIONS: Final = re.compile(r"(\d+)(\+|-(\d+))?")
_NOTHING_EMBEDDED: Final[Mapping[str, type[Message]]] = {}


def message_fields(
    message: Struct, version: int, embedded: Mapping[str, type[Message]] = _NOTHING_EMBEDDED
) -> dict[str, Any]:
    """The fields that a message has in a version.

    A tagged field is left out if it has its default, as on the wire. Bytes are base64, except in
    the fields that `embedded` names: these contain messages of the given types, preceded by their
    version.
    """
    fields = {}
    for declared in message.LAYOUT:
        name, kind, *rest = declared.split()
        if rest and not _has(rest[0], version):
            continue
        value = getattr(message, name)
        if "tag" in rest and value == getattr(type(message)(), name):
            continue
        fields[_camel(name)] = _plain(name, kind, value, version, embedded)
    return fields


def _plain(
    name: str, kind: str, value: Any, version: int, embedded: Mapping[str, type[Message]]
) -> Any:
    if isinstance(value, Struct):
        return message_fields(value, version, embedded)
    if isinstance(value, list):
        return [_plain(name, kind, item, version, embedded) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        inner = embedded.get(name)
        if inner is not None and len(data) > 1:
            try:
                return message_fields(
                    codec.decode_versioned(inner, data),
                    int.from_bytes(data[:2], "big", signed=True),
                    embedded,
                )
            except ValueError:
                # Groups of other protocol types have other data here.
                return base64.b64encode(data).decode()
        return uuid_text(data) if kind == "uuid" else base64.b64encode(data).decode()
    return value


def _has(versions: str, version: int) -> bool:
    """Whether a field's versions ("3+", "1", "0-2") contain this one; other words set no limit."""
    match = _VERSIONS.fullmatch(versions)
    if match is None:
        return True
    low, rest, high = int(match[1]), match[2], match[3]
    if rest == "+":
        return version >= low
    return low <= version <= int(high or low)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
