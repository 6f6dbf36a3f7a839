"""A consumer's lookups of partitions, whether it reads them or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from raftka.client.cluster import Cluster
from raftka.client.consumer.group_client import GroupClient
from raftka.client.consumer.offsets import OffsetAndTimestamp, list_offsets_for
from raftka.client.given import partition_in, partitions_in
from raftka.client.group_offsets import OffsetAndMetadata
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.offset_specs import EARLIEST, LATEST


class Lookups:
    """Asks brokers about partitions, their offsets, and the offsets that a group committed.

    A lookup moves no position and assigns nothing. Each raises KafkaError when it has no answer
    within `timeout_s`.
    """

    def __init__(self, cluster: Cluster, timeout_s: float, *, committed_only: bool) -> None:
        """`timeout_s`: default.api.timeout.ms; `committed_only`: isolation.level."""
        self._cluster = cluster
        self._timeout_s = timeout_s
        self._committed_only = committed_only

    async def offsets_for_times(
        self, timestamps_ms: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        """The first record at or after each timestamp; None where there is none."""
        answers = await self._list_offsets(timestamps_ms)
        return {t: found if found.offset >= 0 else None for t, found in answers.items()}

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """The log start offset of each partition."""
        answers = await self._list_offsets(dict.fromkeys(partitions, EARLIEST))
        return {target: found.offset for target, found in answers.items()}

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The high watermark of each partition, or its last stable offset (`committed_only`)."""
        answers = await self._list_offsets(dict.fromkeys(partitions, LATEST))
        return {target: found.offset for target, found in answers.items()}

    async def partitions_for(self, topic: str) -> list[TopicPartition]:
        """All partitions of a topic. Raises KafkaError when the topic does not exist."""
        cluster = self._cluster
        cluster.follow([topic], allow_creation=False)
        with cluster.clock.within(self._timeout_s):
            while True:
                view = cluster.view
                if topic in view.topics:
                    return [TopicPartition(topic, index) for index in view.topics[topic].partitions]
                if topic in view.errors:
                    raise KafkaError(ErrorCode(view.errors[topic]), f"no topic {topic}")
                await cluster.refreshed(view.version)
        raise no_answer(cluster, f"the layout of {topic}", self._timeout_s)

    async def committed(
        self, group: GroupClient, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """The offsets that `group` has committed, without the partitions that have none."""
        with self._cluster.clock.within(self._timeout_s):
            return await group.committed(partitions_in(partitions))
        raise no_answer(self._cluster, "the committed offsets", self._timeout_s)

    async def _list_offsets(
        self, timestamps: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, OffsetAndTimestamp]:
        wanted = {partition_in(target): when for target, when in timestamps.items()}
        answers = await list_offsets_for(
            self._cluster, wanted, self._timeout_s, committed_only=self._committed_only
        )
        found: dict[TopicPartition, OffsetAndTimestamp] = {}
        for target, answer in answers.items():
            if isinstance(answer, KafkaError):
                raise answer
            found[target] = answer
        return found


def no_answer(cluster: Cluster, what: str, timeout_s: float) -> KafkaError:
    """Why no answer came in time: the connections' last error, or else REQUEST_TIMED_OUT."""
    if cluster.last_error is not None:
        return cluster.unreachable()
    return KafkaError(ErrorCode.REQUEST_TIMED_OUT, f"{what}: no answer within {timeout_s:g} s")
