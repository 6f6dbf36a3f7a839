"""Records of __consumer_offsets as JSON, as `kafka-dump-log --offsets-decoder` prints them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any, Final

from raftka.broker.coordinators.group.records import GroupRecord, OffsetRecord, decode
from raftka.model.ids import uuid_text
from raftka.model.records import Record
from raftka.net.protocol import codec
from raftka.net.protocol.message import Message, Struct
from raftka.net.protocol.messages.consumer_protocol_assignment import ConsumerProtocolAssignment
from raftka.net.protocol.messages.consumer_protocol_subscription import ConsumerProtocolSubscription

_VERSIONS: Final = re.compile(r"(\d+)(\+|-(\d+))?")
_EMBEDDED: Final[dict[str, type[Message]]] = {
    "subscription": ConsumerProtocolSubscription,
    "assignment": ConsumerProtocolAssignment,
}
"""Fields of a group's members that are messages of their own, for consumers."""


def decode_offsets(record: Record) -> tuple[str | None, str | None]:
    """(key, payload) as JSON. Records of a kind or layout that is not known are named so."""
    if record.key is None:
        return "<UNKNOWN>", "<UNKNOWN>"
    kind = _int16(record.key)
    try:
        found = decode(record.key, record.value)
    except ValueError as error:
        return f"<UNREADABLE: {error}>", None
    version = -1 if record.value is None else _int16(record.value)
    if isinstance(found, OffsetRecord):
        key = message_fields(found.key, kind)
        value = None if found.value is None else message_fields(found.value, version)
    elif isinstance(found, GroupRecord):
        key = {"group": found.group_id}
        value = None if found.value is None else message_fields(found.value, version)
    else:
        return "<UNKNOWN>", "<UNKNOWN>"
    payload = "<DELETE>" if value is None else _json({"version": str(version), "data": value})
    return _json({"type": str(kind), "data": key}), payload


def message_fields(message: Struct, version: int) -> dict[str, Any]:
    """The fields that a message has in a version, named as Kafka names them, ready for JSON."""
    fields = {}
    for declared in message.LAYOUT:
        name, kind, *rest = declared.split()
        if rest and not _has(rest[0], version):
            continue
        fields[_camel(name)] = _plain(name, kind, getattr(message, name), version)
    return fields


def _plain(name: str, kind: str, value: Any, version: int) -> Any:
    if isinstance(value, Struct):
        return message_fields(value, version)
    if isinstance(value, list):
        return [_plain(name, kind, item, version) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        embedded = _EMBEDDED.get(name)
        if embedded is not None and len(data) > 1:
            try:
                return message_fields(codec.decode_versioned(embedded, data), _int16(data))
            except ValueError:
                # A group that is not of consumers has data of its own here.
                return base64.b64encode(data).decode()
        return uuid_text(data) if kind == "uuid" else base64.b64encode(data).decode()
    return value


def _has(versions: str, version: int) -> bool:
    """Whether a field's versions ("3+", "1", "0-2") contain one; other words do not limit it."""
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


def _int16(data: Iterable[int]) -> int:
    return int.from_bytes(bytes(data)[:2], "big", signed=True)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
