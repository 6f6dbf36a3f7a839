"""The API of share groups for handlers, and the requests to the share coordinator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

import trio

from raftka.broker.coordinators.group.shard import GroupShard
from raftka.broker.coordinators.group.share import heartbeat, offsets
from raftka.broker.coordinators.group.share.group import ASSIGNOR, Assignment, ShareGroup
from raftka.broker.coordinators.group.share.heartbeat import BeginStates, DeleteStates
from raftka.broker.coordinators.group.share.lags import UNKNOWN, Ends, lag
from raftka.broker.coordinators.host import CoordinatorHost, PendingAnswer, when_committed
from raftka.broker.coordinators.runtime import ShardRuntime
from raftka.broker.share.key import SharePartitionKey
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_OFFSET
from raftka.model.logs import get_logger
from raftka.net.protocol.messages.read_share_group_state_summary import PartitionResult
from raftka.net.protocol.messages.share_group_describe import (
    Assignment as DescribedAssignment,
)
from raftka.net.protocol.messages.share_group_describe import (
    DescribedGroup,
    Member,
    TopicPartitions,
)
from raftka.net.protocol.messages.share_group_heartbeat import (
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
)
from raftka.net.router import Pending

if TYPE_CHECKING:
    from raftka.broker.share.persister import Persister
    from raftka.model.ports import Clock

log = get_logger(__name__)

Runtime = ShardRuntime[GroupShard]

_JOIN_S: Final = 2.0
"""How long a joining member waits at most for the state of its partitions, in seconds."""


class ShareGroupService:
    """The entry points for handlers. `run` must be running. Operations raise KafkaError as those of
    GroupCoordinatorService do."""

    def __init__(
        self, host: CoordinatorHost[GroupShard], persister: Persister, ends: Ends, clock: Clock
    ) -> None:
        self._clock = clock
        self._ends = ends
        self._host = host
        self._persister = persister
        self._nursery: trio.Nursery | None = None
        self._early: list[tuple[Runtime, object]] = []
        """Effects from before `run` has started."""
        self._joining: dict[str, list[Callable[[], None]]] = {}
        """By group: joining members whose partitions' state is being initialized."""

    async def run(self) -> None:
        """Run the tasks that send requests to the share coordinator, until cancelled."""
        async with trio.open_nursery() as self._nursery:
            for runtime, effect in self._early:
                self.perform(runtime, effect)
            await trio.sleep_forever()

    def heartbeat(
        self, request: ShareGroupHeartbeatRequest, client_id: str, client_host: str
    ) -> Pending:
        """Answer with a ShareGroupHeartbeatResponse. Does not raise.

        A joining member is answered when the state of its partitions is initialized, or after
        `_JOIN_S`: without partitions it would wait for its next heartbeat.
        """
        answer = _Heartbeat(lambda code: ShareGroupHeartbeatResponse(error_code=code))
        gives_up_s = self._clock.monotonic() + _JOIN_S

        def operation(runtime: Runtime) -> None:
            core, now = runtime.shard.core, runtime.now()
            response = heartbeat.heartbeat(core, request, client_id, client_host, now)
            may_wait = request.member_epoch == 0 and now.monotonic_s < gives_up_s
            if may_wait and heartbeat.is_early(core, request.group_id, response):
                self._wait_to_join(request.group_id, ask)
            else:
                runtime.answer(answer, response)

        def ask() -> None:
            if not answer.done:
                self._host.answer_later(answer, request.group_id, operation)

        ask()
        return answer

    def _wait_to_join(self, group_id: str, ask: Callable[[], None]) -> None:
        self._joining.setdefault(group_id, []).append(ask)
        if self._nursery is not None:
            self._nursery.start_soon(self._join_in_any_case, ask)

    async def _join_in_any_case(self, ask: Callable[[], None]) -> None:
        await self._clock.sleep(_JOIN_S)
        ask()

    async def describe(self, group_id: str) -> DescribedGroup:
        """Describe a share group for ShareGroupDescribe."""
        runtime = self._host.runtime_of(group_id, writing=False)
        group = heartbeat.find(runtime.shard.core, group_id)
        described = _described(group, runtime.shard.core.image.topic_names)
        return await when_committed(runtime, described)

    # ---- offsets

    async def offsets(
        self, group_id: str, topics: Iterable[tuple[str, Iterable[int]]] | None
    ) -> list[tuple[str, bytes, int]]:
        """(topic, its id, partition) of the given partitions, or of all that a group has state for.

        The id is empty if the topic does not exist. A group that does not exist has no state, which
        is no error, as in Kafka.
        """
        runtime = self._host.runtime_of(group_id, writing=False)
        core = runtime.shard.core
        group = heartbeat.find(core, group_id, or_make=True)
        return await when_committed(runtime, list(offsets.wanted(core, group, topics)))

    async def alter(self, group_id: str, wanted: dict[SharePartitionKey, int]) -> None:
        """Change the start offsets of share-partitions of a group without members.

        A group that does not exist is created. Raises KafkaError, including NON_EMPTY_GROUP and
        INVALID_GROUP_ID.
        """
        if not group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID, "a group's id is at least one character")
        runtime = self._host.runtime_of(group_id)
        if not wanted and group_id not in runtime.shard.core.groups:
            return  # Without offsets there is no reason to create a group.
        epoch = offsets.raise_epoch(runtime.shard.core, group_id, runtime.now())
        await when_committed(runtime, None)
        for key, offset in wanted.items():
            await self._persister.initialize(key, epoch, offset)
        by_topic: dict[bytes, set[int]] = {}
        for key in wanted:
            by_topic.setdefault(key.topic_id, set()).add(key.partition)
        offsets.altered(runtime.shard.core, group_id, by_topic)
        await when_committed(runtime, None)

    async def forget(self, group_id: str, topic_ids: list[bytes]) -> None:
        """Delete state of topics in a group without members. Raises KafkaError as above."""
        runtime = self._host.runtime_of(group_id)
        doomed = offsets.begin_deleting(runtime.shard.core, group_id, topic_ids)
        await when_committed(runtime, None)
        await self._delete(group_id, doomed)
        offsets.deleted(runtime.shard.core, group_id, doomed)
        await when_committed(runtime, None)

    async def summary(self, key: SharePartitionKey) -> PartitionResult:
        """The start offset of a share-partition, from its coordinator. Raises KafkaError."""
        return await self._persister.summary(key)

    async def lag(self, topic: str, index: int, state: PartitionResult) -> int:
        """The group's lag in a partition, in records; lags.UNKNOWN. Raises KafkaError."""
        if state.start_offset == NO_OFFSET:
            return UNKNOWN
        end = await self._ends.of(topic, index)
        return lag(end, state.start_offset, state.delivery_complete_count)

    async def delete_state(self, group_id: str) -> None:
        """Before a group is deleted: have the share coordinator delete its state.

        Does nothing for other types of groups. Raises KafkaError, including NON_EMPTY_GROUP.
        """
        core = self._host.runtime_of(group_id).shard.core
        group = core.groups.get(group_id)
        if isinstance(group, ShareGroup):
            await self.forget(group_id, [*group.initialized, *group.initializing])

    # ---- effects

    def perform(self, runtime: Runtime, effect: object) -> None:
        """Execute an effect of a shard; the group coordinator's runtime calls this."""
        if self._nursery is None:
            self._early.append((runtime, effect))
        elif isinstance(effect, BeginStates):
            self._nursery.start_soon(self._begin, runtime, effect)
        else:
            assert isinstance(effect, DeleteStates), effect
            self._nursery.start_soon(self._finish_deleting, runtime, effect)

    async def _begin(self, runtime: Runtime, effect: BeginStates) -> None:
        done: Assignment = {}
        missed: Assignment = {}

        async def begin(key: SharePartitionKey) -> None:
            try:
                await self._begin_one(key, effect.state_epoch)
            except KafkaError as error:
                log.warning(f"the state of {key} could not be begun: {error.message}")
                missed[key.topic_id] = missed.get(key.topic_id, frozenset()) | {key.partition}
            else:
                done[key.topic_id] = done.get(key.topic_id, frozenset()) | {key.partition}

        await _each(begin, effect.group_id, effect.partitions)
        if runtime.is_live:
            core, now = runtime.shard.core, runtime.now()
            if done:
                heartbeat.begun(core, effect.group_id, done, now)
            if missed:
                heartbeat.not_begun(core, effect.group_id, missed, now)
            runtime.settle()
        for ask in self._joining.pop(effect.group_id, []):
            ask()

    async def _begin_one(self, key: SharePartitionKey, state_epoch: int) -> None:
        try:
            await self._persister.initialize(key, state_epoch, NO_OFFSET)
        except KafkaError as error:
            if error.code is not ErrorCode.FENCED_STATE_EPOCH:
                raise
            # Left over from a deleted group of the same name.
            await self._persister.delete(key)
            await self._persister.initialize(key, state_epoch, NO_OFFSET)

    async def _finish_deleting(self, runtime: Runtime, effect: DeleteStates) -> None:
        try:
            await self._delete(effect.group_id, effect.partitions)
        except KafkaError as error:
            log.warning(f"state of {effect.group_id!r} could not be deleted: {error.message}")
            return
        if runtime.is_live:
            offsets.deleted(runtime.shard.core, effect.group_id, effect.partitions)
            runtime.settle()

    async def _delete(self, group_id: str, partitions: Assignment) -> None:
        """Raises KafkaError if any state could not be deleted."""
        errors: list[KafkaError] = []

        async def delete(key: SharePartitionKey) -> None:
            try:
                await self._persister.delete(key)
            except KafkaError as error:
                if error.code is not ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                    errors.append(error)

        await _each(delete, group_id, partitions)
        if errors:
            raise errors[0]


