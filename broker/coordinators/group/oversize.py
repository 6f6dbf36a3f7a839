"""Targets that do not fit into the log: a member's assignment would exceed message.max.bytes.

The log would refuse the record, and with it every decision of the shard, again after each reload.
The group keeps its previous target instead: its members continue, joining members are refused with
the reason, and the next change of the group is tried again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from raftka.broker.coordinators.group.core import Core
from raftka.broker.coordinators.outbox import Record
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import OFFSETS_TOPIC
from raftka.model.logs import get_logger

log = get_logger(__name__)

_COPIES = 2
"""The record of a member's current state is the larger one: each partition comes with its epoch.
The partitions that it owns and revokes together never exceed its target or the previous one."""


class Assigned(Protocol):
    """A group of any type that has targets."""

    group_id: str
    assignment_epoch: int
    too_large: str
    """Why the group epoch has no target, for people; empty if it has one, or may get one."""


def fits(core: Core, group: Assigned, records: Mapping[str, Record]) -> bool:
    """Whether the log accepts a target's records, by member; sets `too_large` if it does not."""
    excesses = (
        core.outbox.excess(record, f"what member {member_id} would be assigned", copies=_COPIES)
        for member_id, record in records.items()
    )
    words = next(filter(None, excesses), "")
    if words and words != group.too_large:
        log.warning(
            f"group {group.group_id} keeps its assignment of epoch {group.assignment_epoch}:"
            f" {words}. Add members, subscribe to fewer topics, or raise message.max.bytes and"
            f" max.message.bytes of {OFFSETS_TOPIC}"
        )
    group.too_large = words
    return not words


def refusal(group: Assigned) -> KafkaError:
    """The error for a joining member that cannot be assigned anything.

    It stays a member until its session ends: a target that includes it may fit later.
    """
    return KafkaError(
        ErrorCode.INVALID_REQUEST,
        f"group {group.group_id} has no assignment for its members: {group.too_large}. Add"
        " members, or subscribe to fewer topics.",
    )
