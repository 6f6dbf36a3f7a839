"""The refusals of members with epochs, worded as in Apache Kafka (KIP-848, 932, 1071)."""

from __future__ import annotations

from typing import Protocol, TypeVar

from raftka.model.errors import ErrorCode, KafkaError


class Identified(Protocol):
    """A member of any type of group."""

    @property
    def member_id(self) -> str: ...


M = TypeVar("M", bound=Identified)


def unknown_member(member_id: str, group_id: str) -> KafkaError:
    """The error if the group has no such member."""
    return KafkaError(
        ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {group_id}."
    )


def fenced_epoch(kind: str, named: int, known: int) -> KafkaError:
    """The error if a member names an epoch other than its own."""
    compared = "greater" if named > known else "smaller"
    return KafkaError(
        ErrorCode.FENCED_MEMBER_EPOCH,
        f"The {kind} group member has a {compared} member epoch ({named}) than the one known by"
        f" the group coordinator ({known}). The member must abandon all its partitions and"
        " rejoin.",
    )


def unreleased_instance(member_id: str, instance_id: str, owner_id: str) -> KafkaError:
    """The error if a static member joins while another member still has its instance id."""
    return KafkaError(
        ErrorCode.UNRELEASED_INSTANCE_ID,
        f"Static member {member_id} with instance id {instance_id} cannot join the group"
        f" because the instance id is owned by {owner_id} member.",
    )


def owner_of_instance(known: M | None, member_id: str, instance_id: str) -> M:
    """Return `known`, the member with an instance id, if the request names the same member.

    Raises KafkaError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
    """
    if known is None:
        raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"Instance id {instance_id} is unknown.")
    if known.member_id != member_id:
        raise KafkaError(
            ErrorCode.FENCED_INSTANCE_ID,
            f"Static member {member_id} with instance id {instance_id} was fenced by member"
            f" {known.member_id}.",
        )
    return known
