"""Clients of one group shard, in a world where time is a number and there is no wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raftka.broker.coordinators.group.config import GroupConfig
from raftka.broker.coordinators.group.join import Client
from raftka.broker.coordinators.group.offsets import FindPartition
from raftka.broker.coordinators.group.shard import GroupShard
from raftka.broker.coordinators.outbox import Record, deliver
from raftka.broker.coordinators.timers import Moment
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol import codec
from raftka.net.protocol.messages.consumer_protocol_subscription import ConsumerProtocolSubscription
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest
from raftka.net.protocol.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from raftka.net.protocol.messages.leave_group import MemberIdentity
from raftka.net.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from raftka.net.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from raftka.net.protocol.messages.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)

GROUP = "payroll"
TOPIC_IDS = {"access": bytes(15) + b"\x0a", "errors": bytes(15) + b"\x0b"}
PARTITIONS = 4


def subscription(*topics: str, version: int = 1) -> bytes:
    """A consumer's metadata as clients send it."""
    return codec.encode_versioned(ConsumerProtocolSubscription(topics=list(topics)), version)


def find_partition(topic: str, partition: int) -> bytes | None:
    """The topics of this world: `access` and `errors` with four partitions each."""
    return TOPIC_IDS.get(topic) if 0 <= partition < PARTITIONS else None


