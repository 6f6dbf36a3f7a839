"""The records of __transaction_state, byte for byte as Apache Kafka writes and reads them.

Keys and values start with an int16: in a key the type of the record (there is only one), in a value
the version of the layout.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from raftka.broker.coordinators.transaction.state import State, Transaction
from raftka.model.ids import TopicPartition
from raftka.model.ports import Buffer
from raftka.net.protocol import codec
from raftka.net.protocol.codec import MalformedMessage
from raftka.net.protocol.messages.transaction_log_key import TransactionLogKey
from raftka.net.protocol.messages.transaction_log_value import (
    PartitionsSchema,
    TransactionLogValue,
)

_KEY: Final = 0
_FLEXIBLE_FROM: Final = 1
"""The lowest transaction.version whose values use layout 1."""


class TransactionRecord(NamedTuple):
    """A transactional id's state; a tombstone if `transaction` is None."""

    transactional_id: str
    transaction: Transaction | None


def transaction_key(transactional_id: str) -> bytes:
    return codec.encode_versioned(TransactionLogKey(transactional_id=transactional_id), _KEY)


def transaction_value(transaction: Transaction, transaction_version: int) -> bytes:
    """The value for the cluster's transaction.version. Layout 0 has no fields for the previous and
    next producer id and the client's version."""
    return codec.encode_versioned(
        log_value(transaction), 1 if transaction_version >= _FLEXIBLE_FROM else 0
    )


def log_value(transaction: Transaction) -> TransactionLogValue:
    """A transactional id as its record holds it."""
    return TransactionLogValue(
        producer_id=transaction.producer_id,
        previous_producer_id=transaction.previous_producer_id,
        next_producer_id=transaction.next_producer_id,
        producer_epoch=transaction.producer_epoch,
        transaction_timeout=transaction.timeout_ms,
        transaction_status=transaction.state.value,
        transaction_partitions=None
        if transaction.state is State.EMPTY
        else _by_topic(transaction.partitions),
        transaction_last_update_timestamp=transaction.updated_ms,
        transaction_start_timestamp=transaction.started_ms,
        client_transaction_version=transaction.client_version,
    )


def _by_topic(partitions: frozenset[TopicPartition]) -> list[PartitionsSchema]:
    found: dict[str, list[int]] = {}
    for topic, partition in sorted(partitions):
        found.setdefault(topic, []).append(partition)
    return [PartitionsSchema(topic=t, partition_ids=ids) for t, ids in found.items()]


def decode(key: Buffer, value: Buffer | None) -> TransactionRecord | None:
    """Decode a record; None for unknown types.

    Raises MalformedMessage for a known type that cannot be decoded, which includes newer layouts.
    """
    if int.from_bytes(key[:2], "big", signed=True) != _KEY:
        return None
    transactional_id = codec.decode_versioned(TransactionLogKey, key).transactional_id
    if value is None:
        return TransactionRecord(transactional_id, None)
    found = codec.decode_versioned(TransactionLogValue, value)
    try:
        state = State(found.transaction_status)
    except ValueError as error:
        raise MalformedMessage(f"{transactional_id!r}: {error}") from error
    transaction = Transaction(
        producer_id=found.producer_id,
        producer_epoch=found.producer_epoch,
        timeout_ms=found.transaction_timeout,
        state=state,
        partitions=frozenset(
            TopicPartition(topic.topic, index)
            for topic in found.transaction_partitions or ()
            for index in topic.partition_ids
        ),
        updated_ms=found.transaction_last_update_timestamp,
        started_ms=found.transaction_start_timestamp,
        previous_producer_id=found.previous_producer_id,
        next_producer_id=found.next_producer_id,
        client_version=found.client_transaction_version,
    )
    return TransactionRecord(transactional_id, transaction)
