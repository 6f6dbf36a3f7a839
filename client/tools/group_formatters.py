"""How the console consumer prints internal topics: a line of JSON for each record.

The JSON is that of Apache Kafka 4's formatters of the same names, which write no line end; here
each record has one, so that line-based programs can read it. Keys start with an int16, the kind of
the record; values with an int16, the version of their layout.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

from raftka.client.consumer import ConsumerRecord
from raftka.client.tools.options import ToolError
from raftka.net.protocol import codec
from raftka.net.protocol.message import Message
from raftka.net.protocol.messages.group_metadata_key import GroupMetadataKey
from raftka.net.protocol.messages.group_metadata_value import GroupMetadataValue
from raftka.net.protocol.messages.offset_commit_key import OffsetCommitKey
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue
from raftka.net.protocol.messages.share_group_current_member_assignment_key import (
    ShareGroupCurrentMemberAssignmentKey,
)
from raftka.net.protocol.messages.share_group_current_member_assignment_value import (
    ShareGroupCurrentMemberAssignmentValue,
)
from raftka.net.protocol.messages.share_group_member_metadata_key import (
    ShareGroupMemberMetadataKey,
)
from raftka.net.protocol.messages.share_group_member_metadata_value import (
    ShareGroupMemberMetadataValue,
)
from raftka.net.protocol.messages.share_group_metadata_key import ShareGroupMetadataKey
from raftka.net.protocol.messages.share_group_metadata_value import ShareGroupMetadataValue
from raftka.net.protocol.messages.share_group_state_partition_metadata_key import (
    ShareGroupStatePartitionMetadataKey,
)
from raftka.net.protocol.messages.share_group_state_partition_metadata_value import (
    ShareGroupStatePartitionMetadataValue,
)
from raftka.net.protocol.messages.share_group_target_assignment_member_key import (
    ShareGroupTargetAssignmentMemberKey,
)
from raftka.net.protocol.messages.share_group_target_assignment_member_value import (
    ShareGroupTargetAssignmentMemberValue,
)
from raftka.net.protocol.messages.share_group_target_assignment_metadata_key import (
    ShareGroupTargetAssignmentMetadataKey,
)
from raftka.net.protocol.messages.share_group_target_assignment_metadata_value import (
    ShareGroupTargetAssignmentMetadataValue,
)
from raftka.net.protocol.messages.share_snapshot_key import ShareSnapshotKey
from raftka.net.protocol.messages.share_snapshot_value import ShareSnapshotValue
from raftka.net.protocol.messages.share_update_key import ShareUpdateKey
from raftka.net.protocol.messages.share_update_value import ShareUpdateValue
from raftka.net.protocol.messages.transaction_log_key import TransactionLogKey
from raftka.net.protocol.messages.transaction_log_value import TransactionLogValue
from raftka.net.protocol.plain import message_fields

_TRANSACTION_STATES: Final = (
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
)

_TRANSACTION_NAMES: Final[Mapping[str, str]] = {
    "transactionTimeout": "transactionTimeoutMs",
    "transactionLastUpdateTimestamp": "transactionLastUpdateTimestampMs",
    "transactionStartTimestamp": "transactionStartTimestampMs",
}
"""Kafka's names of fields, where ours leave the unit to the type."""


class _Kind(NamedTuple):
    """The schemas of one kind of record."""

    key: type[Message]
    value: type[Message]


class _CoordinatorRecordFormatter:
    """Prints the records of some kinds, and skips others."""

    kinds: ClassVar[Mapping[int, _Kind]]
    coordinator: ClassVar[str]

    def format(self, record: ConsumerRecord) -> bytes:
        """One line, or nothing. Raises ToolError for an undecodable record."""
        if record.key is None:
            return b""
        number = _int16(record.key)
        kind = self.kinds.get(number)
        if kind is None:
            return b""
        try:
            shown = {
                "key": {"type": number, "data": _decoded(kind.key, record.key)},
                "value": None
                if record.value is None
                else {
                    "version": _int16(record.value),
                    "data": self.shown(_decoded(kind.value, record.value)),
                },
            }
        except ValueError as error:
            raise ToolError(
                f"the record at offset {record.offset} of {record.topic}-{record.partition} is not"
                f" one of a {self.coordinator} coordinator: {error}"
            ) from error
        return json.dumps(shown, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

    def shown(self, fields: dict[str, object]) -> dict[str, object]:
        """The fields of a value as they are printed."""
        return fields


class OffsetsFormatter(_CoordinatorRecordFormatter):
    """Committed offsets, and tombstones (a value of null)."""

    kinds: ClassVar[Mapping[int, _Kind]] = dict.fromkeys(
        (0, 1), _Kind(OffsetCommitKey, OffsetCommitValue)
    )
    coordinator = "group"


class GroupMetadataFormatter(_CoordinatorRecordFormatter):
    """States of classic groups, and tombstones (a value of null)."""

    kinds: ClassVar[Mapping[int, _Kind]] = {2: _Kind(GroupMetadataKey, GroupMetadataValue)}
    coordinator = "group"


class ShareGroupFormatter(_CoordinatorRecordFormatter):
    """The share groups in __consumer_offsets: members, targets, initialized partitions."""

    kinds: ClassVar[Mapping[int, _Kind]] = {
        10: _Kind(ShareGroupMemberMetadataKey, ShareGroupMemberMetadataValue),
        11: _Kind(ShareGroupMetadataKey, ShareGroupMetadataValue),
        12: _Kind(ShareGroupTargetAssignmentMetadataKey, ShareGroupTargetAssignmentMetadataValue),
        13: _Kind(ShareGroupTargetAssignmentMemberKey, ShareGroupTargetAssignmentMemberValue),
        14: _Kind(ShareGroupCurrentMemberAssignmentKey, ShareGroupCurrentMemberAssignmentValue),
        15: _Kind(ShareGroupStatePartitionMetadataKey, ShareGroupStatePartitionMetadataValue),
    }
    coordinator = "group"


class ShareStateFormatter(_CoordinatorRecordFormatter):
    """Snapshots of share-partitions in __share_group_state, and updates of them."""

    kinds: ClassVar[Mapping[int, _Kind]] = {
        0: _Kind(ShareSnapshotKey, ShareSnapshotValue),
        1: _Kind(ShareUpdateKey, ShareUpdateValue),
    }
    coordinator = "share"


class TransactionLogFormatter(_CoordinatorRecordFormatter):
    """Transactional ids in __transaction_state, with the names of their states."""

    kinds: ClassVar[Mapping[int, _Kind]] = {0: _Kind(TransactionLogKey, TransactionLogValue)}
    coordinator = "transaction"

    def shown(self, fields: dict[str, object]) -> dict[str, object]:
        named = {_TRANSACTION_NAMES.get(name, name): value for name, value in fields.items()}
        status = named.get("transactionStatus")
        if isinstance(status, int) and 0 <= status < len(_TRANSACTION_STATES):
            named["transactionStatus"] = _TRANSACTION_STATES[status]
        elif status is not None:
            named["transactionStatus"] = str(status)
        return named


def _decoded(kind: type[Message], data: bytes) -> dict[str, object]:
    return message_fields(codec.decode_versioned(kind, data), _int16(data))


def _int16(data: bytes) -> int:
    """The leading int16; -1, which is no kind and no version, when it is missing."""
    return int.from_bytes(data[:2], "big", signed=True) if len(data) > 1 else -1