class Call:
    """A request that waits, as a ticket; its answer, once there is one."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.error: ErrorCode | None = None

    def resolve(self, answer: object) -> None:
        assert not self.done, "answered twice"
        self.answer = answer
        self.error = ErrorCode(getattr(answer, "error_code", 0))

    def fail(self, error: KafkaError) -> None:
        assert not self.done, "answered twice"
        self.error = error.code

    @property
    def done(self) -> bool:
        return self.error is not None

    @property
    def joined(self) -> JoinGroupResponse:
        assert self.error is ErrorCode.NONE, self.error
        assert isinstance(self.answer, JoinGroupResponse)
        return self.answer

    @property
    def assignment(self) -> bytes:
        assert self.error is ErrorCode.NONE, self.error
        assert isinstance(self.answer, SyncGroupResponse)
        return bytes(self.answer.assignment)


class ShardWorld:
    """A shard, the records that it has written, and the time."""

    def __init__(self, **settings: Any) -> None:
        self.config = GroupConfig(**settings)
        self.ids = 0
        self.now = Moment(1000.0, 1_700_000_000_000)
        self.records: list[Record] = []
        self.shard = self._new_shard()
        self.shard.loaded(self.now)
        self.mirror = self._new_shard()
        """Built from the records alone, as they come."""

    def _new_shard(self) -> GroupShard:
        def new_uuid() -> str:
            self.ids += 1
            return f"{self.ids:04}"

        return GroupShard(self.config, new_uuid)

    def settle(self) -> None:
        """Everything that was written is committed: send the answers."""
        written = [record for batch in self.shard.outbox.take() for record in batch.records]
        self.records += written
        for key, value in written:
            self.mirror.replay(key, value)
        for ticket, answer in self.shard.outbox.take_answers():
            deliver(ticket, answer)

    def advance(self, ms: int) -> None:
        """Let time pass, deadline by deadline."""
        end = self.now.monotonic_s + ms / 1000
        while (due := self.shard.next_deadline_s()) is not None and due <= end + 1e-9:
            self._at(max(due, self.now.monotonic_s))
            self.shard.tick(self.now)
            self.settle()
        self._at(end)

    def _at(self, monotonic_s: float) -> None:
        passed_ms = round((monotonic_s - self.now.monotonic_s) * 1000)
        self.now = Moment(monotonic_s, self.now.wall_ms + passed_ms)

    def replayed(self) -> GroupShard:
        """Another shard, from the records alone."""
        shard = self._new_shard()
        for key, value in self.records:
            shard.replay(key, value)
        return shard

    def fail_over(self) -> None:
        """Another node takes over from the log."""
        self.shard = self.replayed()
        self.shard.loaded(self.now)

    # ---- requests

    def join(
        self,
        member_id: str = "",
        *,
        group: str = GROUP,
        instance: str | None = None,
        protocols: Sequence[tuple[str, bytes]] = (("range", b"\x00\x01"),),
        session_ms: int = 10_000,
        rebalance_ms: int = 60_000,
        version: int = 9,
        protocol_type: str = "consumer",
        client: str = "c",
    ) -> Call:
        call = Call()
        request = JoinGroupRequest(
            group_id=group,
            session_timeout=session_ms,
            rebalance_timeout=rebalance_ms,
            member_id=member_id,
            group_instance_id=instance,
            protocol_type=protocol_type,
            protocols=[JoinGroupRequestProtocol(name=n, metadata=m) for n, m in protocols],
        )
        try:
            self.shard.join_group(request, Client(client, "/127.0.0.1", version), call, self.now)
        except KafkaError as error:
            call.fail(error)
        self.settle()
        return call

    def new_member(self, **options: Any) -> tuple[str, Call]:
        """Join without an id, and again with the assigned one (KIP-394)."""
        told = self.join(**options)
        assert told.error is ErrorCode.MEMBER_ID_REQUIRED, told.error
        member_id: str = told.answer.member_id
        return member_id, self.join(member_id, **options)

    def sync(
        self,
        member_id: str,
        generation: int,
        shares: dict[str, bytes] | None = None,
        *,
        group: str = GROUP,
        instance: str | None = None,
        protocol: str | None = "range",
    ) -> Call:
        call = Call()
        request = SyncGroupRequest(
            group_id=group,
            generation_id=generation,
            member_id=member_id,
            group_instance_id=instance,
            protocol_type="consumer",
            protocol_name=protocol,
            assignments=[
                SyncGroupRequestAssignment(member_id=m, assignment=a)
                for m, a in (shares or {}).items()
            ],
        )
        try:
            self.shard.sync_group(request, call, self.now)
        except KafkaError as error:
            call.fail(error)
        self.settle()
        return call

    def heartbeat(
        self, member_id: str, generation: int, *, group: str = GROUP, instance: str | None = None
    ) -> ErrorCode:
        request = HeartbeatRequest(
            group_id=group,
            generation_id=generation,
            member_id=member_id,
            group_instance_id=instance,
        )
        try:
            self.shard.heartbeat(request, self.now)
        except KafkaError as error:
            return error.code
        return ErrorCode.NONE

    def leave(
        self, member_id: str = "", *, instance: str | None = None, group: str = GROUP
    ) -> ErrorCode:
        identity = MemberIdentity(member_id=member_id, group_instance_id=instance)
        (answer,) = self.shard.leave_group(group, [identity], self.now)
        self.settle()
        return ErrorCode(answer.error_code)

    def commit(
        self,
        offset: int,
        *,
        topic: str = "access",
        partition: int = 0,
        metadata: str | None = "",
        member_id: str = "",
        generation: int = -1,
        instance: str | None = None,
        group: str = GROUP,
        version: int = 9,
        retention_ms: int = -1,
        find: FindPartition = find_partition,
    ) -> ErrorCode:
        wanted = OffsetCommitRequestPartition(
            partition_index=partition, committed_offset=offset, committed_metadata=metadata
        )
        request = OffsetCommitRequest(
            group_id=group,
            generation_id_or_member_epoch=generation,
            member_id=member_id,
            group_instance_id=instance,
            retention_time=retention_ms,
            topics=[OffsetCommitRequestTopic(name=topic, partitions=[wanted])],
        )
        try:
            (answer,) = self.shard.commit_offsets(request, version, find, self.now)
        except KafkaError as error:
            return error.code
        finally:
            self.settle()
        return ErrorCode(answer.partitions[0].error_code)

    def committed(
        self,
        topic: str = "access",
        partition: int = 0,
        *,
        group: str = GROUP,
        find: FindPartition | None = None,
    ) -> tuple[int, str | None]:
        (found,) = self.shard.fetch_offsets(group, [(topic, [partition])], find or find_partition)
        return found.partitions[0].committed_offset, found.partitions[0].metadata

    def delete_offset(
        self, topic: str = "access", partition: int = 0, *, group: str = GROUP
    ) -> ErrorCode:
        wanted = OffsetDeleteRequestTopic(
            name=topic, partitions=[OffsetDeleteRequestPartition(partition_index=partition)]
        )
        request = OffsetDeleteRequest(group_id=group, topics=[wanted])
        try:
            (answer,) = self.shard.delete_offsets(request, find_partition)
        except KafkaError as error:
            return error.code
        finally:
            self.settle()
        return ErrorCode(answer.partitions[0].error_code)

    def state(self, group: str = GROUP) -> str:
        try:
            return self.shard.describe_group(group).group_state
        except KafkaError as error:
            assert error.code is ErrorCode.GROUP_ID_NOT_FOUND
            return "Dead"

    # ---- whole scenarios

    def stable_group(self, size: int = 1, **options: Any) -> tuple[list[str], int]:
        """A group of that many dynamic members with an assignment each: (member ids, generation).

        The first one leads. Each one's share is its own id.
        """
        calls = [self.new_member(**options) for _ in range(size)]
        self.advance(2 * self.config.initial_rebalance_delay_ms + 1)
        members = [member_id for member_id, _ in calls]
        generation = calls[0][1].joined.generation_id
        self.assign(members, generation)
        return members, generation

    def assign(self, members: list[str], generation: int) -> None:
        """The first, which leads, gives each its own id as its share."""
        shares = {member_id: member_id.encode() for member_id in members}
        for member_id in members[1:]:
            assert not self.sync(member_id, generation).done
        assert self.sync(members[0], generation, shares).assignment == members[0].encode()
        assert self.state() == "Stable"
