"""The connection to one group's coordinator: finding it, reconnecting, commits, stored offsets."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, TypeVar

from raftka.client.cluster import Cluster
from raftka.client.consumer.group_messages import by_topic
from raftka.client.coordinator import COORDINATOR_MOVED, GROUP, Coordinator
from raftka.client.group_offsets import GroupMetadata, OffsetAndMetadata
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import BrokenConnection
from raftka.net.channel import Channel
from raftka.net.futures import Future
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages import offset_commit, offset_fetch
from raftka.net.protocol.messages.leave_group import LeaveGroupRequest, MemberIdentity
from raftka.net.protocol.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from raftka.net.protocol.messages.offset_fetch import OffsetFetchRequest, OffsetFetchResponse

log = logging.getLogger("raftka.consumer")

R = TypeVar("R", bound=Response)
T = TypeVar("T")

LEAVING_LANE = "leaving"
"""The lane for leaving while an answer is withheld: one connection's answers come in order."""
_LAST_BY_NAME_COMMIT = 9
_LAST_BY_NAME_FETCH = 9
_FIRST_WITH_GROUPS = 8


class CommitFailed(KafkaError):
    """The group rebalanced without this member: its partitions may have other owners by now."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(
            code,
            "the offsets were not committed, since the group has rebalanced and given the"
            " partitions to another member. That happens when the time between two polls is"
            " longer than max.poll.interval.ms: raise it, or lower max.poll.records",
        )


class RebalanceInProgress(KafkaError):
    """The member is joining: poll first, then commit."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.REBALANCE_IN_PROGRESS,
            "the group rebalances: poll once more, then commit what is still assigned",
        )


_QUIET_S: Final = 5.0
"""Before this time a coordinator may be silent without a lookup, since members join."""


