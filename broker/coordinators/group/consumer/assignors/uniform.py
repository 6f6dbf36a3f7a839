"""The uniform assignor: members differ by at most one partition, and keep what they have.

If all members subscribe to the same topics, each has a quota and keeps its partitions up to it; the
remaining partitions go to members below their quota, preferably in the rack of one of the
partition's replicas. If subscriptions differ, each partition goes to its least loaded subscriber;
then partitions move to less loaded members while that evens out the load.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from raftka.broker.coordinators.group.consumer.assignors.spec import (
    GroupSpec,
    MemberSpec,
    Shares,
    empty_shares,
)

Place = tuple[bytes, int]


def assign(spec: GroupSpec) -> Shares:
    """The new assignment of each member."""
    if not spec.members:
        return {}
    return _by_quota(spec) if spec.is_homogeneous else _by_load(spec)


def _places(spec: GroupSpec) -> Iterator[Place]:
    for topic_id, count in spec.partition_counts.items():
        for index in range(count):
            yield topic_id, index


def _kept(member: MemberSpec, spec: GroupSpec) -> Iterator[Place]:
    """The member's existing partitions of topics that still exist and that it subscribes to, in
    order."""
    for topic_id, count in spec.partition_counts.items():
        if topic_id in member.topics:
            for index in sorted(member.has.get(topic_id, ())):
                if index < count:
                    yield topic_id, index


# ---- homogeneous subscriptions


def _by_quota(spec: GroupSpec) -> Shares:
    topics = spec.members[0].topics
    counts = {topic: n for topic, n in spec.partition_counts.items() if topic in topics}
    quota, larger = divmod(sum(counts.values()), len(spec.members))
    shares = empty_shares(spec)
    taken: set[Place] = set()
    loads: dict[str, int] = {}
    for member in spec.members:
        kept = [place for place in _kept(member, spec) if place not in taken]
        room = quota
        if len(kept) > quota and larger:
            # The larger quotas go to the members that can keep more partitions by them.
            room, larger = quota + 1, larger - 1
        del kept[room:]
        taken.update(kept)
        for topic_id, index in kept:
            shares[member.member_id].setdefault(topic_id, set()).add(index)
        loads[member.member_id] = len(kept)
    free = [
        (topic, index) for topic, n in counts.items() for index in range(n)
        if (topic, index) not in taken
    ]  # fmt: skip
    _fill(spec, shares, loads, free, quota, larger)
    return shares


def _fill(
    spec: GroupSpec,
    shares: Shares,
    loads: dict[str, int],
    free: list[Place],
    quota: int,
    larger: int,
) -> None:
    """Assign the free partitions: to members in the partition's racks first, then to any."""
    rooms = {m.member_id: quota - loads[m.member_id] for m in spec.members}
    # Members that kept a larger share are full; of the others, `larger` may get one more.
    for member in spec.members:
        if larger and rooms[member.member_id] >= 0:
            rooms[member.member_id] += 1
            larger -= 1

    def give(member_id: str, place: Place) -> None:
        shares[member_id].setdefault(place[0], set()).add(place[1])
        rooms[member_id] -= 1

    rest = free
    in_racks: dict[str, deque[str]] = {}
    for member in spec.members:
        if member.rack_id is not None and rooms[member.member_id] > 0:
            in_racks.setdefault(member.rack_id, deque()).append(member.member_id)
    if in_racks and spec.racks:
        rest = []
        for place in free:
            racks = spec.racks[place[0]][place[1]]
            near = _next_with_room(in_racks, racks, rooms)
            if near is None:
                rest.append(place)
            else:
                give(near, place)
    waiting = deque(m.member_id for m in spec.members if rooms[m.member_id] > 0)
    for place in rest:
        while rooms[waiting[0]] <= 0:
            waiting.popleft()
        give(waiting[0], place)
        waiting.rotate(-1)


def _next_with_room(
    in_racks: dict[str, deque[str]], racks: frozenset[str], rooms: dict[str, int]
) -> str | None:
    """The member in one of these racks with the most room; members take turns."""
    best: str | None = None
    for rack in sorted(racks):
        members = in_racks.get(rack)
        while members and rooms[members[0]] <= 0:
            members.popleft()
        if members:
            members.rotate(-1)
            if best is None or rooms[members[-1]] > rooms[best]:
                best = members[-1]
    return best


# ---- heterogeneous subscriptions


def _by_load(spec: GroupSpec) -> Shares:
    owners: dict[Place, str] = {}
    for member in spec.members:
        for place in _kept(member, spec):
            owners.setdefault(place, member.member_id)
    loads = {member.member_id: 0 for member in spec.members}
    for member_id in owners.values():
        loads[member_id] += 1
    readers = {
        topic: [m.member_id for m in spec.members if topic in m.topics]
        for topic in spec.partition_counts
    }
    for place in sorted(_places(spec), key=lambda place: len(readers[place[0]])):
        if place not in owners and readers[place[0]]:
            near = _near(spec, place, readers[place[0]])
            least = min(near, key=lambda member_id: loads[member_id])
            owners[place] = least
            loads[least] += 1
    _balance(owners, loads, readers)
    shares = empty_shares(spec)
    for (topic_id, index), member_id in owners.items():
        shares[member_id].setdefault(topic_id, set()).add(index)
    return shares


def _near(spec: GroupSpec, place: Place, readers: list[str]) -> list[str]:
    """Those of the least loaded subscribers that are in the partition's racks; all if none is."""
    if not spec.racks:
        return readers
    racks = spec.racks[place[0]][place[1]]
    rack_of = {member.member_id: member.rack_id for member in spec.members}
    return [reader for reader in readers if rack_of[reader] in racks] or readers


def _balance(
    owners: dict[Place, str], loads: dict[str, int], readers: dict[bytes, list[str]]
) -> None:
    """Move partitions to less loaded subscribers while that evens out the load."""
    moved = True
    while moved:
        moved = False
        least = {
            topic: min(members, key=lambda member_id: loads[member_id])
            for topic, members in readers.items()
            if members
        }
        for place, owner in list(owners.items()):
            target = least[place[0]]
            if loads[owner] > loads[target] + 1:
                owners[place] = target
                loads[owner] -= 1
                loads[target] += 1
                members = readers[place[0]]
                least = {**least, place[0]: min(members, key=lambda m: loads[m])}
                moved = True
