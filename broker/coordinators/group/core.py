"""What the rules of a shard share: the groups, their timers, and the way out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from raftka.broker.coordinators.group import records
from raftka.broker.coordinators.group.config import GroupConfig
from raftka.broker.coordinators.group.group import Group, GroupState, Member
from raftka.broker.coordinators.group.pending import PendingOffsets
from raftka.broker.coordinators.outbox import Outbox
from raftka.broker.coordinators.timers import Timers
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.net.protocol.messages.group_metadata_value import GroupMetadataValue, MemberMetadata
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue

Offsets = dict[str, dict[str, dict[int, OffsetCommitValue]]]
"""group id -> topic -> partition -> what was committed"""


class RecordTooLarge(KafkaError):
    """The state of a group does not fit into one record of the log."""

    def __init__(self, group_id: str, size: int, limit: int) -> None:
        super().__init__(
            ErrorCode.UNKNOWN_SERVER_ERROR,
            f"the state of group {group_id!r} takes {size} bytes; one record holds {limit}"
            " (message.max.bytes)",
        )


@dataclass(slots=True)
class Core:
    """The state of one shard."""

    config: GroupConfig
    new_uuid: Callable[[], str]
    """A fresh uuid as text, for member ids."""
    groups: dict[str, Group] = field(default_factory=dict)
    offsets: Offsets = field(default_factory=dict)
    pending: PendingOffsets = field(default_factory=PendingOffsets)
    rules_off: RulesOff = ALL_HOLD
    timers: Timers = field(default_factory=Timers)
    outbox: Outbox = field(default_factory=Outbox)

    def create_group(self, group_id: str, now_ms: int) -> Group:
        group = Group(group_id)
        group.transition(GroupState.EMPTY, now_ms)
        self.groups[group_id] = group
        return group

    def group_or_unknown_member(self, group_id: str) -> Group:
        """The group of a request that only members make.

        Raises KafkaError UNKNOWN_MEMBER_ID: to a client, a group that is gone and a membership
        that is gone are the same, it has to join again.
        """
        group = self.groups.get(group_id)
        if group is None:
            raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"there is no group {group_id!r}")
        return group

    def persist(self, group: Group) -> None:
        """Write the group's state. Raises RecordTooLarge, with nothing written."""
        value = records.group_value(state_of(group))
        if len(value) > self.config.max_record_bytes:
            raise RecordTooLarge(group.group_id, len(value), self.config.max_record_bytes)
        self.outbox.records.append((records.group_key(group.group_id), value))

    def bury(self, group: Group) -> None:
        """Delete a group, in memory and in the log."""
        self.outbox.records.append((records.group_key(group.group_id), None))
        self.forget(group.group_id)

    def forget(self, group_id: str) -> Group | None:
        """Drop a group from memory with its timers; the group, if it was there."""
        group = self.groups.pop(group_id, None)
        if group is not None:
            self.timers.cancel(("join", group_id))
            self.timers.cancel(("sync", group_id))
            for member_id in [*group.members, *group.pending_joins]:
                self.timers.cancel(("session", group_id, member_id))
        return group


def state_of(group: Group) -> GroupMetadataValue:
    """A group as its record shows it."""
    protocol_name = group.protocol_name
    return GroupMetadataValue(
        protocol_type=group.protocol_type or "",
        generation=group.generation_id,
        protocol=protocol_name,
        leader=group.leader_id,
        current_state_timestamp=group.state_timestamp_ms,
        members=[
            MemberMetadata(
                member_id=member.member_id,
                group_instance_id=member.instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                rebalance_timeout=member.rebalance_timeout_ms,
                session_timeout=member.session_timeout_ms,
                subscription=member.metadata(protocol_name or ""),
                assignment=member.assignment,
            )
            for member in group.members.values()
        ],
    )


def restore(group_id: str, value: GroupMetadataValue) -> Group:
    """The group that a record shows: Stable with members, Empty without."""
    group = Group(group_id)
    for saved in value.members:
        session_timeout = saved.session_timeout
        group.add(
            Member(
                member_id=saved.member_id,
                instance_id=saved.group_instance_id,
                client_id=saved.client_id,
                client_host=saved.client_host,
                # Layout 0 had no rebalance timeout: the session's counted.
                rebalance_timeout_ms=saved.rebalance_timeout or session_timeout,
                session_timeout_ms=session_timeout,
                protocols=((value.protocol or "", bytes(saved.subscription)),),
                assignment=bytes(saved.assignment),
            ),
            value.protocol_type,
        )
    group.protocol_type = value.protocol_type or None
    group.protocol_name = value.protocol
    group.generation_id = value.generation
    group.leader_id = value.leader
    group.transition(
        GroupState.STABLE if group.members else GroupState.EMPTY, value.current_state_timestamp
    )
    group.refresh_subscriptions()
    return group
