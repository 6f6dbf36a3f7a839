"""The records of __consumer_offsets, byte for byte as Apache Kafka writes and reads them.

Keys and values start with an int16. In a key it is the kind of the record: 0 and 1 a committed
offset, 2 a classic group, the rest belongs to the other kinds of groups (kinds.py). In a value it
is the version of the layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from raftka.model.ports import Buffer
from raftka.net.protocol import codec
from raftka.net.protocol.messages.group_metadata_key import GroupMetadataKey
from raftka.net.protocol.messages.group_metadata_value import GroupMetadataValue
from raftka.net.protocol.messages.offset_commit_key import OffsetCommitKey
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue

_OFFSET_KEY = 1
OFFSET_KEYS: Final = (0, _OFFSET_KEY)
_GROUP_KEY = 2
_GROUP_VERSION = 3
_OFFSET_VERSION = 4
_OFFSET_VERSION_WITH_EXPIRY = 1
"""The only layout with an expiry of its own (KIP-211); it has no leader epoch and no topic id."""


class OffsetRecord(NamedTuple):
    """A committed offset, or its removal when `value` is None."""

    key: OffsetCommitKey
    value: OffsetCommitValue | None


def given_at(
    indexes: Sequence[int], epochs: Sequence[int] | None, member_epoch: int
) -> dict[int, int]:
    """By partition, the epoch of its assignment (KIP-1251). Those whose epochs were not written, or
    not for each of them, count as given at the member's epoch.
    """
    if epochs is None or len(epochs) != len(indexes):
        epochs = [member_epoch] * len(indexes)
    return dict(zip(indexes, epochs, strict=True))


def group_key(group_id: str) -> bytes:
    return codec.encode_versioned(GroupMetadataKey(group=group_id), _GROUP_KEY)


def group_value(value: GroupMetadataValue) -> bytes:
    return codec.encode_versioned(value, _GROUP_VERSION)


def offset_key(group_id: str, topic: str, partition: int) -> bytes:
    key = OffsetCommitKey(group=group_id, topic=topic, partition=partition)
    return codec.encode_versioned(key, _OFFSET_KEY)


def offset_value(value: OffsetCommitValue) -> bytes:
    expires = value.expire_timestamp >= 0
    version = _OFFSET_VERSION_WITH_EXPIRY if expires else _OFFSET_VERSION
    return codec.encode_versioned(value, version)


def key_type(key: Buffer) -> int:
    """The kind of a record: the int16 with which its key begins."""
    return int.from_bytes(key[:2], "big", signed=True)


def decode_offset(key: Buffer, value: Buffer | None) -> OffsetRecord:
    """What a record of key type 0 or 1 says.

    Raises MalformedMessage for what cannot be read, a newer layout included.
    """
    return OffsetRecord(
        codec.decode_versioned(OffsetCommitKey, key),
        None if value is None else codec.decode_versioned(OffsetCommitValue, value),
    )
