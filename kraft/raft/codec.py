"""Raft messages on the wire: msgpack in size-prefixed frames, validated field by field.

Whatever a peer sends, the engine only sees messages that `decode` accepted: a known type, exactly
its fields, consecutive entries. The format cannot name classes or functions; pysyncobj's pickle
could, which let any client that could connect run code.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgpack

Message = dict[str, Any]
Entry = tuple[bytes, int, int]
"""(command, index, term), in pysyncobj's order."""

SIZE: Final = struct.Struct(">I")
FRAME_OVERHEAD: Final = 256 * 1024
"""The size that a frame may have beyond its largest entry or chunk."""


class MalformedMessage(ValueError):
    """A malformed message from a peer; its link must be closed."""


_NUMBER, _TIME, _FLAG, _BYTES, _TUPLE = int, float, bool, bytes, tuple

_FIELDS: Final[dict[str, dict[str, type]]] = {
    "append_entries": {
        "term": _NUMBER,
        "commit_index": _NUMBER,
        "sent": _TIME,
        "previous_index": _NUMBER,
        "previous_term": _NUMBER,
        "entries": _TUPLE,
    },
    "acknowledgement": {
        "term": _NUMBER,
        "next_index": _NUMBER,
        "reset": _FLAG,
        "success": _FLAG,
        "sent": _TIME,
    },
    "request_vote": {"term": _NUMBER, "last_log_index": _NUMBER, "last_log_term": _NUMBER},
    "response_vote": {"term": _NUMBER},
    "pre_vote": {"term": _NUMBER, "last_log_index": _NUMBER, "last_log_term": _NUMBER},
    "pre_vote_response": {"term": _NUMBER, "round": _NUMBER, "granted": _FLAG},
    "end_epoch": {"term": _NUMBER},
}
_CHUNK_FIELDS: Final[dict[str, type]] = {
    "term": _NUMBER,
    "commit_index": _NUMBER,
    "sent": _TIME,
    "serialized": _TUPLE,
}
"""pysyncobj also sends pieces of snapshots as append_entries, distinguished by this field."""


def encode(message: Message) -> bytes:
    """The size-prefixed frame of `message`."""
    body: bytes = msgpack.packb(message)
    return SIZE.pack(len(body)) + body


def decode(body: bytes | bytearray | memoryview) -> Message:
    """Decode the message in the body of a frame.

    Raises MalformedMessage, with the problem, for anything that `encode` cannot have written.
    """
    try:
        message = msgpack.unpackb(body, use_list=False, strict_map_key=True)
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise MalformedMessage(f"not msgpack: {error}") from error
    if not isinstance(message, dict):
        raise MalformedMessage(f"a {type(message).__name__} where a message belongs")
    kind = message.get("type")
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise MalformedMessage(f"unknown message type {kind!r}")
    if kind == "append_entries" and "serialized" in message:
        fields = _CHUNK_FIELDS
    _check_fields(message, fields)
    if "serialized" in fields:
        _check_chunk(message["serialized"])
    elif kind == "append_entries":
        _check_entries(message)
    return message


def _check_fields(message: Message, fields: dict[str, type]) -> None:
    if len(message) != len(fields) + 1:
        raise MalformedMessage(f"{message['type']} with fields {sorted(map(str, message))}")
    for name, kind in fields.items():
        value = message.get(name)
        if type(value) is not kind:
            raise MalformedMessage(f"{message['type']}.{name} is {type(value).__name__}")
        if kind is int and not 0 <= value < 1 << 63:  # type: ignore[operator]
            raise MalformedMessage(f"{message['type']}.{name} is {value}")


def _check_entries(message: Message) -> None:
    index, term = message["previous_index"], message["previous_term"]
    for entry in message["entries"]:
        if type(entry) is not tuple or len(entry) != 3 or type(entry[0]) is not bytes:
            raise MalformedMessage("append_entries with something that is no entry")
        index += 1
        if entry[1] != index or type(entry[2]) is not int or entry[2] < term or not entry[0]:
            raise MalformedMessage(f"append_entries with entry {entry[1:]} where {index} belongs")
        term = entry[2]
    if term > message["term"]:
        raise MalformedMessage(f"append_entries of term {message['term']} with entry of {term}")


def _check_chunk(chunk: tuple[Any, ...]) -> None:
    if len(chunk) != 3 or tuple(map(type, chunk)) != (bytes, bool, bool):
        raise MalformedMessage("a piece of a snapshot is (bytes, is first, is last)")
