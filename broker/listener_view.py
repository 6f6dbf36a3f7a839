"""The brokers that clients of one listener can reach, for answers about topics."""

from __future__ import annotations

from raftka.kraft.image import MetadataImage, PartitionImage
from raftka.model.errors import ErrorCode
from raftka.model.ids import NO_BROKER


class Reach:
    """One image as the clients of one listener see it."""

    def __init__(self, image: MetadataImage, listener: str) -> None:
        self._reachable: dict[int, bool] = {
            broker.broker_id: broker.endpoint(listener) is not None
            for broker in image.alive_brokers()
        }
        """The live brokers, and whether this listener's clients can reach them."""
        self._image = image

    def leader(self, partition: PartitionImage) -> tuple[int, ErrorCode]:
        """The leader for the answer, or NO_BROKER and the error."""
        reachable = self._reachable.get(partition.leader)
        if reachable is None:
            return NO_BROKER, ErrorCode.LEADER_NOT_AVAILABLE
        if not reachable:
            return NO_BROKER, ErrorCode.LISTENER_NOT_FOUND
        return partition.leader, ErrorCode.NONE

    def offline(self, partition: PartitionImage) -> list[int]:
        """The replicas on brokers that are not alive, or in offline log directories."""
        offline = [replica for replica in partition.replicas if replica not in self._reachable]
        if partition.directories:
            has_directory = self._image.has_online_directory
            offline += [
                replica
                for replica in partition.replicas
                if replica not in offline and not has_directory(partition, replica)
            ]
        return offline
