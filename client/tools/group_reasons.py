"""`raftka groups why GROUP`: explains what a stuck group waits for."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Container, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from raftka.client.admin import Admin, GroupDescription, TopicDescription
from raftka.client.cluster import ClusterUnreachable
from raftka.client.tools import share_reasons, streams_reasons
from raftka.client.tools.group_tables import log_ends
from raftka.client.tools.options import Options, ToolError, admin_settings, require
from raftka.client.tools.reason_words import name, names, standing
from raftka.client.tools.running import run
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import OFFSETS_TOPIC, TopicPartition
from raftka.model.key_hash import partition_of_key

T = TypeVar("T")

_COORDINATORS = (
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.NOT_COORDINATOR,
)

options = Options("raftka groups why", "What a group waits for.")
options.servers()
options.add_argument("group", metavar="GROUP", help="The group.")


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    require(found, "bootstrap-server")
    return found


async def _work(found: argparse.Namespace) -> None:
    async with Admin(admin_settings(found)) as admin:
        try:
            lines = await _reasons(admin, found.group)
        except KafkaError as error:
            if not _is_of_coordinator(error):
                raise
            topic = await _offsets_topic(admin, error)
            lines = list(explain_coordinator(found.group, error, topic))
    print("\n".join(lines))


async def _reasons(admin: Admin, group_id: str) -> list[str]:
    """Describe the group as each kind in turn. Raises KafkaError, ToolError."""
    streams = await _unless_other(admin.describe_streams_groups([group_id]))
    if streams is not None:
        known = await admin.list_topics()
        return list(streams_reasons.explain(streams[group_id], set(known)))
    share = await _unless_other(admin.describe_share_groups([group_id]))
    if share is not None:
        offsets = await admin.list_share_group_offsets(group_id)
        return list(share_reasons.explain(share[group_id], offsets))
    described = await _unless_other(admin.describe_groups([group_id]))
    committed = await admin.list_group_offsets(group_id)
    if described is None and not committed:
        raise ToolError(
            f"{group_id} is Dead: no broker knows a group of this name. It waits for its first"
            " member, or was deleted; kafka-groups --list names those there are"
        )
    group = None if described is None else described[group_id]
    owned = {target for member in group.members for target in member.assignment} if group else set()
    ends = await log_ends(admin, sorted(owned | committed.keys()))
    positions = Positions({target: each.offset for target, each in committed.items()}, ends)
    if group is None:
        return [f"{group_id} has offsets and no members: it waits for one that joins."]
    return list(explain(group, positions, set(await admin.list_topics())))


async def _unless_other(describing: Awaitable[T]) -> T | None:
    """The description; None for a group of another kind, or brokers without that kind."""
    try:
        return await describing
    except KafkaError as error:
        if error.code in (ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.UNSUPPORTED_VERSION):
            return None
        raise


def _is_of_coordinator(error: KafkaError) -> bool:
    return isinstance(error, ClusterUnreachable) or error.code in _COORDINATORS


async def _offsets_topic(admin: Admin, error: KafkaError) -> TopicDescription | None:
    """The topic with groups; None before the first group. Raises `error` if no broker answers."""
    try:
        return (await admin.describe_topics([OFFSETS_TOPIC]))[OFFSETS_TOPIC]
    except KafkaError as other:
        if other.code is not ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            raise error from other
        return None


def explain_coordinator(
    group_id: str, error: KafkaError, topic: TopicDescription | None
) -> Iterator[str]:
    """Why a group's coordinator does not answer, from the state of the group's partition."""
    if topic is None:
        yield (
            f"{group_id} waits for its coordinator: {OFFSETS_TOPIC} does not exist yet, and is made"
            " when a member first asks for its coordinator."
        )
        return
    part = topic.partitions[partition_of_key(group_id, len(topic.partitions))]
    where = f"{OFFSETS_TOPIC}-{part.index}"
    reason = error.message.rstrip(".")
    yield f"{group_id} waits for its coordinator, the leader of {where}: {reason}."
    if part.leader is None:
        brokers = ", ".join(map(str, part.isr or part.replicas))
        yield f"{where} has no leader: it waits for one of the brokers {brokers}."
    elif error.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
        yield f"Broker {part.leader.id} leads it and reads the groups from its log."
    else:
        yield f"Broker {part.leader.id} leads it, and did not answer as coordinator in time."


class Positions(NamedTuple):
    """A group's committed offsets and its partitions' ends; unknown ones are left out."""

    committed: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]

    def behind(self, target: TopicPartition) -> int:
        """The lag in records, never negative; all records where nothing was committed."""
        return max(0, self.ends.get(target, 0) - self.committed.get(target, 0))


def explain(
    group: GroupDescription, positions: Positions, topics: Container[str] = ()
) -> Iterator[str]:
    """What the group waits for, line by line; the first line has its state. `topics`: the existing
    topics.
    """
    yield standing(group)
    if group.state == "Empty":
        yield "It waits for a member: it has none that reads."
    elif group.state == "PreparingRebalance":
        yield from _awaited(
            group,
            "to join again, each at most its max.poll.interval.ms (a new one to join)",
            "It waits until its members have joined again, each at most max.poll.interval.ms, and"
            " a first generation for group.initial.rebalance.delay.ms.",
        )
    elif group.state == "CompletingRebalance":
        yield from _awaited(
            group,
            "to sync, the leader among them with the assignment",
            "It waits for the assignment of its leader, one of its members.",
        )
    elif group.state == "Assigning":
        yield (
            f"It waits for its next assignment (it has that of epoch {group.target_epoch}): there"
            " is one every consumer.assignment.interval.ms at most."
        )
    yield from _waiting_members(group)
    yield from _idle_members(group, topics)
    yield from _unread(group, positions)


def _awaited(group: GroupDescription, what: str, otherwise: str) -> Iterator[str]:
    """The members that delay a rebalance of a classic group; other vendors' brokers name none."""
    awaited = [name(member) for member in group.members if member.awaited]
    yield f"It waits for {', '.join(awaited)} {what}." if awaited else otherwise


