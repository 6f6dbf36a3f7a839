"""The group coordinator of a broker: the shards of all offsets partitions that it leads.

A partition that this broker begins to lead is read from its log first; its groups are answered
COORDINATOR_LOAD_IN_PROGRESS meanwhile, and all that is in the log must be committed before anything
of it is told. One that it ceases to lead is dropped, and who waits hears NOT_COORDINATOR.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

import trio

from raftka.broker.coordinators.group.config import STRING_BYTES_MAX, GroupConfig
from raftka.broker.coordinators.group.join import Client
from raftka.broker.coordinators.group.shard import GroupShard
from raftka.broker.coordinators.hosted_partition import HostedPartition
from raftka.broker.coordinators.runtime import OffsetsLog, ShardRuntime
from raftka.broker.replication.replica import Replica
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import OFFSETS_TOPIC, TopicPartition
from raftka.model.key_hash import partition_of_key
from raftka.model.ports import Clock, Dice
from raftka.net.protocol.messages.describe_groups import DescribedGroup
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest
from raftka.net.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse
from raftka.net.protocol.messages.leave_group import MemberIdentity, MemberResponse
from raftka.net.protocol.messages.list_groups import ListedGroup
from raftka.net.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from raftka.net.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponseTopic,
)
from raftka.net.protocol.messages.offset_fetch import OffsetFetchResponseTopics
from raftka.net.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from raftka.net.router import Pending

T = TypeVar("T")

_AS_COORDINATOR_ERROR = {
    ErrorCode.NOT_LEADER_OR_FOLLOWER: ErrorCode.NOT_COORDINATOR,
    ErrorCode.FENCED_LEADER_EPOCH: ErrorCode.NOT_COORDINATOR,
    ErrorCode.KAFKA_STORAGE_ERROR: ErrorCode.NOT_COORDINATOR,
    ErrorCode.NOT_ENOUGH_REPLICAS: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.REQUEST_TIMED_OUT: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.MESSAGE_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
    ErrorCode.RECORD_LIST_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
}
"""What the log's errors mean to a client of the group: look for the coordinator, or try again."""


class PendingAnswer(Pending):
    """A request that waits for its group or for the log, and how its API spells an error."""

    __slots__ = ("_refusal",)

    def __init__(self, refusal: Callable[[int], object]) -> None:
        super().__init__()
        self._refusal = refusal

    def fail(self, error: KafkaError) -> None:
        self.resolve(self._refusal(_coordinator_error(error).code))


