"""Where a key is coordinated: one broker for each group and each transactional id (KIP-98)."""

from __future__ import annotations

import logging
from typing import Final

from raftka.client.cluster import Cluster
from raftka.client.metadata import Broker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection
from raftka.net.channel import Channel

log = logging.getLogger("raftka.client")

GROUP: Final = 0
TRANSACTION: Final = 1
_KINDS: Final = {GROUP: "group", TRANSACTION: "transactional id"}

LANE: Final = "coordinator"

COORDINATOR_MOVED: Final = frozenset(
    {
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.REQUEST_TIMED_OUT,
    }
)
"""After these errors the coordinator may be another broker: look it up again."""


class Coordinator:
    """The broker that coordinates one key, as far as it is known, and a connection to it."""

    def __init__(self, cluster: Cluster, key: str, kind: int) -> None:
        """`kind`: GROUP or TRANSACTION."""
        self.broker: Broker | None = None
        self.lane = LANE
        self._cluster = cluster
        self._key = key
        self._kind = kind

    @property
    def name(self) -> str:
        """The name of its key in messages."""
        return f"{_KINDS[self._kind]} {self._key}"

    async def channel(self) -> Channel:
        """Look up the broker unless it is known, and connect. Raises KafkaError, retriable if there
        may be a coordinator later, and BrokenConnection when no broker is reachable.
        """
        found = self.broker
        if found is None:
            found = self.broker = await self._cluster.find_coordinator(self._key, self._kind)
            log.info("%s is coordinated by %s", self.name, found)
        try:
            return await self._cluster.connections.channel(found.endpoint, self.lane)
        except BrokenConnection as error:
            self.lost(str(error))
            raise KafkaError(
                ErrorCode.COORDINATOR_NOT_AVAILABLE,
                f"broker {found.id}, the coordinator of {self.name}, cannot be reached: {error}",
            ) from error

    def ready(self) -> Channel | None:
        """The connection if there is one now."""
        if self.broker is None:
            return None
        return self._cluster.connections.ready(self.broker.endpoint, self.lane)

    def lost(self, why: str) -> None:
        """The broker is unreachable, or no longer coordinates the key: look it up again."""
        if self.broker is not None:
            log.info("%s: coordinator %s lost: %s", self.name, self.broker, why)
        self.broker = None
