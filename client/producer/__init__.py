"""The producer: batches, partitions, sequence numbers, and the task that sends."""

from client.producer.batch import RecordMetadata
from client.producer.producer import Producer

__all__ = ["Producer", "RecordMetadata"]