class GroupClient:
    """Requests to the coordinator of one group."""

    def __init__(self, cluster: Cluster, group_id: str, *, patient: bool = True) -> None:
        """`patient`: whether it retries; otherwise it raises the first failure."""
        self._patient = patient
        self.group_id = group_id
        self.cluster = cluster
        self.coordinator = Coordinator(cluster, group_id, GROUP)
        self.generation = -1
        self.member_id = ""
        self.instance_id: str | None = None

    async def channel(self) -> Channel:
        """A connection to the coordinator, which it looks up until it is found. Raises KafkaError
        that is not retriable; unless patient, any KafkaError and BrokenConnection.
        """
        failures = 0
        while True:
            try:
                return await self.coordinator.channel()
            except BrokenConnection:
                if not self._patient:
                    raise
            except KafkaError as error:
                if not (self._patient and error.retriable):
                    raise
            failures += 1
            await self.cluster.clock.sleep(self.cluster.retry_backoff.pause(failures))

    def ready(self) -> Channel | None:
        """The connection if there is one now."""
        return self.coordinator.ready()

    def lost(self, why: str) -> None:
        """The coordinator is unreachable, or another broker by now: look it up again."""
        self.coordinator.lost(why)

    @property
    def metadata(self) -> GroupMetadata:
        """The member as transactions name it (KIP-447)."""
        return GroupMetadata(self.group_id, self.generation, self.member_id, self.instance_id)

    def send(
        self,
        channel: Channel,
        request: Request[R],
        *,
        highest: int | None = None,
        wait_s: float = 0,
    ) -> Future[R]:
        """Send to the coordinator; the answer may take `wait_s` longer than usual."""
        version = channel.version_for(type(request), highest)
        timeout_s = self.cluster.request_timeout_s + wait_s
        return channel.send(request, version, timeout_s, wait_s=min(wait_s, _QUIET_S))

    async def leave(self, reason: str) -> None:
        """Ask the group's current coordinator to remove this member. Returns when it has, or knows
        no such member. Raises KafkaError that is not retriable.
        """
        identity = MemberIdentity(member_id=self.member_id, reason=reason)
        request = LeaveGroupRequest(
            group_id=self.group_id, member_id=self.member_id, members=[identity]
        )

        async def ask(channel: Channel) -> None:
            answer = await self.send(channel, request)
            codes = {answer.error_code, *(member.error_code for member in answer.members)}
            for code in codes - {ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID}:
                raise KafkaError(ErrorCode(code))

        await self._until_answered(ask)

    # Offsets

    async def committed(
        self, partitions: Iterable[TopicPartition] | None
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """The group's committed offsets; all for None. Partitions without one are left out.

        Retries while that may help. Raises KafkaError.
        """
        wanted = None if partitions is None else sorted(partitions)

        async def ask(channel: Channel) -> dict[TopicPartition, OffsetAndMetadata]:
            version = channel.version_for(OffsetFetchRequest, _LAST_BY_NAME_FETCH)
            answer = await channel.request(
                self._fetch_request(wanted), version, self.cluster.request_timeout_s
            )
            return self._read_committed(answer, version)

        return await self._until_answered(ask)

    def commit_request(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata]
    ) -> OffsetCommitRequest:
        topics: dict[str, offset_commit.OffsetCommitRequestTopic] = {}
        for target, item in sorted(offsets.items()):
            topic = topics.setdefault(
                target.topic,
                offset_commit.OffsetCommitRequestTopic(name=target.topic, partitions=[]),
            )
            topic.partitions.append(
                offset_commit.OffsetCommitRequestPartition(
                    partition_index=target.partition,
                    committed_offset=item.offset,
                    committed_leader_epoch=item.leader_epoch,
                    committed_metadata=item.metadata,
                )
            )
        return OffsetCommitRequest(
            group_id=self.group_id,
            generation_id_or_member_epoch=self.generation,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            topics=list(topics.values()),
        )

    def send_commit(
        self, channel: Channel, offsets: Mapping[TopicPartition, OffsetAndMetadata]
    ) -> Future[OffsetCommitResponse]:
        return self.send(channel, self.commit_request(offsets), highest=_LAST_BY_NAME_COMMIT)

    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Store offsets, retrying while that may help. Raises KafkaError, CommitFailed."""

        async def ask(channel: Channel) -> None:
            check_commit(await self.send_commit(channel, offsets))

        await self._until_answered(ask)

    async def _until_answered(self, ask: Callable[[Channel], Awaitable[T]]) -> T:
        """The answer of the current coordinator. Raises as `channel`."""
        failures = 0
        while True:
            channel = await self.channel()
            try:
                return await ask(channel)
            except BrokenConnection as error:
                self.lost(str(error))
                if not self._patient:
                    raise
            except KafkaError as error:
                moved = error.code in COORDINATOR_MOVED
                if moved:
                    self.lost(error.code.name)
                # The member's next heartbeat brings its newer epoch (KIP-848).
                stale = error.code is ErrorCode.STALE_MEMBER_EPOCH
                if not (self._patient and (moved or stale or error.retriable)):
                    raise
            failures += 1
            await self.cluster.clock.sleep(self.cluster.retry_backoff.pause(failures))

    def _fetch_request(self, wanted: list[TopicPartition] | None) -> OffsetFetchRequest:
        topics = None if wanted is None else by_topic(wanted)
        group = offset_fetch.OffsetFetchRequestGroup(
            group_id=self.group_id,
            topics=None
            if topics is None
            else [
                offset_fetch.OffsetFetchRequestTopics(name=name, partition_indexes=indexes)
                for name, indexes in topics.items()
            ],
        )
        return OffsetFetchRequest(
            group_id=self.group_id,
            topics=None
            if topics is None
            else [
                offset_fetch.OffsetFetchRequestTopic(name=name, partition_indexes=indexes)
                for name, indexes in topics.items()
            ],
            groups=[group],
            require_stable=True,
        )

    def _read_committed(
        self, answer: OffsetFetchResponse, version: int
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        group = answer.groups[0] if version >= _FIRST_WITH_GROUPS else answer
        if group.error_code != ErrorCode.NONE:
            raise KafkaError(ErrorCode(group.error_code))
        found: dict[TopicPartition, OffsetAndMetadata] = {}
        for topic in group.topics:
            for part in topic.partitions:
                if part.error_code != ErrorCode.NONE:
                    raise KafkaError(ErrorCode(part.error_code))
                if part.committed_offset >= 0:
                    found[TopicPartition(topic.name, part.partition_index)] = OffsetAndMetadata(
                        part.committed_offset, part.metadata or "", part.committed_leader_epoch
                    )
        return found


def check_commit(answer: OffsetCommitResponse) -> None:
    """Raises the first error of a response, CommitFailed when the group rebalanced without us."""
    for topic in answer.topics:
        for part in topic.partitions:
            if part.error_code in (
                ErrorCode.ILLEGAL_GENERATION,
                ErrorCode.FENCED_MEMBER_EPOCH,
                ErrorCode.UNKNOWN_MEMBER_ID,
                ErrorCode.REBALANCE_IN_PROGRESS,
            ):
                raise CommitFailed(ErrorCode(part.error_code))
            if part.error_code != ErrorCode.NONE:
                raise KafkaError(ErrorCode(part.error_code))
