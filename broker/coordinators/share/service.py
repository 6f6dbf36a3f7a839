"""The API of the share coordinator for handlers: finds the shards, gathers their answers.

A request may name many share-partitions; each has its own shard, and its own error in the answer,
which is sent once all of them are committed. Operations are applied in the order of the requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from raftka.broker.coordinators.host import CoordinatorHost, coordinator_error
from raftka.broker.coordinators.runtime import CoordinatorLog, ShardRuntime
from raftka.broker.coordinators.shard import CoordinatorTopic
from raftka.broker.coordinators.share.config import ShareStateConfig
from raftka.broker.coordinators.share.records import read_batches, write_batches
from raftka.broker.coordinators.share.shard import ShareStateShard
from raftka.broker.coordinators.share.state import Change, ShareState
from raftka.broker.share.key import SharePartitionKey
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_OFFSET, SHARE_STATE_TOPIC
from raftka.model.ports import Clock
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.net.protocol.message import Response
from raftka.net.protocol.messages import (
    delete_share_group_state as deleting,
)
from raftka.net.protocol.messages import (
    initialize_share_group_state as initializing,
)
from raftka.net.protocol.messages import (
    read_share_group_state as reading,
)
from raftka.net.protocol.messages import (
    read_share_group_state_summary as summing,
)
from raftka.net.protocol.messages import (
    write_share_group_state as writing,
)
from raftka.net.router import Pending


class ShareFigures(NamedTuple):
    """The metrics of a share-partition."""

    key: SharePartitionKey
    start_offset: int
    complete_count: int
    """The number of completed offsets from the start offset on."""


Runtime = ShardRuntime[ShareStateShard]
Operation = Callable[[Runtime, SharePartitionKey, Any, Any], None]
"""(shard, share-partition, its entry in the request, its entry in the answer) of an operation."""


_SHAPES: Final[dict[type[Any], tuple[type[Any], type[Any], type[Any]]]] = {
    initializing.InitializeShareGroupStateRequest: (
        initializing.InitializeShareGroupStateResponse,
        initializing.InitializeStateResult,
        initializing.PartitionResult,
    ),
    reading.ReadShareGroupStateRequest: (
        reading.ReadShareGroupStateResponse,
        reading.ReadStateResult,
        reading.PartitionResult,
    ),
    writing.WriteShareGroupStateRequest: (
        writing.WriteShareGroupStateResponse,
        writing.WriteStateResult,
        writing.PartitionResult,
    ),
    deleting.DeleteShareGroupStateRequest: (
        deleting.DeleteShareGroupStateResponse,
        deleting.DeleteStateResult,
        deleting.PartitionResult,
    ),
    summing.ReadShareGroupStateSummaryRequest: (
        summing.ReadShareGroupStateSummaryResponse,
        summing.ReadStateSummaryResult,
        summing.PartitionResult,
    ),
}
"""By request: the message types of its answer, and of a topic and a partition in it."""


def refused(request: Any, error: KafkaError) -> Response:
    """Repeat an error of the whole request for each share-partition: it has no field of its own."""
    response_type, topic_result, partition_result = _SHAPES[type(request)]
    response: Response = response_type(
        results=[
            topic_result(
                topic_id=bytes(topic.topic_id),
                partitions=[
                    partition_result(
                        partition=each.partition,
                        error_code=int(error.code),
                        error_message=error.message,
                    )
                    for each in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )
    return response


class ShareCoordinatorService:
    """The entry points for handlers, metadata publishers and replicas. Operations do not raise."""

    def __init__(
        self,
        config: ShareStateConfig,
        coordinator_log: CoordinatorLog,
        clock: Clock,
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        self._host = CoordinatorHost[ShareStateShard](
            CoordinatorTopic(
                SHARE_STATE_TOPIC,
                commit_timeout_ms=config.write_timeout_ms,
                commit_timeout_setting="share.coordinator.write.timeout.ms",
                max_batch_bytes=config.max_record_bytes,
            ),
            coordinator_log,
            clock,
            make_shard=lambda _partition, _epoch: ShareStateShard(config, rules_off),
            key="share-partition",
            invalid_key=ErrorCode.INVALID_REQUEST,
        )
        # Called by the broker, in addition to the operations.
        self.run = self._host.run
        self.publish = self._host.publish
        self.became_leader = self._host.became_leader
        self.resigned = self._host.resigned
        self.on_partition_elected = self._host.on_partition_elected
        self.on_partition_resigned = self._host.on_partition_resigned
        self.loaded = self._host.loaded

    def figures(self) -> list[ShareFigures]:
        """The share-partitions whose state this broker holds, for metrics."""
        return [
            ShareFigures(key, state.start_offset, max(state.complete_count, 0))
            for runtime in self._host.loaded()
            for key, state in runtime.shard.states().items()
            if state.start_offset != NO_OFFSET
        ]

    def initialize(self, request: initializing.InitializeShareGroupStateRequest) -> Pending:
        """Answer with an InitializeShareGroupStateResponse."""

        def operation(runtime: Runtime, key: SharePartitionKey, wanted: Any, _result: Any) -> None:
            runtime.shard.initialize(key, wanted.state_epoch, wanted.start_offset, runtime.now())

        return self._gather(
            request,
            operation,
        )

    def read(self, request: reading.ReadShareGroupStateRequest) -> Pending:
        """Answer with a ReadShareGroupStateResponse."""

        def operation(runtime: Runtime, key: SharePartitionKey, wanted: Any, result: Any) -> None:
            state = runtime.shard.read(key, wanted.leader_epoch, runtime.now())
            _fill(result, state)
            result.state_batches = write_batches(state.batches, reading.StateBatch)

        return self._gather(
            request,
            operation,
        )

    def write(self, request: writing.WriteShareGroupStateRequest) -> Pending:
        """Answer with a WriteShareGroupStateResponse."""

        def operation(runtime: Runtime, key: SharePartitionKey, wanted: Any, _result: Any) -> None:
            try:
                batches = read_batches(wanted.state_batches)
            except ValueError as error:
                raise KafkaError(ErrorCode.INVALID_REQUEST, str(error)) from error
            change = Change(
                wanted.leader_epoch, wanted.start_offset, wanted.delivery_complete_count, batches
            )
            runtime.shard.write(key, wanted.state_epoch, change, runtime.now())

        return self._gather(
            request,
            operation,
        )

    def delete(self, request: deleting.DeleteShareGroupStateRequest) -> Pending:
        """Answer with a DeleteShareGroupStateResponse."""

        def operation(runtime: Runtime, key: SharePartitionKey, _wanted: Any, _result: Any) -> None:
            runtime.shard.delete(key, runtime.now())

        return self._gather(
            request,
            operation,
        )

    def summarize(self, request: summing.ReadShareGroupStateSummaryRequest) -> Pending:
        """Answer with a ReadShareGroupStateSummaryResponse."""

        def operation(runtime: Runtime, key: SharePartitionKey, _wanted: Any, result: Any) -> None:
            state = runtime.shard.summary(key)
            _fill(result, state)
            result.leader_epoch = state.leader_epoch
            result.delivery_complete_count = state.complete_count

        return self._gather(
            request,
            operation,
            writing=False,
        )

    def _gather(
        self,
        request: Any,
        operation: Operation,
        *,
        writing: bool = True,
    ) -> Pending:
        """Run the operation in the shard of each share-partition; answer once all are committed."""
        response_type, topic_result, partition_result = _SHAPES[type(request)]
        response = response_type()
        gathered = _Gathered(response)
        for topic in request.topics:
            topic_id = bytes(topic.topic_id)  # The frame is released before the answer.
            answered = topic_result(topic_id=topic_id)
            response.results.append(answered)
            for wanted in topic.partitions:
                result = partition_result(partition=wanted.partition)
                answered.partitions.append(result)
                key = SharePartitionKey(request.group_id, topic_id, wanted.partition)
                self._ask(operation, key, wanted, gathered.ticket(result), writing)
        return gathered.start()

    def _ask(
        self,
        operation: Operation,
        key: SharePartitionKey,
        wanted: Any,
        ticket: _Ticket,
        writing: bool,
    ) -> None:
        try:
            if not key.group_id:
                raise KafkaError(ErrorCode.INVALID_REQUEST, "The group id cannot be empty.")
            runtime = self._host.runtime_of(str(key), writing=writing)
            operation(runtime, key, wanted, ticket.result)
        except KafkaError as error:
            ticket.refuse(error)
            return
        runtime.answer(ticket, None)
        runtime.settle()


def _fill(result: Any, state: ShareState) -> None:
    result.state_epoch = state.state_epoch
    result.start_offset = state.start_offset


class _Gathered(Pending):
    """Answers once each share-partition of a request has its result."""

    __slots__ = ("_left", "_response")

    def __init__(self, response: object) -> None:
        super().__init__()
        self._response = response
        self._left = 1
        """The number of share-partitions without a result, plus one until `start`."""

    def ticket(self, result: Any) -> _Ticket:
        self._left += 1
        return _Ticket(self, result)

    def start(self) -> Pending:
        """Answer as soon as no result is missing, from now on."""
        self.one_less()
        return self

    def one_less(self) -> None:
        self._left -= 1
        if not self._left:
            self.resolve(self._response)


class _Ticket:
    """One share-partition of a request: stores its result in the answer."""

    __slots__ = ("_gathered", "result")

    def __init__(self, gathered: _Gathered, result: Any) -> None:
        self._gathered = gathered
        self.result = result

    def resolve(self, _answer: object) -> None:
        """Its records are committed."""
        self._gathered.one_less()

    def fail(self, error: KafkaError) -> None:
        """The log has refused its records, or their outcome is unknown."""
        self.refuse(coordinator_error(error))

    def refuse(self, error: KafkaError) -> None:
        """The shard has refused it, or there is none."""
        self.result.error_code, self.result.error_message = int(error.code), error.message
        self._gathered.one_less()
