"""The lag of share groups (KIP-1226), from the end offsets of the leaders and the state of the
share coordinator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from raftka.broker.peers import ToBroker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_OFFSET
from raftka.model.offset_specs import LATEST
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)

if TYPE_CHECKING:
    from raftka.kraft.image import MetadataImage

_LANE: Final = "share"
_TIMEOUT_S: Final = 5.0
UNKNOWN: Final = -1


class Ends:
    """The end offsets of partitions, from their leaders."""

    def __init__(self, peers: ToBroker, image: Callable[[], MetadataImage]) -> None:
        self._peers = peers
        self._image = image

    async def of(self, topic: str, index: int) -> int:
        """A partition's high watermark. Raises KafkaError."""
        partition = self._image().partition(topic, index)
        if partition is None or not partition.has_leader:
            raise KafkaError(
                ErrorCode.LEADER_NOT_AVAILABLE, f"{topic}-{index} has no leader to ask"
            )
        wanted = ListOffsetsPartition(partition_index=index, timestamp=LATEST)
        request = ListOffsetsRequest(
            replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=[wanted])]
        )
        try:
            answer, _ = await self._peers.ask(
                partition.leader, request, lane=_LANE, timeout_s=_TIMEOUT_S
            )
        except BrokenConnection as error:
            raise KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, str(error)) from error
        found = answer.topics[0].partitions[0]
        if found.error_code:
            raise KafkaError(ErrorCode(found.error_code))
        return found.offset


def lag(end: int, start: int, complete_count: int) -> int:
    """The number of incomplete records; UNKNOWN if the group has not started, never negative."""
    if NO_OFFSET in (start, complete_count):
        return UNKNOWN
    return max(0, end - start - complete_count)