class GroupCoordinatorService:
    """What handlers, the metadata and the replicas talk to.

    Operations raise KafkaError: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS,
    COORDINATOR_NOT_AVAILABLE, and what the shard refuses.
    """

    def __init__(
        self, config: GroupConfig, offsets_log: OffsetsLog, clock: Clock, dice: Dice
    ) -> None:
        self._config = config
        self._log = offsets_log
        self._clock = clock
        self._dice = dice
        self._image: MetadataImage = EMPTY_IMAGE
        self._hosted: dict[int, HostedPartition] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Load and run shards until cancelled."""
        async with trio.open_nursery() as self._nursery:
            for hosted in self._hosted.values():
                self._nursery.start_soon(hosted.run)
            await trio.sleep_forever()

    # ---- what the broker tells it

    def publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Follow the metadata: the offsets of deleted topics go."""
        self._image = image
        for topic in delta.topics.deleted:
            # One of the same name that was made since has no offsets yet.
            for hosted in self._hosted.values():
                if hosted.runtime is not None:
                    hosted.runtime.shard.topic_deleted(topic.name)
                    hosted.runtime.settle()

    def became_leader(self, replica: Replica) -> None:
        """ReplicaManager's role listener: this broker leads the partition, in a new epoch."""
        if replica.topic == OFFSETS_TOPIC:
            self.on_partition_elected(replica.index, replica.state.view.leader_epoch)

    def resigned(self, topic_partition: TopicPartition, leader_epoch: int) -> None:
        """ReplicaManager's role listener: another leads it now, or nobody."""
        if topic_partition.topic == OFFSETS_TOPIC:
            self.on_partition_resigned(topic_partition.partition)

    def on_partition_elected(self, partition: int, leader_epoch: int) -> None:
        """Load the partition's groups and serve them."""
        self.on_partition_resigned(partition)
        hosted = HostedPartition(
            partition,
            leader_epoch,
            make_shard=lambda: GroupShard(self._config, self._new_uuid),
            offsets_log=self._log,
            clock=self._clock,
            config=self._config,
        )
        self._hosted[partition] = hosted
        if self._nursery is not None:
            self._nursery.start_soon(hosted.run)

    def on_partition_resigned(self, partition: int) -> None:
        """Drop the partition's groups."""
        hosted = self._hosted.pop(partition, None)
        if hosted is not None:
            hosted.stop()

    # ---- members

    def join_group(self, request: JoinGroupRequest, client: Client) -> Pending:
        """Answered with a JoinGroupResponse when the generation is closed. Does not raise."""

        def refusal(code: int) -> JoinGroupResponse:
            name = None if client.api_version >= 7 else ""
            return JoinGroupResponse(
                error_code=code, protocol_name=name, member_id=request.member_id
            )

        answer = PendingAnswer(refusal)

        def join(runtime: ShardRuntime) -> None:
            runtime.shard.join_group(request, client, answer, runtime.now())

        self._wait(answer, request.group_id, join)
        return answer

    def sync_group(self, request: SyncGroupRequest) -> Pending:
        """Answered with a SyncGroupResponse when the leader has assigned. Does not raise."""
        answer = PendingAnswer(lambda code: SyncGroupResponse(error_code=code))

        def sync(runtime: ShardRuntime) -> None:
            runtime.shard.sync_group(request, answer, runtime.now())

        self._wait(answer, request.group_id, sync)
        return answer

    def heartbeat(self, request: HeartbeatRequest) -> None:
        """Prolong a session, at once: it stands in no record."""
        if not request.group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
        runtime = self._runtime(request.group_id, writing=False)
        runtime.shard.heartbeat(request, runtime.now())

    async def leave_group(
        self, group_id: str, leaving: list[MemberIdentity]
    ) -> list[MemberResponse]:
        if not group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
        runtime = self._runtime(group_id)
        answers = runtime.shard.leave_group(group_id, leaving, runtime.now())
        return await _when_safe(runtime, answers)

    # ---- offsets

    def commit_offsets(self, request: OffsetCommitRequest, version: int) -> Pending:
        """Answered with an OffsetCommitResponse once the offsets are safe. Does not raise."""
        answer = PendingAnswer(lambda code: _refused_commit(request, code))

        def commit(runtime: ShardRuntime) -> None:
            topics = runtime.shard.commit_offsets(
                request, version, self._topic_id_of, runtime.now()
            )
            runtime.answer(answer, OffsetCommitResponse(topics=topics))

        self._wait(answer, request.group_id, commit)
        return answer

    async def fetch_offsets(
        self, group_id: str, topics: Iterable[tuple[str, Iterable[int]]] | None
    ) -> list[OffsetFetchResponseTopics]:
        """A group's offsets, of these (topic, partitions) or all; all of them are committed."""
        runtime = self._runtime(group_id, writing=False)
        found = runtime.shard.fetch_offsets(group_id, topics, self._topic_id_of)
        return await _when_safe(runtime, found)

    async def delete_offsets(self, request: OffsetDeleteRequest) -> list[OffsetDeleteResponseTopic]:
        if not request.group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
        runtime = self._runtime(request.group_id)
        answers = runtime.shard.delete_offsets(request, self._topic_id_of)
        return await _when_safe(runtime, answers)

    # ---- administration

    async def describe_group(self, group_id: str) -> DescribedGroup | None:
        """A group for people; None when there is none."""
        runtime = self._runtime(group_id, writing=False)
        return await _when_safe(runtime, runtime.shard.describe_group(group_id))

    async def list_groups(
        self, states: Collection[str], types: Collection[str]
    ) -> list[ListedGroup]:
        """The groups that this broker coordinates, by state and type in any case; all if empty."""
        states = {state.lower() for state in states}
        types = {kind.lower() for kind in types}
        listed = []
        for partition, hosted in sorted(self._hosted.items()):
            runtime = hosted.runtime
            if runtime is None:
                raise KafkaError(
                    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
                    f"{OFFSETS_TOPIC}-{partition} is being loaded",
                )
            listed += await _when_safe(runtime, runtime.shard.list_groups(states, types))
        return listed

    async def delete_group(self, group_id: str) -> None:
        runtime = self._runtime(group_id)
        runtime.shard.delete_group(group_id)
        await _when_safe(runtime, None)

    # ---- inside

    def partition_of(self, group_id: str) -> int | None:
        """The offsets partition that a group lives in; None while the topic does not exist."""
        topic = self._image.topics.get(OFFSETS_TOPIC)
        return None if topic is None else partition_of_key(group_id, len(topic.partitions))

    def _runtime(self, group_id: str, *, writing: bool = True) -> ShardRuntime:
        if len(group_id) > STRING_BYTES_MAX or len(group_id.encode()) > STRING_BYTES_MAX:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is too long")
        partition = self.partition_of(group_id)
        hosted = None if partition is None else self._hosted.get(partition)
        if partition is None or hosted is None:
            raise KafkaError(
                ErrorCode.NOT_COORDINATOR, f"group {group_id!r} is coordinated by another broker"
            )
        if hosted.runtime is None:
            raise KafkaError(
                ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
                f"{OFFSETS_TOPIC}-{partition} with group {group_id!r} is being loaded",
            )
        try:
            self._log.check(partition, writing=writing)
        except KafkaError as error:
            raise _coordinator_error(error) from error
        return hosted.runtime

    def _wait(
        self, answer: PendingAnswer, group_id: str, operation: Callable[[ShardRuntime], None]
    ) -> None:
        """Run an operation that answers later; what it raises is its answer."""
        try:
            runtime = self._runtime(group_id)
        except KafkaError as error:
            answer.fail(error)
            return
        try:
            operation(runtime)
        except KafkaError as error:
            answer.fail(error)
        runtime.settle()

    def _topic_id_of(self, topic: str, partition: int) -> bytes | None:
        found = self._image.topics.get(topic)
        return None if found is None or found.partition(partition) is None else found.topic_id

    def _new_uuid(self) -> str:
        """A random uuid (RFC 4122, version 4) as text, from this node's dice."""
        bits = self._dice.getrandbits(128)
        bits = bits & ~(0xF000 << 64) | 0x4000 << 64
        bits = bits & ~(0xC000 << 48) | 0x8000 << 48
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _refused_commit(request: OffsetCommitRequest, code: int) -> OffsetCommitResponse:
    """An error of the whole request stands at each of its partitions."""
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetCommitResponsePartition(
                        partition_index=partition.partition_index, error_code=code
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def _coordinator_error(error: KafkaError) -> KafkaError:
    return KafkaError(_AS_COORDINATOR_ERROR.get(error.code, error.code), error.message)


async def _when_safe(runtime: ShardRuntime, answer: T) -> T:
    """Give `answer` once everything that it may rest on is committed."""
    runtime.settle()
    try:
        await runtime.committed()
    except KafkaError as error:
        raise _coordinator_error(error) from error
    return answer
