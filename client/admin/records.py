"""Records: delete those before an offset (KIP-107)."""

from __future__ import annotations

from collections.abc import Mapping

from raftka.client.admin.calls import Calls
from raftka.client.admin.outcomes import checked, error_of
from raftka.model.errors import RETRIABLE, ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)


async def delete_records(
    admin: Calls, offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Delete the records before each offset (-1: all that are committed); returns the new log start
    offsets. Raises SomeFailed.
    """
    outcomes: dict[TopicPartition, int | KafkaError] = {}
    remaining = dict(offsets)
    topics = sorted({target.topic for target in offsets})

    async def attempt() -> None:
        await admin.layout_of(topics)
        for target in list(remaining):
            if admin.cluster.view.partition(*target) is None:
                outcomes[target] = KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
                del remaining[target]
        for node, targets in _by_leader(admin, remaining).items():
            await _delete_records_on(admin, node, targets, outcomes, remaining)

    await admin.retrying(attempt)
    return checked({target: outcomes[target] for target in offsets})


def _by_leader(
    admin: Calls, values: Mapping[TopicPartition, int]
) -> dict[int, dict[TopicPartition, int]]:
    found: dict[int, dict[TopicPartition, int]] = {}
    for target, value in values.items():
        leader = admin.cluster.view.leader(*target)
        if leader is None:
            raise KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, f"{target} has no leader")
        found.setdefault(leader.id, {})[target] = value
    return found


async def _delete_records_on(
    admin: Calls,
    node: int,
    targets: Mapping[TopicPartition, int],
    outcomes: dict[TopicPartition, int | KafkaError],
    remaining: dict[TopicPartition, int],
) -> None:
    topics: dict[str, DeleteRecordsTopic] = {}
    for target, offset in targets.items():
        topic = topics.setdefault(
            target.topic, DeleteRecordsTopic(name=target.topic, partitions=[])
        )
        topic.partitions.append(
            DeleteRecordsPartition(partition_index=target.partition, offset=offset)
        )
    channel = await admin.cluster.channel_to(node)
    answer = await admin.cluster.ask(
        channel,
        DeleteRecordsRequest(topics=list(topics.values()), timeout=admin.timeout_ms),
    )
    passing: KafkaError | None = None
    for item in answer.topics:
        for part in item.partitions:
            target = TopicPartition(item.name, part.partition_index)
            error = error_of(part.error_code)
            if error is not None and error.code in RETRIABLE:
                passing = error
                continue
            outcomes[target] = error or part.low_watermark
            del remaining[target]
    if passing is not None:
        raise BrokenConnection(str(passing))
