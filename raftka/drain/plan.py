"""Assigns the replicas of leaving brokers to others. Pure.

A replica's successor takes its place in the list, so that the successor of a preferred leader is
the preferred leader. Of the remaining brokers, it is one in a rack without other replicas of the
partition, if there is one; then the one with the fewest replicas or, for a preferred leader, the
one that is preferred for the fewest partitions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from raftka.model.ids import TopicPartition

Assignment = Mapping[TopicPartition, Sequence[int]]


class NoPlace(Exception):
    """No broker can receive a replica; the message says which replica, and what to do."""


class Site(NamedTuple):
    """A broker that may take replicas."""

    broker_id: int
    rack: str | None = None


def plan(
    current: Assignment,
    leaving: Collection[int],
    sites: Collection[Site],
    successors: Mapping[int, int] | None = None,
) -> dict[TopicPartition, list[int]]:
    """The new replicas of each partition that has one on a broker that leaves.

    `current` has the replicas of all partitions, as they will be after ongoing reassignments.
    `successors` names, for some leaving brokers, the one that receives all their replicas. Raises
    NoPlace.
    """
    racks = {site.broker_id: site.rack for site in sites if site.broker_id not in leaving}
    held = Counter(broker for replicas in current.values() for broker in replicas)
    first = Counter(replicas[0] for replicas in current.values() if replicas)
    planned: dict[TopicPartition, list[int]] = {}
    for target, replicas in sorted(current.items()):
        if not set(replicas) & set(leaving):
            continue
        made = list(replicas)
        for place, broker in enumerate(replicas):
            if broker not in leaving:
                continue
            named = (successors or {}).get(broker)
            if named is not None and named not in made:
                chosen = named
            else:
                chosen = _choose(target, made, place, racks, held, first)
            made[place] = chosen
            held[chosen] += 1
            first[chosen] += place == 0
        planned[target] = made
    return planned


def _choose(
    target: TopicPartition,
    replicas: Sequence[int],
    place: int,
    racks: Mapping[int, str | None],
    held: Counter[int],
    first: Counter[int],
) -> int:
    free = [broker for broker in racks if broker not in replicas]
    if not free:
        raise NoPlace(
            f"{target} has {len(replicas)} replicas, and would have no broker for one of them:"
            f" {len(racks)} would be left. Add a broker, or give its topic fewer replicas first"
            " (kafka-reassign-partitions)"
        )
    used = {racks[each] for at, each in enumerate(replicas) if at != place and each in racks}

    def burden(broker: int) -> tuple[bool, int, int, int]:
        rack = racks[broker]
        shared = rack is not None and rack in used
        leads = first[broker] if place == 0 else 0
        return shared, leads, held[broker], broker

    return min(free, key=burden)
