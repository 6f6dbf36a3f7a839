"""Reads a replica from the broker that has it, leader or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from raftka.client.admin.calls import Calls
from raftka.client.admin.outcomes import error_of, raise_for
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition
from raftka.net.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    PartitionData,
    ReplicaState,
)

_DEBUGGING_CONSUMER = -2
"""The replica id of a reader that followers answer, too."""
_ANSWER_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True)
class ReplicaRecords:
    """One replica's data from an offset on; `records`: whole batches, perhaps a partial one."""

    high_watermark: int
    records: bytes


async def fetch_replicas(
    admin: Calls,
    broker_id: int,
    offsets: Mapping[TopicPartition, int],
    topic_ids: Mapping[str, bytes],
    *,
    partition_bytes: int = 1 << 20,
    max_wait_ms: int = 1000,
) -> dict[TopicPartition, ReplicaRecords | KafkaError]:
    """The records from these offsets on, of the replicas that one broker has.

    `topic_ids`: 16 bytes by name. An error of one partition is its outcome. Raises KafkaError
    for the broker as a whole, BROKER_NOT_AVAILABLE for one that does not answer.
    """
    topics: dict[str, FetchTopic] = {}
    for target, offset in offsets.items():
        topic = topics.setdefault(
            target.topic, FetchTopic(topic=target.topic, topic_id=topic_ids[target.topic])
        )
        topic.partitions.append(
            FetchPartition(
                partition=target.partition,
                fetch_offset=offset,
                partition_max_bytes=partition_bytes,
            )
        )
    request = FetchRequest(
        replica_id=_DEBUGGING_CONSUMER,
        replica_state=ReplicaState(replica_id=_DEBUGGING_CONSUMER),
        max_wait=max_wait_ms,
        min_bytes=1,
        max_bytes=_ANSWER_BYTES_MAX,
        topics=list(topics.values()),
    )
    answer = await admin.ask_broker(broker_id, request)
    raise_for(answer.error_code)
    names = {topic_id: name for name, topic_id in topic_ids.items()}
    return {
        TopicPartition(item.topic or names[item.topic_id], part.partition_index): _records(part)
        for item in answer.responses
        for part in item.partitions
    }


def _records(part: PartitionData) -> ReplicaRecords | KafkaError:
    error = error_of(part.error_code)
    if error is not None:
        return error
    records = part.records
    # Senders set a list; a received answer has one buffer, or nothing.
    received = b"" if records is None or isinstance(records, list) else bytes(records)
    return ReplicaRecords(part.high_watermark, received)
