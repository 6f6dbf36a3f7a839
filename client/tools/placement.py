"""Spreads partitions over brokers, and their replicas over racks."""

from __future__ import annotations

from collections.abc import Mapping

from raftka.model.ports import Dice


def spread(
    partitions: int, factor: int, racks: Mapping[int, str | None], dice: Dice
) -> dict[int, list[int]]:
    """For each partition, `factor` brokers, the leader first. Leaders rotate over the brokers, from
    a random one on. With racks, neighbours in that order are in different racks, and so are the
    replicas of a partition, if there are enough racks.
    """
    ring = _alternating(racks)
    first = dice.randrange(len(ring))
    placed: dict[int, list[int]] = {}
    for index in range(partitions):
        lead = (first + index) % len(ring)
        followers = ring[lead + 1 :] + ring[:lead]
        # Each full round shifts the followers, so that the pairs of brokers vary.
        shift = index // len(ring) % max(1, len(followers))
        placed[index] = _replicas(ring[lead], followers[shift:] + followers[:shift], factor, racks)
    return placed


def _replicas(
    leader: int, followers: list[int], factor: int, racks: Mapping[int, str | None]
) -> list[int]:
    """The leader and the first followers, preferring racks that are not used yet."""
    chosen = [leader]
    for only_new_racks in (True, False):
        for broker in followers:
            used = {racks[other] for other in chosen} - {None}
            if len(chosen) == factor:
                return chosen
            if broker not in chosen and not (only_new_racks and racks[broker] in used):
                chosen.append(broker)
    return chosen


def _alternating(racks: Mapping[int, str | None]) -> list[int]:
    """All brokers, one of each rack in turn."""
    by_rack: dict[str, list[int]] = {}
    for broker in sorted(racks):
        by_rack.setdefault(racks[broker] or "", []).append(broker)
    ring: list[int] = []
    while any(by_rack.values()):
        ring += [brokers.pop(0) for _, brokers in sorted(by_rack.items()) if brokers]
    return ring
