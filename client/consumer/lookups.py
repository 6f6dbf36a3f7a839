"""What a consumer asks about partitions, whether it reads them or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from raftka.client.consumer.offsets import OffsetAndTimestamp, list_offsets_for
from raftka.client.consumer.state import EARLIEST, LATEST
from raftka.client.opening import Client
from raftka.client.settings import ClientConfig
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import Clock, Dice, Network


class Questions(Client):
    """The part of the consumer that changes nothing. Each call may take default.api.timeout.ms."""

    def __init__(
        self,
        config: ClientConfig,
        network: Network | None,
        clock: Clock | None,
        dice: Dice | None,
    ) -> None:
        super().__init__(config, network, clock, dice)
        self._api_timeout_s = config.seconds("default.api.timeout.ms")
        self._committed_only = config.text("isolation.level") == "read_committed"

    async def offsets_for_times(
        self, timestamps_ms: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        """The first record at or after each timestamp; None where there is none."""
        answers = await self._list_offsets(timestamps_ms)
        return {t: found if found.offset >= 0 else None for t, found in answers.items()}

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, int]:
        answers = await self._list_offsets(dict.fromkeys(partitions, EARLIEST))
        return {target: found.offset for target, found in answers.items()}

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset that the next record will get (or the last stable one, read_committed)."""
        answers = await self._list_offsets(dict.fromkeys(partitions, LATEST))
        return {target: found.offset for target, found in answers.items()}

    async def partitions_for(self, topic: str) -> list[TopicPartition]:
        """All partitions of a topic. Raises KafkaError when it is not there."""
        self._cluster.follow([topic], allow_creation=False)
        with self._clock.within(self._api_timeout_s):
            while True:
                view = self._cluster.view
                if topic in view.topics:
                    return [TopicPartition(topic, index) for index in view.topics[topic].partitions]
                if topic in view.errors:
                    raise KafkaError(ErrorCode(view.errors[topic]), f"no topic {topic}")
                await self._cluster.refreshed(view.version)
        raise self._late(f"the layout of {topic}")

    async def _list_offsets(
        self, timestamps: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, OffsetAndTimestamp]:
        wanted = {TopicPartition(*target): when for target, when in timestamps.items()}
        answers = await list_offsets_for(
            self._cluster, wanted, self._api_timeout_s, committed_only=self._committed_only
        )
        found: dict[TopicPartition, OffsetAndTimestamp] = {}
        for target, answer in answers.items():
            if isinstance(answer, KafkaError):
                raise answer
            found[target] = answer
        return found

    def _late(self, what: str) -> KafkaError:
        if self._cluster.last_error is not None:
            return self._cluster.unreachable()
        return KafkaError(
            ErrorCode.REQUEST_TIMED_OUT, f"{what}: no answer within {self._api_timeout_s:g} s"
        )
