"""The records of __share_group_state, byte for byte as Apache Kafka writes and reads them.

Keys and values start with an int16: in a key the type of the record (a snapshot, or an update of
one), in a value the version of the layout. A snapshot without a value is the tombstone of a
share-partition.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol, TypeVar

from raftka.broker.coordinators.share.state import Change, ShareState
from raftka.broker.share.batches import Delivery, StateBatch
from raftka.broker.share.key import SharePartitionKey
from raftka.model.ports import Buffer
from raftka.net.protocol import codec
from raftka.net.protocol.codec import MalformedMessage
from raftka.net.protocol.messages import share_snapshot_value, share_update_value
from raftka.net.protocol.messages.share_snapshot_key import ShareSnapshotKey
from raftka.net.protocol.messages.share_snapshot_value import ShareSnapshotValue
from raftka.net.protocol.messages.share_update_key import ShareUpdateKey
from raftka.net.protocol.messages.share_update_value import ShareUpdateValue

_SNAPSHOT: Final = 0
_UPDATE: Final = 1
_LAYOUT: Final = 0


class WrittenBatch(Protocol):
    """A StateBatch in messages and records."""

    first_offset: int
    last_offset: int
    delivery_state: int
    delivery_count: int


W = TypeVar("W", bound=WrittenBatch)


class Snapshot(NamedTuple):
    """A share-partition's whole state; a tombstone if `state` is None."""

    key: SharePartitionKey
    state: ShareState | None


class Update(NamedTuple):
    """A change to the snapshot with that epoch."""

    key: SharePartitionKey
    snapshot_epoch: int
    change: Change


def read_batches(written: Iterable[WrittenBatch]) -> tuple[StateBatch, ...]:
    """Decode the batches of a record or a message. Raises ValueError for an unknown state."""
    return tuple(
        StateBatch(b.first_offset, b.last_offset, Delivery(b.delivery_state), b.delivery_count)
        for b in written
    )


def write_batches(batches: Iterable[StateBatch], made: type[W]) -> list[W]:
    """Encode batches for a record or a message."""
    found = []
    for batch in batches:
        one = made()
        one.first_offset, one.last_offset = batch.first, batch.last
        one.delivery_state, one.delivery_count = batch.state.value, batch.deliveries
        found.append(one)
    return found


def _key(
    kind: int, cls: type[ShareSnapshotKey] | type[ShareUpdateKey], key: SharePartitionKey
) -> bytes:
    group_id, topic_id, partition = key
    return codec.encode_versioned(
        cls(group_id=group_id, topic_id=topic_id, partition=partition), kind
    )


def tombstone(key: SharePartitionKey) -> tuple[bytes, None]:
    """The tombstone of a share-partition."""
    return _key(_SNAPSHOT, ShareSnapshotKey, key), None


def snapshot(key: SharePartitionKey, state: ShareState) -> tuple[bytes, bytes]:
    """The record with a share-partition's whole state."""
    value = ShareSnapshotValue(
        snapshot_epoch=state.snapshot_epoch,
        state_epoch=state.state_epoch,
        leader_epoch=state.leader_epoch,
        start_offset=state.start_offset,
        delivery_complete_count=state.complete_count,
        create_timestamp=state.created_ms,
        write_timestamp=state.written_ms,
        state_batches=write_batches(state.batches, share_snapshot_value.StateBatch),
    )
    return _key(_SNAPSHOT, ShareSnapshotKey, key), codec.encode_versioned(value, _LAYOUT)


def update(key: SharePartitionKey, snapshot_epoch: int, change: Change) -> tuple[bytes, bytes]:
    """The record with a change of a share-partition."""
    value = ShareUpdateValue(
        snapshot_epoch=snapshot_epoch,
        leader_epoch=change.leader_epoch,
        start_offset=change.start_offset,
        delivery_complete_count=change.complete_count,
        state_batches=write_batches(change.batches, share_update_value.StateBatch),
    )
    return _key(_UPDATE, ShareUpdateKey, key), codec.encode_versioned(value, _LAYOUT)


def decode(key: Buffer, value: Buffer | None) -> Snapshot | Update | None:
    """Decode a record; None for unknown types, and for an update without a value.

    Raises MalformedMessage for a known type that cannot be decoded, which includes newer layouts.
    """
    kind = int.from_bytes(key[:2], "big", signed=True)
    try:
        if kind == _SNAPSHOT:
            where = codec.decode_versioned(ShareSnapshotKey, key)
            state = None if value is None else _state(value)
            return Snapshot(_named(where), state)
        if kind == _UPDATE and value is not None:
            return _update(codec.decode_versioned(ShareUpdateKey, key), value)
    except ValueError as error:
        raise MalformedMessage(str(error)) from error
    return None


def _named(key: ShareSnapshotKey | ShareUpdateKey) -> SharePartitionKey:
    return SharePartitionKey(key.group_id, bytes(key.topic_id), key.partition)


def _state(value: Buffer) -> ShareState:
    found = codec.decode_versioned(ShareSnapshotValue, value)
    return ShareState(
        state_epoch=found.state_epoch,
        start_offset=found.start_offset,
        leader_epoch=found.leader_epoch,
        batches=read_batches(found.state_batches),
        complete_count=found.delivery_complete_count,
        snapshot_epoch=found.snapshot_epoch,
        created_ms=found.create_timestamp,
        written_ms=found.write_timestamp,
    )


def _update(key: ShareUpdateKey, value: Buffer) -> Update:
    found = codec.decode_versioned(ShareUpdateValue, value)
    change = Change(
        leader_epoch=found.leader_epoch,
        start_offset=found.start_offset,
        complete_count=found.delivery_complete_count,
        batches=read_batches(found.state_batches),
    )
    return Update(_named(key), found.snapshot_epoch, change)
