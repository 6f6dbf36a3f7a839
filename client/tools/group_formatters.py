"""How the console consumer prints __consumer_offsets: a line of JSON for each record.

The JSON is that of Apache Kafka 4's formatters of the same names, which write no line end; here
each record has one, so that line-based programs can read it. Keys start with an int16, the kind of
the record; values with an int16, the version of their layout.
"""

from __future__ import annotations

import json
from typing import ClassVar, Final

from raftka.client.consumer import ConsumerRecord
from raftka.client.tools.options import ToolError
from raftka.net.protocol import codec
from raftka.net.protocol.message import Message
from raftka.net.protocol.messages.group_metadata_key import GroupMetadataKey
from raftka.net.protocol.messages.group_metadata_value import GroupMetadataValue
from raftka.net.protocol.messages.offset_commit_key import OffsetCommitKey
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue
from raftka.net.protocol.plain import message_fields

_OFFSET_KINDS: Final = frozenset({0, 1})
_GROUP_KINDS: Final = frozenset({2})


class _GroupRecordFormatter:
    """Prints the records of some kinds, and nothing for others."""

    kinds: ClassVar[frozenset[int]]
    key: ClassVar[type[Message]]
    value: ClassVar[type[Message]]

    def format(self, record: ConsumerRecord) -> bytes:
        """One line, or nothing. Raises ToolError for a record that cannot be read."""
        if record.key is None or _int16(record.key) not in self.kinds:
            return b""
        try:
            shown = {
                "key": {
                    "type": _int16(record.key),
                    "data": _decoded(self.key, record.key),
                },
                "value": None
                if record.value is None
                else {
                    "version": _int16(record.value),
                    "data": _decoded(self.value, record.value),
                },
            }
        except ValueError as error:
            raise ToolError(
                f"the record at offset {record.offset} of {record.topic}-{record.partition} is not"
                f" one of a group coordinator: {error}"
            ) from error
        return json.dumps(shown, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


class OffsetsFormatter(_GroupRecordFormatter):
    """Committed offsets, and tombstones (a value of null)."""

    kinds = _OFFSET_KINDS
    key = OffsetCommitKey
    value = OffsetCommitValue


class GroupMetadataFormatter(_GroupRecordFormatter):
    """States of classic groups, and tombstones (a value of null)."""

    kinds = _GROUP_KINDS
    key = GroupMetadataKey
    value = GroupMetadataValue


def _decoded(kind: type[Message], data: bytes) -> dict[str, object]:
    return message_fields(codec.decode_versioned(kind, data), _int16(data))


def _int16(data: bytes) -> int:
    """The leading number; -1, which is no kind and no version, when there is none."""
    return int.from_bytes(data[:2], "big", signed=True) if len(data) > 1 else -1