async def _each(
    action: Callable[[SharePartitionKey], Awaitable[None]], group_id: str, partitions: Assignment
) -> None:
    """Send all requests concurrently: different brokers coordinate the partitions."""
    async with trio.open_nursery() as nursery:
        for topic_id, some in partitions.items():
            for index in sorted(some):
                nursery.start_soon(action, SharePartitionKey(group_id, topic_id, index))


class _Heartbeat(PendingAnswer):
    """Adds the error message to a refused heartbeat."""

    __slots__ = ()

    def fail(self, error: KafkaError) -> None:
        super().fail(error)
        answer = self._answer
        if isinstance(answer, ShareGroupHeartbeatResponse):
            answer.error_message = error.message


def _described(group: ShareGroup, names: Mapping[bytes, str]) -> DescribedGroup:
    return DescribedGroup(
        group_id=group.group_id,
        group_state=group.state_name,
        group_epoch=group.epoch,
        assignment_epoch=group.assignment_epoch,
        assignor_name=ASSIGNOR,
        members=[
            Member(
                member_id=member.member_id,
                rack_id=member.rack_id,
                member_epoch=member.epoch,
                client_id=member.client_id,
                client_host=member.client_host,
                subscribed_topic_names=sorted(member.topics),
                assignment=DescribedAssignment(
                    topic_partitions=[
                        TopicPartitions(
                            topic_id=topic_id,
                            topic_name=names[topic_id],
                            partitions=sorted(some),
                        )
                        for topic_id, some in member.assigned.items()
                        if topic_id in names
                    ]
                ),
            )
            for member in group.members.values()
        ],
    )
