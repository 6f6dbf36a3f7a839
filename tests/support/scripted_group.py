"""A group coordinator that keeps one group and can hold answers back, for tests of the consumer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import trio

from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages import (
    find_coordinator,
    join_group,
    offset_commit,
    offset_fetch,
)
from raftka.net.protocol.messages.find_coordinator import (
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from raftka.net.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponse
from raftka.net.protocol.messages.leave_group import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberResponse,
)
from raftka.net.protocol.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from raftka.net.protocol.messages.offset_fetch import OffsetFetchRequest, OffsetFetchResponse
from raftka.net.protocol.messages.sync_group import SyncGroupRequest, SyncGroupResponse

GROUP_REQUESTS = (
    FindCoordinatorRequest,
    JoinGroupRequest,
    SyncGroupRequest,
    HeartbeatRequest,
    LeaveGroupRequest,
    OffsetFetchRequest,
    OffsetCommitRequest,
)


@dataclass
class ScriptedGroup:
    """The coordinator, on broker `node`. Members join one at a time, each as leader of its
    generation."""

    join_delay_s: float = 0.0
    """How long JoinGroup with a member id is held back, as for group.initial.rebalance.delay.ms."""
    members: set[str] = field(default_factory=set)
    """Members that got an id and have not left."""
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    generation: int = 0
    rebalances: bool = False
    """Whether heartbeats are answered with REBALANCE_IN_PROGRESS."""
    node: int = 1
    _left: dict[str, trio.Event] = field(default_factory=dict)

    async def answer(self, request: Request[Any]) -> Response:
        """The coordinator's answer, once there is one."""
        if isinstance(request, FindCoordinatorRequest):
            found = find_coordinator.Coordinator(
                key=request.coordinator_keys[0],
                node_id=self.node,
                host=f"b{self.node}",
                port=9092,
            )
            return FindCoordinatorResponse(coordinators=[found])
        if isinstance(request, JoinGroupRequest):
            return await self._join(request)
        if isinstance(request, SyncGroupRequest):
            return SyncGroupResponse(
                protocol_type=request.protocol_type,
                protocol_name=request.protocol_name,
                assignment=request.assignments[0].assignment,
            )
        if isinstance(request, HeartbeatRequest):
            code = ErrorCode.REBALANCE_IN_PROGRESS if self.rebalances else ErrorCode.NONE
            return HeartbeatResponse(error_code=code)
        if isinstance(request, LeaveGroupRequest):
            return self._leave(request)
        if isinstance(request, OffsetFetchRequest):
            return self._offsets(request)
        assert isinstance(request, OffsetCommitRequest)
        return self._commit(request)

    async def _join(self, request: JoinGroupRequest) -> Response:
        member = request.member_id
        if not member:
            member = f"m{len(self._left) + 1}"
            self.members.add(member)
            self._left[member] = trio.Event()
            return JoinGroupResponse(error_code=ErrorCode.MEMBER_ID_REQUIRED, member_id=member)
        with trio.move_on_after(self.join_delay_s):
            await self._left[member].wait()
        if member not in self.members:
            return JoinGroupResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID, member_id=member)
        self.rebalances = False
        self.generation += 1
        protocol = request.protocols[0]
        return JoinGroupResponse(
            generation_id=self.generation,
            protocol_type=request.protocol_type,
            protocol_name=protocol.name,
            leader=member,
            member_id=member,
            members=[
                join_group.JoinGroupResponseMember(member_id=member, metadata=protocol.metadata)
            ],
        )

    def _leave(self, request: LeaveGroupRequest) -> Response:
        answers = []
        for identity in request.members:
            known = identity.member_id in self.members
            if known:
                self.members.discard(identity.member_id)
                self._left[identity.member_id].set()
            code = ErrorCode.NONE if known else ErrorCode.UNKNOWN_MEMBER_ID
            answers.append(MemberResponse(member_id=identity.member_id, error_code=code))
        return LeaveGroupResponse(members=answers)

    def _offsets(self, request: OffsetFetchRequest) -> Response:
        group = request.groups[0]
        return OffsetFetchResponse(
            groups=[
                offset_fetch.OffsetFetchResponseGroup(
                    group_id=group.group_id,
                    topics=[
                        offset_fetch.OffsetFetchResponseTopics(
                            name=topic.name,
                            partitions=[
                                offset_fetch.OffsetFetchResponsePartitions(
                                    partition_index=index,
                                    committed_offset=self.committed.get(
                                        TopicPartition(topic.name, index), -1
                                    ),
                                )
                                for index in topic.partition_indexes
                            ],
                        )
                        for topic in group.topics or ()
                    ],
                )
            ]
        )

    def _commit(self, request: OffsetCommitRequest) -> Response:
        topics = []
        for topic in request.topics:
            parts = []
            for part in topic.partitions:
                target = TopicPartition(topic.name, part.partition_index)
                self.committed[target] = part.committed_offset
                parts.append(
                    offset_commit.OffsetCommitResponsePartition(
                        partition_index=part.partition_index
                    )
                )
            topics.append(
                offset_commit.OffsetCommitResponseTopic(name=topic.name, partitions=parts)
            )
        return OffsetCommitResponse(topics=topics)
