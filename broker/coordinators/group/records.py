"""The records of __consumer_offsets, byte for byte as Apache Kafka writes and reads them.

Keys and values start with an int16. In a key it is the kind of the record: 0 and 1 a committed
offset, 2 a classic group; others belong to group protocols that this coordinator does not run. In
a value it is the version of the layout.
"""

from __future__ import annotations

from typing import NamedTuple

from raftka.model.ports import Buffer
from raftka.net.protocol import codec
from raftka.net.protocol.messages.group_metadata_key import GroupMetadataKey
from raftka.net.protocol.messages.group_metadata_value import GroupMetadataValue
from raftka.net.protocol.messages.offset_commit_key import OffsetCommitKey
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue

_OLD_OFFSET_KEY = 0
_OFFSET_KEY = 1
_GROUP_KEY = 2
_GROUP_VERSION = 3
_OFFSET_VERSION = 4
_OFFSET_VERSION_WITH_EXPIRY = 1
"""The only layout with an expiry of its own (KIP-211); it has no leader epoch and no topic id."""


class OffsetRecord(NamedTuple):
    """A committed offset, or its removal when `value` is None."""

    key: OffsetCommitKey
    value: OffsetCommitValue | None


class GroupRecord(NamedTuple):
    """A group's state, or the group's end when `value` is None."""

    group_id: str
    value: GroupMetadataValue | None


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


def decode(key: Buffer, value: Buffer | None) -> OffsetRecord | GroupRecord | None:
    """What a record says; None for kinds that this coordinator does not know.

    Raises MalformedMessage for a known kind that cannot be read, a newer layout included.
    """
    kind = int.from_bytes(key[:2], "big", signed=True)
    if kind in (_OLD_OFFSET_KEY, _OFFSET_KEY):
        return OffsetRecord(
            codec.decode_versioned(OffsetCommitKey, key),
            None if value is None else codec.decode_versioned(OffsetCommitValue, value),
        )
    if kind == _GROUP_KEY:
        return GroupRecord(
            codec.decode_versioned(GroupMetadataKey, key).group,
            None if value is None else codec.decode_versioned(GroupMetadataValue, value),
        )
    return None
