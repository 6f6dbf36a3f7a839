"""Explains what a streams group waits for (KIP-1071). Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator

from raftka.client.admin import StreamsAssignment, StreamsGroupDescription, StreamsGroupMember
from raftka.client.tools.reason_words import name, standing

Task = tuple[str, int]
"""(subtopology, partition)"""


def explain(group: StreamsGroupDescription, topics: Container[str]) -> Iterator[str]:
    """What the group waits for, line by line; the first line has its state. `topics`: the existing
    topics.
    """
    yield standing(group)
    if not group.members:
        yield "It waits for a member: no instance of the application runs."
        return
    if group.topology_epoch < 0:
        yield "It waits for a member that says what the topology of the application is."
    missing = _missing_topics(group, topics)
    if group.not_ready:
        yield f"It waits for the topics of its topology: {group.not_ready.rstrip('.')}."
    elif missing:
        yield (
            f"It waits for {', '.join(missing)}, which do not exist: source topics are created by"
            " people, internal ones by the broker in the name of a member that may create them."
        )
    elif group.state == "NotReady":
        yield "Its topics are there: the next heartbeat of a member checks the topology again."
    if group.state == "Assigning":
        yield (
            f"It waits for its next assignment (it has that of epoch {group.target_epoch}): a first"
            " one comes after streams.initial.rebalance.delay.ms, others one every"
            " streams.assignment.interval.ms at most."
        )
    yield from _stale_members(group)
    waiting = list(_waiting_members(group))
    yield from waiting
    if group.state == "Stable" and not waiting:
        yield "Every task is where it belongs: it waits for nothing but records."


def _missing_topics(group: StreamsGroupDescription, topics: Container[str]) -> list[str]:
    named = {
        topic
        for each in group.subtopologies
        for topic in (
            *each.source_topics,
            *each.repartition_source_topics,
            *each.changelog_topics,
        )
    }
    return sorted(topic for topic in named if topic not in topics)


def _stale_members(group: StreamsGroupDescription) -> Iterator[str]:
    for member in group.members:
        if member.topology_epoch < group.topology_epoch:
            yield (
                f"{name(member)} has a stale topology (epoch {member.topology_epoch} of"
                f" {group.topology_epoch}): it gets no tasks of the new one until it is upgraded."
            )


def _waiting_members(group: StreamsGroupDescription) -> Iterator[str]:
    """Members that have not reached their target tasks."""
    owners = {task: member for member in group.members for task in _tasks(member.assignment)}
    for member in group.members:
        has, wanted = _tasks(member.assignment), _tasks(member.target)
        going, coming = sorted(has - wanted), sorted(wanted - has)
        if going:
            yield (
                f"{name(member)} still has {_named(going)}, which it must give back: it processes"
                " or closes them still. It has its max.poll.interval.ms for that."
            )
        for task in coming:
            owner = owners.get(task)
            if owner is None or owner is member:
                yield f"{name(member)} gets {_named([task])} with its next heartbeat."
            else:
                yield f"{name(member)} waits for {_named([task])}, which {name(owner)} still has."
        if not going and not coming and member.epoch != group.target_epoch:
            yield _behind(member, group)


def _behind(member: StreamsGroupMember, group: StreamsGroupDescription) -> str:
    return (
        f"{name(member)} has its tasks, and has not heard of epoch {group.target_epoch} (it is in"
        f" {member.epoch}): it does with its next heartbeat."
    )


def _tasks(assignment: StreamsAssignment) -> set[Task]:
    """Tasks in any role: a process has a task once."""
    return {
        (subtopology, partition)
        for ids in (assignment.active, assignment.standby, assignment.warmup)
        for subtopology, partitions in ids.items()
        for partition in partitions
    }


def _named(tasks: list[Task]) -> str:
    return ", ".join(f"task {subtopology}_{partition}" for subtopology, partition in tasks)
