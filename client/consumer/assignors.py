"""Assignment strategies: how the leader of a group divides partitions (KIP-54, KIP-429).

Pure, and deterministic on every machine: whatever is iterated is sorted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition

Assignment = dict[str, list[TopicPartition]]
"""Assignments by member id."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member's subscription, from its JoinGroup."""

    id: str
    topics: tuple[str, ...]
    instance_id: str | None = None
    owned: tuple[TopicPartition, ...] = ()
    generation: int = -1
    """The generation in which it owned them."""

    @property
    def order(self) -> tuple[bool, str]:
        """Static members first, by group.instance.id, so that a restart moves nothing."""
        return (self.instance_id is None, self.instance_id or self.id)


class Assignor(Protocol):
    """A strategy. `cooperative` ones hold a moving partition back until its owner revoked it."""

    name: str
    cooperative: bool
    sticky: bool

    def assign(self, partitions: Mapping[str, int], members: Sequence[Member]) -> Assignment:
        """`partitions`: how many each topic has; topics that do not exist are left out."""
        ...


class RangeAssignor:
    """Neighbouring partitions of each topic to one member; the first members get one more."""

    name = "range"
    cooperative = False
    sticky = False

    def assign(self, partitions: Mapping[str, int], members: Sequence[Member]) -> Assignment:
        result: Assignment = {member.id: [] for member in members}
        ordered = sorted(members, key=lambda member: member.order)
        for topic in sorted(partitions):
            readers = [member for member in ordered if topic in member.topics]
            if not readers:
                continue
            share, extra = divmod(partitions[topic], len(readers))
            start = 0
            for place, member in enumerate(readers):
                stop = start + share + (1 if place < extra else 0)
                result[member.id] += [TopicPartition(topic, p) for p in range(start, stop)]
                start = stop
        return result


class RoundRobinAssignor:
    """All partitions in order, one to each member in turn."""

    name = "roundrobin"
    cooperative = False
    sticky = False

    def assign(self, partitions: Mapping[str, int], members: Sequence[Member]) -> Assignment:
        result: Assignment = {member.id: [] for member in members}
        ordered = sorted(members, key=lambda member: member.order)
        turn = 0
        for target in _all_partitions(partitions):
            if not any(target.topic in member.topics for member in ordered):
                continue
            while target.topic not in ordered[turn % len(ordered)].topics:
                turn += 1
            result[ordered[turn % len(ordered)].id].append(target)
            turn += 1
        return result


@dataclass(slots=True)
class _Balance:
    """An assignment in progress."""

    readers: Mapping[str, Sequence[str]]
    """By topic, the members that may read it, in order."""
    shares: dict[str, list[TopicPartition]] = field(default_factory=dict)

    def lightest(self, topic: str) -> str:
        return min(self.readers[topic], key=lambda member: len(self.shares[member]))

    def level(self) -> None:
        """Move single partitions to less loaded members while that makes shares more equal."""
        moved = True
        while moved:
            moved = False
            for member in sorted(self.shares, key=lambda m: -len(self.shares[m])):
                while self._give_away(member):
                    moved = True

    def _give_away(self, member: str) -> bool:
        best: tuple[int, TopicPartition, str] | None = None
        for topic in sorted({target.topic for target in self.shares[member]}):
            other = self.lightest(topic)
            if len(self.shares[member]) - len(self.shares[other]) < 2:
                continue
            if best is None or len(self.shares[other]) < best[0]:
                last = max(t for t in self.shares[member] if t.topic == topic)
                best = (len(self.shares[other]), last, other)
        if best is None:
            return False
        _, target, other = best
        self.shares[member].remove(target)
        self.shares[other].append(target)
        return True


class StickyAssignor:
    """Shares as equal as possible, with as few moves as that takes (KIP-54)."""

    name = "sticky"
    cooperative = False
    sticky = True

    def assign(self, partitions: Mapping[str, int], members: Sequence[Member]) -> Assignment:
        ordered = sorted(members, key=lambda member: member.order)
        balance = _Balance(
            {topic: [m.id for m in ordered if topic in m.topics] for topic in partitions},
            {member.id: [] for member in ordered},
        )
        owners = _rightful_owners(partitions, ordered)
        for target in sorted(owners):
            balance.shares[owners[target]].append(target)
        free = [t for t in _all_partitions(partitions) if t not in owners]
        # Partitions that few members subscribe to come first, while those members have room.
        for target in sorted(free, key=lambda t: (len(balance.readers[t.topic]), t)):
            if balance.readers[target.topic]:
                balance.shares[balance.lightest(target.topic)].append(target)
        balance.level()
        return {member: sorted(share) for member, share in balance.shares.items()}


class CooperativeStickyAssignor:
    """Like sticky, in two rounds: a moving partition is first revoked, then assigned (KIP-429)."""

    name = "cooperative-sticky"
    cooperative = True
    sticky = True

    def assign(self, partitions: Mapping[str, int], members: Sequence[Member]) -> Assignment:
        wanted = StickyAssignor().assign(partitions, members)
        holders: dict[TopicPartition, set[str]] = {}
        for member in members:
            for target in member.owned:
                holders.setdefault(target, set()).add(member.id)
        return {
            member: [t for t in share if holders.get(t, set()) <= {member}]
            for member, share in wanted.items()
        }


def _all_partitions(partitions: Mapping[str, int]) -> list[TopicPartition]:
    return [TopicPartition(t, p) for t in sorted(partitions) for p in range(partitions[t])]


def _rightful_owners(
    partitions: Mapping[str, int], members: Sequence[Member]
) -> dict[TopicPartition, str]:
    """The member that keeps each partition: of two claims, the one of the later generation. Two
    claims of one generation contradict each other, so neither counts.
    """
    claims: dict[TopicPartition, list[Member]] = {}
    for member in members:
        for target in member.owned:
            if target.topic in member.topics and target.partition < partitions.get(target.topic, 0):
                claims.setdefault(target, []).append(member)
    owners: dict[TopicPartition, str] = {}
    for target, claimants in claims.items():
        latest = max(member.generation for member in claimants)
        rightful = [member for member in claimants if member.generation == latest]
        if len(rightful) == 1:
            owners[target] = rightful[0].id
    return owners


ASSIGNORS: Final[Mapping[str, Assignor]] = {
    assignor.name: assignor
    for assignor in (
        RangeAssignor(),
        RoundRobinAssignor(),
        StickyAssignor(),
        CooperativeStickyAssignor(),
    )
}

_JAVA_NAMES: Final = {
    "org.apache.kafka.clients.consumer.RangeAssignor": "range",
    "org.apache.kafka.clients.consumer.RoundRobinAssignor": "roundrobin",
    "org.apache.kafka.clients.consumer.StickyAssignor": "sticky",
    "org.apache.kafka.clients.consumer.CooperativeStickyAssignor": "cooperative-sticky",
}


def assignors(names: Sequence[str]) -> list[Assignor]:
    """The strategies by name, or by the name of Kafka's class. Raises KafkaError."""
    found: list[Assignor] = []
    for name in names:
        assignor = ASSIGNORS.get(_JAVA_NAMES.get(name, name))
        if assignor is None:
            raise KafkaError(
                ErrorCode.INVALID_CONFIG,
                f"partition.assignment.strategy = {name!r}: it must be one of"
                f" {', '.join(ASSIGNORS)}",
            )
        found.append(assignor)
    return found
