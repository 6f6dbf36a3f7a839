"""A target that no record holds: a member would be assigned more than message.max.bytes takes.

The log would refuse it, and with it all that the shard has decided, again after each reload. The
group keeps the target that it has in its place: its members go on, one that joins is refused in
words, and the next change of the group is tried again.
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
"""The record of what a member has is the larger one: each partition comes with its epoch. What it
has and gives back together is never more than its target is, or the one before was."""


class Assigned(Protocol):
    """A group of any kind that has targets."""

    group_id: str
    assignment_epoch: int
    too_large: str
    """Why its epoch has no target, in words; empty when it has one, or may have."""


def fits(core: Core, group: Assigned, records: Mapping[str, Record]) -> bool:
    """Whether the log takes a target's records, by member; `too_large` says why it does not."""
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
    """What a member is answered that joins and cannot be assigned anything.

    It is a member all the same until its session ends: with it, the next target may fit.
    """
    return KafkaError(
        ErrorCode.INVALID_REQUEST,
        f"group {group.group_id} has no assignment for its members: {group.too_large}. Add"
        " members, or subscribe to fewer topics.",
    )
