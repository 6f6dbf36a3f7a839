"""Records: delete those before an offset (KIP-107)."""

from __future__ import annotations

from collections.abc import Mapping

from raftka.client.admin.base import AdminBase
from raftka.client.admin.outcomes import checked, error_of
from raftka.model.errors import RETRIABLE, ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.messages import delete_records
from raftka.net.protocol.messages.delete_records import DeleteRecordsRequest


class RecordOperations(AdminBase):
    """See the module."""

    async def delete_records(
        self, offsets: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """Delete the records before each offset (-1: all that are committed); the new log starts.

        Raises SomeFailed.
        """
        outcomes: dict[TopicPartition, int | KafkaError] = {}
        remaining = dict(offsets)
        topics = sorted({target.topic for target in offsets})

        async def attempt() -> None:
            await self._layout_of(topics)
            for target in list(remaining):
                if self._cluster.view.partition(*target) is None:
                    outcomes[target] = KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
                    del remaining[target]
            for node, targets in self._by_leader(remaining).items():
                await self._delete_records_on(node, targets, outcomes, remaining)

        await self._retrying(attempt)
        return checked({target: outcomes[target] for target in offsets})

    def _by_leader(
        self, values: Mapping[TopicPartition, int]
    ) -> dict[int, dict[TopicPartition, int]]:
        found: dict[int, dict[TopicPartition, int]] = {}
        for target, value in values.items():
            leader = self._cluster.view.leader(*target)
            if leader is None:
                raise KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, f"{target} has no leader")
            found.setdefault(leader.id, {})[target] = value
        return found

    async def _delete_records_on(
        self,
        node: int,
        targets: Mapping[TopicPartition, int],
        outcomes: dict[TopicPartition, int | KafkaError],
        remaining: dict[TopicPartition, int],
    ) -> None:
        topics: dict[str, delete_records.DeleteRecordsTopic] = {}
        for target, offset in targets.items():
            topic = topics.setdefault(
                target.topic, delete_records.DeleteRecordsTopic(name=target.topic, partitions=[])
            )
            topic.partitions.append(
                delete_records.DeleteRecordsPartition(
                    partition_index=target.partition, offset=offset
                )
            )
        channel = await self._cluster.channel_to(node)
        answer = await self._cluster.ask(
            channel,
            DeleteRecordsRequest(topics=list(topics.values()), timeout=self._timeout_ms),
        )
        passing: KafkaError | None = None
        for told in answer.topics:
            for part in told.partitions:
                target = TopicPartition(told.name, part.partition_index)
                error = error_of(part.error_code)
                if error is not None and error.code in RETRIABLE:
                    passing = error
                    continue
                outcomes[target] = error or part.low_watermark
                del remaining[target]
        if passing is not None:
            raise BrokenConnection(str(passing))
