"""The range assignor: each subscriber gets a contiguous range of each topic's partitions.

Topics with the same number of partitions and the same subscribers are split the same way, so that
one member gets partition 3 of each and can join them. Members are ordered by the lowest partition
that each already has, with new members last, so that ranges move as little as possible.
"""

from __future__ import annotations

from raftka.broker.coordinators.group.consumer.assignors.spec import (
    GroupSpec,
    MemberSpec,
    Shares,
    empty_shares,
)


def assign(spec: GroupSpec) -> Shares:
    """The new assignment of each member."""
    shares = empty_shares(spec)
    ordered = sorted(spec.members, key=lambda member: (_lowest(member), member.rank))
    for topic_id, count in spec.partition_counts.items():
        readers = [member for member in ordered if topic_id in member.topics]
        if not readers:
            continue
        each, extra = divmod(count, len(readers))
        first = 0
        for place, member in enumerate(readers):
            size = each + (place < extra)
            if size:
                shares[member.member_id][topic_id] = set(range(first, first + size))
            first += size
    return shares


def _lowest(member: MemberSpec) -> float:
    return min((min(indexes) for indexes in member.has.values() if indexes), default=float("inf"))
