"""The API of consumer groups, as handlers call it."""

from __future__ import annotations

from raftka.broker.coordinators.group.any_group import GroupType
from raftka.broker.coordinators.group.config import GroupConfig
from raftka.broker.coordinators.group.consumer.describe import describe
from raftka.broker.coordinators.group.consumer.heartbeat import Caller, heartbeat
from raftka.broker.coordinators.group.shard import GroupShard
from raftka.broker.coordinators.host import (
    CoordinatorHost,
    PendingAnswer,
    coordinator_error,
    when_committed,
)
from raftka.broker.coordinators.runtime import ShardRuntime
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.consumer_group_describe import DescribedGroup
from raftka.net.protocol.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from raftka.net.router import Pending

_FEATURE = "group.version"


class _Answer(PendingAnswer):
    """Adds the error message to a refused heartbeat."""

    __slots__ = ()

    def fail(self, error: KafkaError) -> None:
        found = coordinator_error(error)
        self.resolve(
            ConsumerGroupHeartbeatResponse(error_code=found.code, error_message=found.message)
        )


class ConsumerGroups:
    """Operations on groups of the consumer protocol."""

    def __init__(self, host: CoordinatorHost[GroupShard], config: GroupConfig) -> None:
        self._host = host
        self._config = config

    def heartbeat(self, request: ConsumerGroupHeartbeatRequest, caller: Caller) -> Pending:
        """Answer once the records behind the answer are committed. Does not raise."""
        answer = _Answer(lambda code: ConsumerGroupHeartbeatResponse(error_code=code))
        try:
            self._check_enabled()
        except KafkaError as error:
            answer.fail(error)
            return answer

        def beat(runtime: ShardRuntime[GroupShard]) -> None:
            shard = runtime.shard
            runtime.answer(answer, heartbeat(shard.core, request, caller, runtime.now()))

        self._host.answer_later(answer, request.group_id, beat)
        return answer

    async def describe(self, group_id: str) -> DescribedGroup:
        """Describe a group for ConsumerGroupDescribe.

        Raises KafkaError GROUP_ID_NOT_FOUND, and what CoordinatorHost raises.
        """
        runtime = self._host.runtime_of(group_id, writing=False)
        return await when_committed(runtime, describe(runtime.shard.core, group_id))

    def _check_enabled(self) -> None:
        """Raises KafkaError UNSUPPORTED_VERSION if the cluster does not support the protocol."""
        if GroupType.CONSUMER.value not in self._config.protocols:
            why = "group.coordinator.rebalance.protocols does not name it"
        elif self._host.image.features.get(_FEATURE, 0) < 1:
            why = f"{_FEATURE} is 0: raise it with kafka-features upgrade --feature {_FEATURE}=1"
        else:
            return
        raise KafkaError(
            ErrorCode.UNSUPPORTED_VERSION, f"the consumer group protocol is not enabled: {why}"
        )
