"""The producer: batches, partitions, sequence numbers, and the task that sends."""

from raftka.client.producer.delivery import Delivery, RecordMetadata
from raftka.client.producer.producer import Producer
from raftka.client.producer.transaction_errors import (
    MustAbort,
    MustClose,
    MustRetry,
    ProducerFenced,
    TransactionError,
)

__all__ = [
    "Delivery",
    "MustAbort",
    "MustClose",
    "MustRetry",
    "Producer",
    "ProducerFenced",
    "RecordMetadata",
    "TransactionError",
]
