"""The producer: batches, partitions, sequence numbers, and the task that sends."""

from raftka.client.producer.batch import RecordMetadata
from raftka.client.producer.producer import Producer

__all__ = ["Producer", "RecordMetadata"]
