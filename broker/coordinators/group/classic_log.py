"""Writing a classic group to the log as a single record, and restoring it."""

from __future__ import annotations

from raftka.broker.coordinators.group import records
from raftka.broker.coordinators.group.any_group import GroupType, not_found
from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.group.group import Group, GroupState, Member
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.group_metadata_value import GroupMetadataValue, MemberMetadata


class RecordTooLarge(KafkaError):
    """The state of a group does not fit into one record of the log."""

    def __init__(self, group_id: str, size: int, limit: int) -> None:
        super().__init__(
            ErrorCode.UNKNOWN_SERVER_ERROR,
            f"the state of group {group_id!r} takes {size} bytes; one record holds {limit}"
            " (message.max.bytes)",
        )


def create_group(core: Core, group_id: str, now_ms: int) -> Group:
    group = Group(group_id)
    group.transition(GroupState.EMPTY, now_ms)
    core.add(group)
    return group


def get_group(core: Core, group_id: str) -> Group:
    """Return the classic group of that name. Raises KafkaError GROUP_ID_NOT_FOUND."""
    group = core.groups.get(group_id)
    if isinstance(group, Group):
        return group
    raise not_found(group_id, group, GroupType.CLASSIC)


def group_or_unknown_member(core: Core, group_id: str) -> Group:
    """Return the group for a request that only members send.

    Raises KafkaError UNKNOWN_MEMBER_ID if the group does not exist or has another type: in either
    case the client must join again, as after losing its membership.
    """
    group = core.groups.get(group_id)
    if not isinstance(group, Group):
        raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"there is no classic group {group_id!r}")
    return group


def persist(core: Core, group: Group) -> None:
    """Write the group's state. Raises RecordTooLarge and writes nothing if it does not fit."""
    value = records.group_value(state_of(group))
    if len(value) > core.config.max_record_bytes:
        raise RecordTooLarge(group.group_id, len(value), core.config.max_record_bytes)
    core.outbox.records.append((records.group_key(group.group_id), value))


def state_of(group: Group) -> GroupMetadataValue:
    """The record value for a group."""
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
    """The group that a record describes: Stable with members, Empty without."""
    group = Group(group_id)
    for saved in value.members:
        session_timeout = saved.session_timeout
        group.add(
            Member(
                member_id=saved.member_id,
                instance_id=saved.group_instance_id,
                client_id=saved.client_id,
                client_host=saved.client_host,
                # Layout 0 has no rebalance timeout: the session timeout applies.
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
