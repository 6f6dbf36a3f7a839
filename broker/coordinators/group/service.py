"""The API of groups for handlers: validates, finds the group's shard, builds the answer.

broker/coordinators/host.py finds shards and decides when an answer may be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Final

from raftka.broker.coordinators.group.any_group import GroupType
from raftka.broker.coordinators.group.config import GroupConfig
from raftka.broker.coordinators.group.join import Client
from raftka.broker.coordinators.group.shard import GroupFigures, GroupShard
from raftka.broker.coordinators.host import (
    CoordinatorHost,
    PendingAnswer,
    when_committed,
)
from raftka.broker.coordinators.outbox import Batch, Producer
from raftka.broker.coordinators.runtime import (
    CoordinatorLog,
    Done,
    ShardRuntime,
    perform_nothing,
)
from raftka.broker.coordinators.shard import CoordinatorTopic
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import OFFSETS_TOPIC
from raftka.model.ports import Clock, Dice
from raftka.model.rules import ALL_HOLD, RulesOff
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
from raftka.net.protocol.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)
from raftka.net.router import Pending
from raftka.storage.verification import Guard

if TYPE_CHECKING:
    from raftka.broker.coordinators.group.consumer.service import ConsumerGroups
    from raftka.broker.coordinators.group.streams.service import StreamsGroups

NOBODY: Final = (None, -1)
"""The member id and epoch of a reader that names no member."""


class GroupCoordinatorService:
    """The entry points for handlers, metadata publishers and replicas.

    Operations raise KafkaError: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS,
    COORDINATOR_NOT_AVAILABLE, and the shard's refusals.
    """

    def __init__(
        self,
        config: GroupConfig,
        coordinator_log: CoordinatorLog,
        clock: Clock,
        dice: Dice,
        rules_off: RulesOff = ALL_HOLD,
        perform: Callable[[ShardRuntime[GroupShard], object], None] = perform_nothing,
    ) -> None:
        """`perform` executes the effects of share groups (share/service.py)."""
        self._config = config
        self._dice = dice
        self.host = CoordinatorHost[GroupShard](
            CoordinatorTopic(
                OFFSETS_TOPIC,
                commit_timeout_ms=config.commit_timeout_ms,
                commit_timeout_setting="offsets.commit.timeout.ms",
                max_batch_bytes=config.max_record_bytes,
            ),
            coordinator_log,
            clock,
            make_shard=lambda _partition, _epoch: GroupShard(config, self._new_uuid, rules_off),
            perform=perform,
            key="group",
            invalid_key=ErrorCode.INVALID_GROUP_ID,
        )
        """Finds the shard of a group, for the services of other types of groups."""
        # Called by the broker, in addition to the operations.
        self.run = self.host.run
        self.publish = self.host.publish
        self.became_leader = self.host.became_leader
        self.resigned = self.host.resigned
        self.on_partition_elected = self.host.on_partition_elected
        self.on_partition_resigned = self.host.on_partition_resigned
        self.partition_of = self.host.partition_of

    @cached_property
    def consumer(self) -> ConsumerGroups:
        """Groups of the consumer protocol (KIP-848)."""
        from raftka.broker.coordinators.group.consumer.service import ConsumerGroups

        return ConsumerGroups(self.host, self._config)

    @cached_property
    def streams(self) -> StreamsGroups:
        """Groups of the streams protocol (KIP-1071)."""
        from raftka.broker.coordinators.group.streams.service import StreamsGroups

        return StreamsGroups(self.host, self._config)

    # ---- members

    def join_group(self, request: JoinGroupRequest, client: Client) -> Pending:
        """Answer with a JoinGroupResponse when the join phase ends. Does not raise."""

        def refusal(code: int) -> JoinGroupResponse:
            name = None if client.api_version >= 7 else ""
            return JoinGroupResponse(
                error_code=code, protocol_name=name, member_id=request.member_id
            )

        answer = PendingAnswer(refusal)

        def join(runtime: ShardRuntime[GroupShard]) -> None:
            runtime.shard.join_group(request, client, answer, runtime.now())

        self.host.answer_later(answer, request.group_id, join)
        return answer

    def sync_group(self, request: SyncGroupRequest) -> Pending:
        """Answer with a SyncGroupResponse when the leader has assigned. Does not raise."""
        answer = PendingAnswer(lambda code: SyncGroupResponse(error_code=code))

        def sync(runtime: ShardRuntime[GroupShard]) -> None:
            runtime.shard.sync_group(request, answer, runtime.now())

        self.host.answer_later(answer, request.group_id, sync)
        return answer

    def heartbeat(self, request: HeartbeatRequest) -> None:
        """Extend a session, at once: no record holds it."""
        if not request.group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
        runtime = self.host.runtime_of(request.group_id, writing=False)
        runtime.shard.heartbeat(request, runtime.now())

    async def leave_group(
        self, group_id: str, leaving: list[MemberIdentity]
    ) -> list[MemberResponse]:
        if not group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
        runtime = self.host.runtime_of(group_id)
        answers = runtime.shard.leave_group(group_id, leaving, runtime.now())
        return await when_committed(runtime, answers)

    # ---- offsets

    def commit_offsets(self, request: OffsetCommitRequest, version: int) -> Pending:
        """Answer with an OffsetCommitResponse once the offsets are committed. Does not raise."""
        answer = PendingAnswer(lambda code: _refused_commit(request, code))

        def commit(runtime: ShardRuntime[GroupShard]) -> None:
            topics = runtime.shard.commit_offsets(
                request, version, self._topic_id_of, runtime.now()
            )
            runtime.answer(answer, OffsetCommitResponse(topics=topics))

        self.host.answer_later(answer, request.group_id, commit)
        return answer

    def commit_transactional_offsets(
        self, request: TxnOffsetCommitRequest, guard: Guard | None = None
    ) -> Pending:
        """Answer with a TxnOffsetCommitResponse once the offsets are committed, pending in the
        producer's transaction. `guard` proves that the partition is in it. Does not raise."""
        answer = PendingAnswer(lambda code: refused_txn_commit(request, code))

        def commit(runtime: ShardRuntime[GroupShard]) -> None:
            records, topics = runtime.shard.decide_transactional(
                request, self._topic_id_of, runtime.now()
            )
            response = TxnOffsetCommitResponse(topics=topics)
            if not records:
                runtime.answer(answer, response)
                return

            def done(error: KafkaError | None) -> None:
                if error is None:
                    answer.resolve(response)
                else:
                    answer.fail(error)

            producer = Producer(request.producer_id, request.producer_epoch)
            runtime.append_for_producer(Batch(records, producer, atomic=True, guard=guard), done)

        self.host.answer_later(answer, request.group_id, commit)
        return answer

    def complete_transaction(
        self, partition: int, marker: EndMarker, transaction_version: int, done: Done
    ) -> None:
        """End a transaction in a partition of __consumer_offsets: apply its offsets, or drop them.
        Calls `done` when that is committed, or with the error."""
        who = f"the end of producer {marker.producer_id}'s transaction"
        try:
            runtime = self.host.runtime_at(partition, who)
        except KafkaError as error:
            done(error)
            return
        runtime.end_transaction(marker, done, transaction_version=transaction_version)

    async def fetch_offsets(
        self,
        group_id: str,
        topics: Iterable[tuple[str, Iterable[int]]] | None,
        *,
        stable: bool = False,
        member: tuple[str | None, int] = NOBODY,
    ) -> list[OffsetFetchResponseTopics]:
        """A group's committed offsets, of these (topic, partitions) or all.

        With `stable`, offsets that an open transaction may change are errors (KIP-447). `member`
        identifies the reader by member id and epoch (KIP-848).
        """
        runtime = self.host.runtime_of(group_id, writing=False)
        runtime.shard.check_fetching(group_id, *member)
        found = runtime.shard.fetch_offsets(group_id, topics, self._topic_id_of, stable=stable)
        return await when_committed(runtime, found)

    async def delete_offsets(self, request: OffsetDeleteRequest) -> list[OffsetDeleteResponseTopic]:
        if not request.group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
        runtime = self.host.runtime_of(request.group_id)
        answers = runtime.shard.delete_offsets(request, self._topic_id_of)
        return await when_committed(runtime, answers)

    # ---- administration

    async def describe_group(self, group_id: str) -> DescribedGroup:
        """Describe a classic group for DescribeGroups."""
        runtime = self.host.runtime_of(group_id, writing=False)
        return await when_committed(runtime, runtime.shard.describe_group(group_id))

    async def list_groups(
        self, states: Collection[str], types: Collection[str]
    ) -> list[ListedGroup]:
        """The groups that this broker coordinates, by state and type in any case; all if empty."""
        states = {state.lower() for state in states}
        types = {kind.lower() for kind in types}
        listed = []
        for runtime in self.host.runtimes():
            listed += await when_committed(runtime, runtime.shard.list_groups(states, types))
        return listed

    def is_share_group(self, group_id: str) -> bool:
        """Whether that is a share group, whose state the share coordinator holds."""
        group = self.host.runtime_of(group_id).shard.core.groups.get(group_id)
        return group is not None and group.type is GroupType.SHARE

    async def delete_group(self, group_id: str) -> None:
        runtime = self.host.runtime_of(group_id)
        runtime.shard.delete_group(group_id)
        await when_committed(runtime, None)

    def figures(self) -> list[GroupFigures]:
        """The groups that this broker coordinates and has loaded, for metrics."""
        return [figures for runtime in self.host.loaded() for figures in runtime.shard.figures()]

    # ---- inside

    def _topic_id_of(self, topic: str, partition: int) -> bytes | None:
        found = self.host.image.topics.get(topic)
        return None if found is None or found.partition(partition) is None else found.topic_id

    def _new_uuid(self) -> str:
        """A random uuid (RFC 4122, version 4) as text, from this node's random source."""
        bits = self._dice.getrandbits(128)
        bits = bits & ~(0xF000 << 64) | 0x4000 << 64
        bits = bits & ~(0xC000 << 48) | 0x8000 << 48
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _refused_commit(request: OffsetCommitRequest, code: int) -> OffsetCommitResponse:
    """Repeat an error of the whole request for each of its partitions."""
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
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


def refused_txn_commit(request: TxnOffsetCommitRequest, code: int) -> TxnOffsetCommitResponse:
    """The same as `_refused_commit` for transactional offsets."""
    return TxnOffsetCommitResponse(
        topics=[
            TxnOffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    TxnOffsetCommitResponsePartition(
                        partition_index=partition.partition_index, error_code=code
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )
