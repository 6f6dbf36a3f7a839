"""The assignor "simple" of share groups (KIP-932): every partition goes to a member, every member
gets a partition, and as few as possible move.

Topics with the same subscribers are assigned together. With more partitions than members each
partition has one member; with more members each member has one partition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from raftka.broker.coordinators.group.share.group import Assignment


class Subscriber(NamedTuple):
    """A member as the assignor sees it."""

    member_id: str
    topics: frozenset[bytes]
    """Ids."""
    has: Assignment


Place = tuple[bytes, int]
"""(topic id, partition)"""


def assign(
    subscribers: Iterable[Subscriber], partitions: Mapping[bytes, frozenset[int]]
) -> dict[str, Assignment]:
    """The new assignment of each member, out of the assignable partitions."""
    members = sorted(subscribers)
    by_subscribers: dict[tuple[str, ...], list[Place]] = {}
    for topic_id in sorted(partitions):
        wanting = tuple(each.member_id for each in members if topic_id in each.topics)
        if wanting:
            places = by_subscribers.setdefault(wanting, [])
            places += [(topic_id, index) for index in sorted(partitions[topic_id])]
    had = {
        each.member_id: {(topic, index) for topic, some in each.has.items() for index in some}
        for each in members
    }
    found: dict[str, set[Place]] = {each.member_id: set() for each in members}
    for wanting, places in by_subscribers.items():
        for member_id, some in _share_out(wanting, places, had).items():
            found[member_id] |= some
    return {member_id: _by_topic(some) for member_id, some in found.items()}


def _share_out(
    members: tuple[str, ...], places: list[Place], had: Mapping[str, set[Place]]
) -> dict[str, set[Place]]:
    if not places:
        return {}
    total = max(len(members), len(places))
    least, more = divmod(total, len(members))
    most_members = -(-total // len(places))
    found: dict[str, set[Place]] = {member_id: set() for member_id in members}
    held: Counter[Place] = Counter(dict.fromkeys(places, 0))
    # The member with the most partitions gets the larger quota, so that fewer move.
    for rank, member_id in enumerate(sorted(members, key=lambda each: -len(had[each]))):
        quota = least + (rank < more)
        for place in places:
            if place in had[member_id] and held[place] < most_members:
                if len(found[member_id]) == quota:
                    break
                found[member_id].add(place)
                held[place] += 1
    free = sorted(places, key=lambda place: held[place])
    for rank, member_id in enumerate(sorted(members, key=lambda each: -len(had[each]))):
        quota = least + (rank < more)
        while len(found[member_id]) < quota:
            place = min(
                (each for each in free if each not in found[member_id]), key=lambda p: held[p]
            )
            found[member_id].add(place)
            held[place] += 1
    return found


def _by_topic(places: Iterable[Place]) -> Assignment:
    found: dict[bytes, set[int]] = {}
    for topic_id, index in sorted(places):
        found.setdefault(topic_id, set()).add(index)
    return {topic_id: frozenset(some) for topic_id, some in found.items()}
