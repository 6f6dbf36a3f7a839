"""The range assignor: of each topic a run of neighbouring partitions to each subscriber.

Topics with equally many partitions and the same subscribers are split alike, so that partition 3 of
both goes to one member, which can join them. Members keep their order, by the lowest partition that
each has; new ones come last, so that ranges move as little as they can.
"""

from __future__ import annotations

from raftka.broker.coordinators.group.consumer.assignors.spec import (
    GroupSpec,
    MemberSpec,
    Shares,
    empty_shares,
)


def assign(spec: GroupSpec) -> Shares:
    """The share of each member."""
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
