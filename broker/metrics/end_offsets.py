"""The end offsets of partitions that other brokers lead, for the lag of groups.

Each scrape asks every leader concurrently; a leader that does not answer within a second keeps its
last answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_BROKER, TopicPartition
from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)

if TYPE_CHECKING:
    from raftka.broker.node import Node

log = get_logger(__name__)

_PATIENCE_S: Final = 1.0
_LATEST: Final = -1
_LANE: Final = "metrics"


class EndOffsets:
    """The high watermarks of partitions, whichever broker leads them."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._known: dict[TopicPartition, int] = {}

    async def of(self, wanted: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The known high watermarks; unknown and leaderless partitions are left out."""
        node = self._node
        found: dict[TopicPartition, int] = {}
        elsewhere: dict[int, list[TopicPartition]] = {}
        for at in wanted:
            replica = node.replicas.get(*at)
            view = node.image.partition(*at)
            if replica is not None and replica.state.is_leader:
                found[at] = replica.state.high_watermark
            elif view is not None and view.leader not in (NO_BROKER, node.node_id):
                elsewhere.setdefault(view.leader, []).append(at)
        with node.clock.within(_PATIENCE_S):
            async with trio.open_nursery() as nursery:
                for broker_id, partitions in elsewhere.items():
                    nursery.start_soon(partial(self._ask, broker_id, partitions))
        asked = [at for partitions in elsewhere.values() for at in partitions]
        self._known = {at: self._known[at] for at in asked if at in self._known}
        return found | self._known

    async def _ask(self, broker_id: int, partitions: list[TopicPartition]) -> None:
        topics: dict[str, ListOffsetsTopic] = {}
        for topic, index in partitions:
            asked = topics.setdefault(topic, ListOffsetsTopic(name=topic))
            asked.partitions.append(ListOffsetsPartition(partition_index=index, timestamp=_LATEST))
        request = ListOffsetsRequest(replica_id=NO_BROKER, topics=list(topics.values()))
        try:
            answer, _ = await self._node.peers.ask(
                broker_id, request, lane=_LANE, timeout_s=_PATIENCE_S
            )
        except (BrokenConnection, KafkaError) as error:
            log.debug(f"broker {broker_id} does not say where its partitions end: {error}")
            return
        for topic_answer in answer.topics:
            for part in topic_answer.partitions:
                if part.error_code == ErrorCode.NONE:
                    at = TopicPartition(topic_answer.name, part.partition_index)
                    self._known[at] = part.offset
