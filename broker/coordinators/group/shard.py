"""One partition of __consumer_offsets as a state machine without I/O.

Every operation takes the request and the time, changes the state at once, and adds the results to
`outbox`: records to append and answers to tickets. The runtime appends the records in order and
holds each answer back until all records that precede it are committed; when that fails, it discards
the shard and rebuilds it by `replay`. So the state may run ahead of the log, but no answer depends
on uncommitted records.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, cast

from raftka.broker.coordinators.group import (
    classic_log,
    join,
    kinds,
    offsets,
    records,
    sync,
    txn_offsets,
)
from raftka.broker.coordinators.group.any_group import AnyGroup, GroupType
from raftka.broker.coordinators.group.classic_log import state_of
from raftka.broker.coordinators.group.config import GroupConfig
from raftka.broker.coordinators.group.core import Core, Offsets
from raftka.broker.coordinators.group.group import Group, GroupState
from raftka.broker.coordinators.group.join import Client
from raftka.broker.coordinators.group.offsets import FindPartition
from raftka.broker.coordinators.group.pending import Position
from raftka.broker.coordinators.outbox import Outbox, Producer, Record, Ticket
from raftka.broker.coordinators.timers import Moment
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.logs import get_logger
from raftka.model.ports import Buffer
from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.net.protocol.codec import MalformedMessage
from raftka.net.protocol.messages.describe_groups import DescribedGroup, DescribedGroupMember
from raftka.net.protocol.messages.group_metadata_value import GroupMetadataValue
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest
from raftka.net.protocol.messages.join_group import JoinGroupRequest
from raftka.net.protocol.messages.leave_group import MemberIdentity, MemberResponse
from raftka.net.protocol.messages.list_groups import ListedGroup
from raftka.net.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponseTopic,
)
from raftka.net.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponseTopic,
)
from raftka.net.protocol.messages.offset_fetch import OffsetFetchResponseTopics
from raftka.net.protocol.messages.sync_group import SyncGroupRequest
from raftka.net.protocol.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponseTopic,
)

if TYPE_CHECKING:
    from raftka.broker.coordinators.group.consumer.group import ConsumerGroup

log = get_logger(__name__)


class GroupFigures(NamedTuple):
    """The metrics of a group."""

    group_id: str
    type: GroupType
    state: str
    member_count: int
    offsets: dict[TopicPartition, int]
    """Its committed offsets."""


class GroupShard:
    """All groups of one partition. Operations raise KafkaError if they refuse a request."""

    def __init__(
        self, config: GroupConfig, new_uuid: Callable[[], str], rules_off: RulesOff = ALL_HOLD
    ) -> None:
        self.core = Core(config, new_uuid, rules_off=rules_off)
        """The state that the operations on each type of group take as an argument."""

    @property
    def outbox(self) -> Outbox:
        return self.core.outbox

    # ---- the log

    def replay(self, key: Buffer, value: Buffer | None, producer: Producer | None = None) -> None:
        """Apply one record of the log. Call `loaded` after the last one."""
        try:
            if records.key_type(key) in records.OFFSET_KEYS:
                self._replay_offset(records.decode_offset(key, value), producer)
            elif (found := kinds.decode(key, value)) is not None:
                found.form.replay(self.core, found.key, found.value)
        except MalformedMessage as error:
            log.error(f"a record of the offsets topic is not readable and is skipped: {error}")

    def _replay_offset(self, record: records.OffsetRecord, producer: Producer | None) -> None:
        key, value = record
        if value is None:
            offsets.drop(self.core, key.group, key.topic, key.partition)
            return
        if key.group not in self.core.groups:
            # A simple group: it never had members, so it has no other record.
            classic_log.create_group(self.core, key.group, value.commit_timestamp)
        if producer is None or Rule.OFFSETS_WAIT_FOR_COMMIT in self.core.rules_off:
            offsets.commit_now(self.core, key.group, key.topic, key.partition, value)
        else:
            position = Position(key.group, key.topic, key.partition)
            self.core.pending.add(producer.id, position, value)

    def replay_end_transaction_marker(
        self, producer_id: int, producer_epoch: int, commit: bool
    ) -> None:
        """Apply the offsets of the producer's transaction, or drop them."""
        for position, value in self.core.pending.end(producer_id, commit=commit):
            offsets.store(self.core, *position, value)

    def metadata_changed(
        self, image: MetadataImage, delta: MetadataDelta | None, now: Moment
    ) -> None:
        """Update the groups to the new topics, and delete the offsets of deleted ones."""
        self.core.image = image
        for group_type, found in self.core.by_type.items():
            if found:
                kinds.kind(group_type).metadata_changed(self.core, delta, now)
        # A newer topic of the same name has no offsets yet.
        for topic in () if delta is None else delta.topics.deleted:
            self.topic_deleted(topic.name)

    def topic_deleted(self, topic: str) -> None:
        """Delete the topic's offsets."""
        offsets.remove_topic(self.core, topic)

    def loaded(self, now: Moment) -> None:
        """The log is replayed: start the timers and accept requests."""
        core = self.core
        for group in list(core.groups.values()):
            kinds.kind(group.type).loaded(core, group, now)
        self._expire_later(now)

    def _expire_later(self, now: Moment) -> None:
        def passed(now: Moment) -> None:
            offsets.expire(self.core, now.wall_ms)
            self._expire_later(now)

        interval_ms = self.core.config.offsets_retention_check_interval_ms
        self.core.timers.schedule("expiry", now.monotonic_s + interval_ms / 1000, passed)

    # ---- time

    def next_deadline_s(self) -> float | None:
        """When `tick` is due, in monotonic seconds."""
        return self.core.timers.next_deadline_s()

    def tick(self, now: Moment) -> None:
        """Run the timers that are due."""
        while (action := self.core.timers.pop_due(now.monotonic_s)) is not None:
            action(now)

    # ---- members

    def join_group(
        self, request: JoinGroupRequest, client: Client, ticket: Ticket, now: Moment
    ) -> None:
        """See join.join_group."""
        if (group := self._consumer_group(request.group_id)) is not None:
            from raftka.broker.coordinators.group.consumer import classic_members

            classic_members.join(self.core, group, request, client, ticket, now)
            return
        join.join_group(self.core, request, client, ticket, now)

    def sync_group(self, request: SyncGroupRequest, ticket: Ticket, now: Moment) -> None:
        """See sync.sync_group."""
        if (group := self._consumer_group(request.group_id)) is not None:
            from raftka.broker.coordinators.group.consumer import classic_members

            classic_members.sync(self.core, group, request, ticket, now)
            return
        sync.sync_group(self.core, request, ticket, now)

    def heartbeat(self, request: HeartbeatRequest, now: Moment) -> None:
        """See sync.heartbeat."""
        if (group := self._consumer_group(request.group_id)) is not None:
            from raftka.broker.coordinators.group.consumer import classic_members

            classic_members.heartbeat(self.core, group, request, now)
            return
        sync.heartbeat(self.core, request, now)

    def leave_group(
        self, group_id: str, leaving: list[MemberIdentity], now: Moment
    ) -> list[MemberResponse]:
        """See sync.leave_group."""
        if (group := self._consumer_group(group_id)) is not None:
            from raftka.broker.coordinators.group.consumer import classic_members

            return classic_members.leave(self.core, group, leaving, now)
        return sync.leave_group(self.core, group_id, leaving, now)

    def _consumer_group(self, group_id: str) -> ConsumerGroup | None:
        """The consumer group if it has members: some may use the classic protocol."""
        group = self.core.groups.get(group_id)
        if group is None or group.type is not GroupType.CONSUMER or group.is_empty:
            return None
        return cast("ConsumerGroup", group)

    def abandon(self) -> list[Ticket]:
        """All requests that wait in a rebalance: this node no longer coordinates their groups."""
        groups = self.core.groups.values()
        tickets = [each for group in groups for each in kinds.kind(group.type).waiting(group)]
        self.core.groups.clear()
        self.core.by_type.clear()
        return tickets

    # ---- offsets

    def commit_offsets(
        self, request: OffsetCommitRequest, version: int, find: FindPartition, now: Moment
    ) -> list[OffsetCommitResponseTopic]:
        """See offsets.commit."""
        return offsets.commit(self.core, request, version, find, now)

    def check_fetching(self, group_id: str, member_id: str | None, member_epoch: int) -> None:
        """Check whether that member may read offsets. Raises KafkaError."""
        group = self.core.groups.get(group_id)
        if group is not None:
            kinds.kind(group.type).check_fetch(group, member_id, member_epoch)

    def fetch_offsets(
        self,
        group_id: str,
        topics: Iterable[tuple[str, Iterable[int]]] | None,
        find: FindPartition,
        *,
        stable: bool = False,
    ) -> list[OffsetFetchResponseTopics]:
        """See offsets.fetch."""
        return offsets.fetch(self.core, group_id, topics, find, stable=stable)

    def decide_transactional(
        self, request: TxnOffsetCommitRequest, find: FindPartition, now: Moment
    ) -> tuple[list[Record], list[TxnOffsetCommitResponseTopic]]:
        """See txn_offsets.decide."""
        return txn_offsets.decide(self.core, request, find, now)

    def delete_offsets(
        self, request: OffsetDeleteRequest, find: FindPartition
    ) -> list[OffsetDeleteResponseTopic]:
        """See offsets.delete."""
        return offsets.delete(self.core, request, find)

    # ---- administration

    def describe_group(self, group_id: str) -> DescribedGroup:
        """Describe a classic group for DescribeGroups.

        Raises KafkaError GROUP_ID_NOT_FOUND if there is none, or it has another type.
        """
        group = classic_log.get_group(self.core, group_id)
        # Before the leader has assigned, the members' metadata may be outdated.
        protocol_name = (group.protocol_name or "") if group.state is GroupState.STABLE else ""
        return DescribedGroup(
            group_id=group_id,
            group_state=group.state.value,
            protocol_type=group.protocol_type or "",
            protocol_data=protocol_name,
            members=_described_members(group, protocol_name),
        )

    def list_groups(self, states: Collection[str], types: Collection[str]) -> list[ListedGroup]:
        """The groups in these states and of these types, in lower case; all if empty."""
        return [
            ListedGroup(
                group_id=group.group_id,
                protocol_type=group.protocol_type or "",
                group_state=group.state_name,
                group_type=group.type.value,
            )
            for group in self.core.groups.values()
            if (not states or group.state_name.lower() in states)
            and (not types or group.type.value in types)
        ]

    def delete_group(self, group_id: str) -> None:
        """Delete a group without members, and its offsets."""
        group = self.core.groups.get(group_id)
        if group is None:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"there is no group {group_id!r}")
        if not group.is_empty:
            raise KafkaError(ErrorCode.NON_EMPTY_GROUP, f"group {group_id!r} has members")
        offsets.remove_all(self.core, group_id)
        kinds.bury(self.core, group)

    def groups(self) -> list[AnyGroup]:
        """All groups as they are in memory, for checkers."""
        return list(self.core.groups.values())

    def figures(self) -> Iterator[GroupFigures]:
        """Every group, for metrics."""
        for group in self.core.groups.values():
            topics = self.core.offsets.get(group.group_id, {})
            yield GroupFigures(
                group.group_id,
                group.type,
                group.state_name,
                group.member_count,
                {
                    TopicPartition(topic, index): committed.offset
                    for topic, partitions in topics.items()
                    for index, committed in partitions.items()
                },
            )

    def sizes(self) -> dict[str, int]:
        """The numbers of groups, committed offsets and pending offsets, for the log line."""
        found = self.core.offsets.values()
        offsets = sum(len(p) for topics in found for p in topics.values())
        pending = len(self.core.pending)
        return {"groups": len(self.core.groups), "offsets": offsets, "pending_offsets": pending}

    def contents(self) -> tuple[dict[str, GroupMetadataValue], Offsets]:
        """(classic groups, offsets) as their records hold them, to compare two shards."""
        core = self.core
        classic = [group for group in core.groups.values() if isinstance(group, Group)]
        return {group.group_id: state_of(group) for group in classic}, core.offsets


def _described_members(group: Group, protocol_name: str) -> list[DescribedGroupMember]:
    stable = group.state is GroupState.STABLE
    return [
        DescribedGroupMember(
            member_id=member.member_id,
            group_instance_id=member.instance_id,
            client_id=member.client_id,
            client_host=member.client_host,
            member_metadata=member.metadata(protocol_name) if stable else b"",
            member_assignment=member.assignment if stable else b"",
            awaited=group.waits_for(member),
        )
        for member in group.members.values()
    ]
