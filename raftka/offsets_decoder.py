"""Records of __consumer_offsets as JSON, as `kafka-dump-log --offsets-decoder` prints them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from raftka.broker.coordinators.group import kinds
from raftka.broker.coordinators.group.records import OFFSET_KEYS, OffsetRecord, decode_offset
from raftka.model.records import Record
from raftka.net.protocol.message import Message
from raftka.net.protocol.messages.consumer_protocol_assignment import ConsumerProtocolAssignment
from raftka.net.protocol.messages.consumer_protocol_subscription import ConsumerProtocolSubscription
from raftka.net.protocol.plain import message_fields

_EMBEDDED: Final[dict[str, type[Message]]] = {
    "subscription": ConsumerProtocolSubscription,
    "assignment": ConsumerProtocolAssignment,
}
"""Fields of a group's members that hold encoded messages of consumers."""


def decode_offsets(record: Record) -> tuple[str | None, str | None]:
    """(key, payload) as JSON. Records of an unknown kind or version are marked as such."""
    if record.key is None:
        return "<UNKNOWN>", "<UNKNOWN>"
    kind = leading_int16(record.key)
    found: OffsetRecord | kinds.Decoded | None
    try:
        if kind in OFFSET_KEYS:
            found = decode_offset(record.key, record.value)
        else:
            found = kinds.decode(record.key, record.value)
    except ValueError as error:
        return f"<UNREADABLE: {error}>", None
    version = -1 if record.value is None else leading_int16(record.value)
    if found is None:
        return "<UNKNOWN>", "<UNKNOWN>"
    key = message_fields(found.key, kind)
    value = None if found.value is None else message_fields(found.value, version, _EMBEDDED)
    payload = "<DELETE>" if value is None else as_json({"version": str(version), "data": value})
    return as_json({"type": str(kind), "data": key}), payload


def leading_int16(data: Iterable[int]) -> int:
    """The version or kind that a key or value begins with."""
    return int.from_bytes(bytes(data)[:2], "big", signed=True)


def as_json(value: object) -> str:
    """JSON as Kafka's tool writes it, on one line without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