def _idle_members(group: GroupDescription, topics: Container[str]) -> Iterator[str]:
    """Members without partitions to read (KIP-848)."""
    for member in group.members:
        if member.target is None or member.target or member.assignment:
            continue
        missing = [topic for topic in member.topics if topic not in topics]
        if member.pattern and not member.topics:
            yield (
                f"{name(member)} has no partitions: its pattern {member.pattern!r} is not resolved"
                " yet, matches no topic that it may read, or the others have all of those."
            )
        elif not member.topics:
            yield f"{name(member)} has no partitions: it subscribes to nothing."
        elif missing:
            yield (
                f"{name(member)} has no partitions: it waits for {', '.join(missing)}, which does"
                " not exist."
            )
        elif group.state == "Stable":
            yield f"{name(member)} has no partitions: the others have all that it subscribes to."


def _waiting_members(group: GroupDescription) -> Iterator[str]:
    """Members that have not reached their target assignment (KIP-848)."""
    owners = {target: member for member in group.members for target in member.assignment}
    for member in group.members:
        if member.target is None:
            continue
        going = sorted(set(member.assignment) - set(member.target))
        coming = sorted(set(member.target) - set(member.assignment))
        if going:
            yield (
                f"{name(member)} still has {names(going)}, which it must give back: it polls too"
                " seldom, or its listener is at work. It has its max.poll.interval.ms for that."
            )
        for target in coming:
            owner = owners.get(target)
            if owner is None:
                yield f"{name(member)} gets {target} with its next heartbeat."
            elif owner is not member:
                yield f"{name(member)} waits for {target}, which {name(owner)} still has."
        if not going and not coming and member.epoch not in (None, group.target_epoch):
            yield (
                f"{name(member)} has its share, and has not heard of epoch {group.target_epoch}:"
                " it does with its next heartbeat."
            )


def _unread(group: GroupDescription, positions: Positions) -> Iterator[str]:
    """Partitions with lag, by the member that owns them."""
    owned = {target for member in group.members for target in member.assignment}
    orphans = [t for t in sorted(positions.committed) if t not in owned and positions.behind(t)]
    if orphans and group.members:
        yield f"No member has {names(orphans)}, where records wait: no member subscribes to it."
    for member in group.members:
        lag = sum(map(positions.behind, member.assignment))
        if lag:
            worst = max(member.assignment, key=positions.behind)
            yield (
                f"{name(member)} is {lag} records behind, most of all in {worst}"
                f" ({positions.behind(worst)})."
            )
    if group.state == "Stable" and not any(map(positions.behind, owned)):
        yield "It waits for nothing but records: it has read all there are."
