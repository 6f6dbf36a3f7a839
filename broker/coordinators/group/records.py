"""The records of __consumer_offsets, byte for byte as Apache Kafka writes and reads them.

Keys and values start with an int16. In a key it is the type of the record: 0 and 1 a committed
offset, 2 a classic group, other types belong to the other types of groups (kinds.py). In a value it
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
"""The only layout with an expiry timestamp (KIP-211); it has no leader epoch and no topic id."""


class OffsetRecord(NamedTuple):
    """A committed offset; a tombstone if `value` is None."""

    key: OffsetCommitKey
    value: OffsetCommitValue | None


def given_at(
    indexes: Sequence[int], epochs: Sequence[int] | None, member_epoch: int
) -> dict[int, int]:
    """The assignment epoch of each partition (KIP-1251); the member epoch if the record lacks
    epochs, or has too few."""
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
    """The type of a record: the int16 that starts its key."""
    return int.from_bytes(key[:2], "big", signed=True)


def decode_offset(key: Buffer, value: Buffer | None) -> OffsetRecord:
    """Decode a record of key type 0 or 1.

    Raises MalformedMessage if it cannot be decoded, which includes newer layouts.
    """
    return OffsetRecord(
        codec.decode_versioned(OffsetCommitKey, key),
        None if value is None else codec.decode_versioned(OffsetCommitValue, value),
    )
