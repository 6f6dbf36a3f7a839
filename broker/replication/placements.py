"""Reports to the controller which log directory each replica is in (AssignReplicasToDirs, KIP-858).

Only a broker with several directories does so: if the only one fails, the broker shuts down.
Pending reports are sent even if their directory has failed; the controller knows by then that it is
offline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from itertools import islice
from typing import Final

from raftka.broker.channels import Channels
from raftka.kraft.image import PartitionImage
from raftka.model.errors import ErrorCode
from raftka.model.ids import LOST_DIRECTORY, UNASSIGNED_DIRECTORY, Uuid
from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection, Clock
from raftka.net.protocol.messages.assign_replicas_to_dirs import (
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsResponse,
    DirectoryData,
    PartitionData,
    TopicData,
)

log = get_logger(__name__)

MOST_AT_ONCE: Final = 2250
"""Replicas per request, as in Apache Kafka."""
_RETRY_S: Final = 0.1
_LONGEST_RETRY_S: Final = 5.0
_GONE: Final = frozenset(
    (
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
    )
)
"""The replica is no longer assigned to this broker: there is nothing to report."""

Key = tuple[bytes, int]
"""(topic id, partition)"""


class Placements:
    """The pending reports; `run` must be running."""

    def __init__(
        self,
        node_id: int,
        identities: Mapping[str, Uuid],
        channels: Channels,
        clock: Clock,
        broker_epoch: Callable[[], int],
    ) -> None:
        """`identities` maps the path of each log directory to its id."""
        self._node_id = node_id
        self._identities = identities
        self._channels = channels
        self._clock = clock
        self._broker_epoch = broker_epoch
        self._waiting: dict[Key, Uuid] = {}
        self._alarm = clock.alarm()

    def placed(self, key: Key, directory: str, view: PartitionImage) -> None:
        """A replica of the metadata's partition `view` is in that directory."""
        if len(self._identities) == 1:
            return
        identity = self._identities[directory]
        if view.directory_of(self._node_id) == identity:
            self._waiting.pop(key, None)
        else:
            self._waiting[key] = identity
            self._alarm.ring()

    def is_offline(self, view: PartitionImage, offline: Container[str]) -> bool:
        """Whether the metadata has this broker's replica in a directory that is in `offline`, or in
        one that was unreadable when the broker started."""
        identity = view.directory_of(self._node_id)
        if identity in (UNASSIGNED_DIRECTORY, LOST_DIRECTORY):
            return False
        return all(path in offline for path, each in self._identities.items() if each == identity)

    async def run(self) -> None:
        """Send reports until cancelled."""
        pause_s = 0.0
        while True:
            if not self._waiting:
                await self._alarm.wait(math.inf)
            elif pause_s:
                await self._clock.sleep(pause_s)
            said = dict(islice(self._waiting.items(), MOST_AT_ONCE))
            if said and not await self._say(said):
                pause_s = min(_LONGEST_RETRY_S, 2 * pause_s or _RETRY_S)
            else:
                pause_s = 0.0

    async def _say(self, placements: Mapping[Key, Uuid]) -> bool:
        """Send one report; return whether the controller has accepted all of it."""
        try:
            answer = await self._channels.to_controller(self._request(placements), timeout_s=10.0)
        except BrokenConnection as error:
            log.warning(f"the controller does not know all log directories yet: {error}")
            return False
        if answer.error_code != ErrorCode.NONE:
            return False
        complete = True
        for key, code in _codes(answer):
            if code == ErrorCode.NONE or code in _GONE:
                if self._waiting.get(key) == placements.get(key):
                    self._waiting.pop(key, None)
            else:
                complete = False
        return complete

    def _request(self, placements: Mapping[Key, Uuid]) -> AssignReplicasToDirsRequest:
        by_directory: dict[Uuid, dict[bytes, list[int]]] = {}
        for (topic_id, index), directory in placements.items():
            by_directory.setdefault(directory, {}).setdefault(topic_id, []).append(index)
        return AssignReplicasToDirsRequest(
            broker_id=self._node_id,
            broker_epoch=self._broker_epoch(),
            directories=[
                DirectoryData(
                    id=directory,
                    topics=[
                        TopicData(
                            topic_id=topic_id,
                            partitions=[PartitionData(partition_index=each) for each in indexes],
                        )
                        for topic_id, indexes in topics.items()
                    ],
                )
                for directory, topics in by_directory.items()
            ],
        )


def _codes(answer: AssignReplicasToDirsResponse) -> list[tuple[Key, int]]:
    return [
        ((bytes(topic.topic_id), part.partition_index), part.error_code)
        for directory in answer.directories
        for topic in directory.topics
        for part in topic.partitions
    ]
