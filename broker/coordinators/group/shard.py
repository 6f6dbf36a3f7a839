"""One partition of __consumer_offsets as a state machine without I/O.

Every operation takes the request and the time, changes the state at once, and puts what follows
from it into `outbox`: records to append and answers to tickets. Whoever runs the shard appends the
records in their order and lets no answer out before all records that precede it are committed; when
that fails, the shard is thrown away and built again by `replay`. So the state may run ahead of the
log, but no answer rests on what is not committed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from raftka.broker.coordinators.group import (
    join,
    offsets,
    rebalance,
    records,
    sync,
    txn_offsets,
)
from raftka.broker.coordinators.group.config import GroupConfig
from raftka.broker.coordinators.group.core import Core, Offsets, restore, state_of
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

log = get_logger(__name__)

GROUP_TYPE = "classic"


class GroupFigures(NamedTuple):
    """What metrics show of a group."""

    group_id: str
    state: GroupState
    member_count: int
    offsets: dict[TopicPartition, int]
    """What it has committed."""


class GroupShard:
    """All groups of one partition. Operations raise KafkaError for what they refuse."""

    def __init__(
        self, config: GroupConfig, new_uuid: Callable[[], str], rules_off: RulesOff = ALL_HOLD
    ) -> None:
        self._core = Core(config, new_uuid, rules_off=rules_off)

    @property
    def outbox(self) -> Outbox:
        return self._core.outbox

    # ---- the log

    def replay(self, key: Buffer, value: Buffer | None, producer: Producer | None = None) -> None:
        """Take over what one record of the log says. Call `loaded` after the last one."""
        try:
            record = records.decode(key, value)
        except MalformedMessage as error:
            log.error(f"a record of the offsets topic is not readable and is skipped: {error}")
            return
        if isinstance(record, records.OffsetRecord):
            self._replay_offset(record, producer)
        elif isinstance(record, records.GroupRecord):
            self._replay_group(record)

    def _replay_offset(self, record: records.OffsetRecord, producer: Producer | None) -> None:
        key, value = record
        if value is None:
            offsets.drop(self._core, key.group, key.topic, key.partition)
            return
        if key.group not in self._core.groups:
            # A simple group: it never had members, so it has no other record.
            self._core.create_group(key.group, value.commit_timestamp)
        if producer is None or Rule.OFFSETS_WAIT_FOR_COMMIT in self._core.rules_off:
            offsets.commit_now(self._core, key.group, key.topic, key.partition, value)
        else:
            position = Position(key.group, key.topic, key.partition)
            self._core.pending.add(producer.id, position, value)

    def _replay_group(self, record: records.GroupRecord) -> None:
        group_id, value = record
        if value is None:
            self._core.forget(group_id)
        else:
            self._core.groups[group_id] = restore(group_id, value)

    def replay_end_transaction_marker(
        self, producer_id: int, producer_epoch: int, commit: bool
    ) -> None:
        """The offsets of the producer's transaction count from now on, or never."""
        for position, value in self._core.pending.end(producer_id, commit=commit):
            offsets.store(self._core, *position, value)

    def metadata_changed(
        self, image: MetadataImage, delta: MetadataDelta | None, now: Moment
    ) -> None:
        """The offsets of deleted topics go with them."""
        # One of the same name that was made since has no offsets yet.
        for topic in () if delta is None else delta.topics.deleted:
            self.topic_deleted(topic.name)

    def topic_deleted(self, topic: str) -> None:
        """Its offsets go with it."""
        offsets.remove_topic(self._core, topic)

    def loaded(self, now: Moment) -> None:
        """The log has been read: from now on time passes, and requests are answered.

        All members get a whole session: when they sent their last request is not in the log.
        """
        core = self._core
        for group in core.groups.values():
            for member in group.members.values():
                rebalance.keep_alive(core, group, member, now)
            if len(group.members) > core.config.max_size:
                rebalance.prepare(core, group, "it is larger than group.max.size", now)
        self._expire_later(now)

    def _expire_later(self, now: Moment) -> None:
        def passed(now: Moment) -> None:
            offsets.expire(self._core, now.wall_ms)
            self._expire_later(now)

        interval_ms = self._core.config.offsets_retention_check_interval_ms
        self._core.timers.schedule("expiry", now.monotonic_s + interval_ms / 1000, passed)

    # ---- time

    def next_deadline_s(self) -> float | None:
        """When `tick` has something to do, in monotonic seconds."""
        return self._core.timers.next_deadline_s()

    def tick(self, now: Moment) -> None:
        """Do what is due."""
        while (action := self._core.timers.pop_due(now.monotonic_s)) is not None:
            action(now)

    # ---- members

    def join_group(
        self, request: JoinGroupRequest, client: Client, ticket: Ticket, now: Moment
    ) -> None:
        """See join.join_group."""
        join.join_group(self._core, request, client, ticket, now)

    def sync_group(self, request: SyncGroupRequest, ticket: Ticket, now: Moment) -> None:
        """See sync.sync_group."""
        sync.sync_group(self._core, request, ticket, now)

    def heartbeat(self, request: HeartbeatRequest, now: Moment) -> None:
        """See sync.heartbeat."""
        sync.heartbeat(self._core, request, now)

    def leave_group(
        self, group_id: str, leaving: list[MemberIdentity], now: Moment
    ) -> list[MemberResponse]:
        """See sync.leave_group."""
        return sync.leave_group(self._core, group_id, leaving, now)

    def abandon(self) -> list[Ticket]:
        """All requests that wait in a rebalance: this node no longer coordinates their groups."""
        members = [m for group in self._core.groups.values() for m in group.members.values()]
        tickets = [t for m in members for t in (m.join_ticket, m.sync_ticket) if t is not None]
        self._core.groups.clear()
        return tickets

    # ---- offsets

    def commit_offsets(
        self, request: OffsetCommitRequest, version: int, find: FindPartition, now: Moment
    ) -> list[OffsetCommitResponseTopic]:
        """See offsets.commit."""
        return offsets.commit(self._core, request, version, find, now)

    def fetch_offsets(
        self,
        group_id: str,
        topics: Iterable[tuple[str, Iterable[int]]] | None,
        find: FindPartition,
        *,
        stable: bool = False,
    ) -> list[OffsetFetchResponseTopics]:
        """See offsets.fetch."""
        return offsets.fetch(self._core, group_id, topics, find, stable=stable)

    def decide_transactional(
        self, request: TxnOffsetCommitRequest, find: FindPartition, now: Moment
    ) -> tuple[list[Record], list[TxnOffsetCommitResponseTopic]]:
        """See txn_offsets.decide."""
        return txn_offsets.decide(self._core, request, find, now)

    def delete_offsets(
        self, request: OffsetDeleteRequest, find: FindPartition
    ) -> list[OffsetDeleteResponseTopic]:
        """See offsets.delete."""
        return offsets.delete(self._core, request, find)

    # ---- administration

    def describe_group(self, group_id: str) -> DescribedGroup | None:
        """A group for people; None when there is none of that name."""
        group = self._core.groups.get(group_id)
        if group is None:
            return None
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
        """The groups in these states and of these types, in lower case; all when empty."""
        if types and GROUP_TYPE not in types:
            return []
        return [
            ListedGroup(
                group_id=group.group_id,
                protocol_type=group.protocol_type or "",
                group_state=group.state.value,
                group_type=GROUP_TYPE,
            )
            for group in self._core.groups.values()
            if not states or group.state.value.lower() in states
        ]

    def delete_group(self, group_id: str) -> None:
        """Delete a group without members, and its offsets."""
        group = self._core.groups.get(group_id)
        if group is None:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"there is no group {group_id!r}")
        if group.state is not GroupState.EMPTY:
            raise KafkaError(ErrorCode.NON_EMPTY_GROUP, f"group {group_id!r} has members")
        offsets.remove_all(self._core, group_id)
        self._core.bury(group)

    def groups(self) -> list[Group]:
        """All groups as they are in memory, for checkers."""
        return list(self._core.groups.values())

    def figures(self) -> Iterator[GroupFigures]:
        """Every group, for metrics."""
        for group in self._core.groups.values():
            topics = self._core.offsets.get(group.group_id, {})
            yield GroupFigures(
                group.group_id,
                group.state,
                len(group.members),
                {
                    TopicPartition(topic, index): committed.offset
                    for topic, partitions in topics.items()
                    for index, committed in partitions.items()
                },
            )

    def sizes(self) -> dict[str, int]:
        """Groups, committed offsets and those of open transactions, for the log."""
        found = self._core.offsets.values()
        offsets = sum(len(p) for topics in found for p in topics.values())
        pending = len(self._core.pending)
        return {"groups": len(self._core.groups), "offsets": offsets, "pending_offsets": pending}

    def contents(self) -> tuple[dict[str, GroupMetadataValue], Offsets]:
        """(groups, offsets) as their records show them, to compare two shards."""
        core = self._core
        return {name: state_of(group) for name, group in core.groups.items()}, core.offsets


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
        )
        for member in group.members.values()
    ]
