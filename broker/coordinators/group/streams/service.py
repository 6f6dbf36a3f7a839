"""The API of streams groups for handlers."""

from __future__ import annotations

from raftka.broker.coordinators.group.any_group import GroupType
from raftka.broker.coordinators.group.config import GroupConfig
from raftka.broker.coordinators.group.shard import GroupShard
from raftka.broker.coordinators.group.streams.describe import describe
from raftka.broker.coordinators.group.streams.heartbeat import Beat, Caller, heartbeat
from raftka.broker.coordinators.host import CoordinatorHost, when_committed
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.streams_group_describe import DescribedGroup
from raftka.net.protocol.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest

FEATURE = "streams.version"


class StreamsGroups:
    """Operations on groups of the streams protocol. Raises KafkaError, like CoordinatorHost."""

    def __init__(self, host: CoordinatorHost[GroupShard], config: GroupConfig) -> None:
        self._host = host
        self._config = config

    async def heartbeat(self, request: StreamsGroupHeartbeatRequest, caller: Caller) -> Beat:
        """The answer to a heartbeat, once the records behind it are committed."""
        self.check_enabled()
        runtime = self._host.runtime_of(request.group_id)
        beat = heartbeat(runtime.shard.core, request, caller, runtime.now())
        return await when_committed(runtime, beat)

    async def describe(self, group_id: str) -> DescribedGroup:
        """Describe a group for StreamsGroupDescribe."""
        runtime = self._host.runtime_of(group_id, writing=False)
        return await when_committed(runtime, describe(runtime.shard.core, group_id))

    def check_enabled(self) -> None:
        """Raises KafkaError UNSUPPORTED_VERSION if the cluster does not support the protocol."""
        if GroupType.STREAMS.value not in self._config.protocols:
            why = "group.coordinator.rebalance.protocols does not name it"
        elif self._host.image.features.get(FEATURE, 0) < 1:
            why = f"{FEATURE} is 0: raise it with kafka-features upgrade --feature {FEATURE}=1"
        else:
            return
        raise KafkaError(
            ErrorCode.UNSUPPORTED_VERSION, f"the streams group protocol is not enabled: {why}"
        )
