"""The state of a transactional id in __transaction_state, preceded by an int16 with the version.
Apache Kafka writes 1 from transaction.version 1 on, and 0 before. Times in ms.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Message, Struct


class PartitionsSchema(Struct):
    LAYOUT = (
        "topic string",
        "partition_ids []int32",
    )
    __slots__ = (
        "topic",
        "partition_ids",
    )

    def __init__(
        self,
        *,
        topic: str = "",
        partition_ids: list[int] = FRESH,
    ) -> None:
        self.topic = topic
        self.partition_ids = [] if partition_ids is FRESH else partition_ids


class TransactionLogValue(Message):
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 1
    LAYOUT = (
        "producer_id int64",
        "previous_producer_id int64 1+ tag 0 = -1",
        "next_producer_id int64 1+ tag 1 = -1",
        "producer_epoch int16",
        "next_producer_epoch int16 1+ tag 3 = -1",
        "transaction_timeout int32",
        "transaction_status int8",
        "transaction_partitions []PartitionsSchema nullable",
        "transaction_last_update_timestamp int64",
        "transaction_start_timestamp int64",
        "client_transaction_version int16 1+ tag 2",
    )
    __slots__ = (
        "producer_id",
        "previous_producer_id",
        "next_producer_id",
        "producer_epoch",
        "next_producer_epoch",
        "transaction_timeout",
        "transaction_status",
        "transaction_partitions",
        "transaction_last_update_timestamp",
        "transaction_start_timestamp",
        "client_transaction_version",
    )

    def __init__(
        self,
        *,
        producer_id: int = 0,
        previous_producer_id: int = -1,
        next_producer_id: int = -1,
        producer_epoch: int = 0,
        next_producer_epoch: int = -1,
        transaction_timeout: int = 0,
        transaction_status: int = 0,
        transaction_partitions: list[PartitionsSchema] | None = FRESH,
        transaction_last_update_timestamp: int = 0,
        transaction_start_timestamp: int = 0,
        client_transaction_version: int = 0,
    ) -> None:
        self.producer_id = producer_id
        self.previous_producer_id = previous_producer_id
        self.next_producer_id = next_producer_id
        self.producer_epoch = producer_epoch
        self.next_producer_epoch = next_producer_epoch
        self.transaction_timeout = transaction_timeout
        self.transaction_status = transaction_status
        self.transaction_partitions = (
            [] if transaction_partitions is FRESH else transaction_partitions
        )
        self.transaction_last_update_timestamp = transaction_last_update_timestamp
        self.transaction_start_timestamp = transaction_start_timestamp
        self.client_transaction_version = client_transaction_version
