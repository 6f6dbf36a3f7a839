"""`raftka groups why GROUP`: what a group that does not move waits for, in words."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from raftka.client.admin import Admin, GroupDescription, GroupMember, ShareOffset
from raftka.client.consumer.group_messages import by_topic
from raftka.client.tools.group_tables import log_ends
from raftka.client.tools.options import Options, admin_settings, require
from raftka.client.tools.running import run
from raftka.model.ids import TopicPartition

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
        kinds = {each.group_id: each.type.lower() for each in await admin.list_groups()}
        if kinds.get(found.group) == "share":
            described = (await admin.describe_share_groups([found.group]))[found.group]
            positions = await admin.list_share_group_offsets(found.group)
            print("\n".join(explain_share(described, positions)))
            return
        group = (await admin.describe_groups([found.group]))[found.group]
        committed = await admin.list_group_offsets(found.group)
        owned = {target for member in group.members for target in member.assignment}
        ends = await log_ends(admin, sorted(owned | committed.keys()))
    offsets = {target: each.offset for target, each in committed.items()}
    print("\n".join(explain(group, Positions(offsets, ends))))


class Positions(NamedTuple):
    """How far a group has read, and where its partitions end; what is not known is left out."""

    committed: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]

    def behind(self, target: TopicPartition) -> int:
        """Records that are still to be read, never negative; all, where nothing was committed."""
        return max(0, self.ends.get(target, 0) - self.committed.get(target, 0))


def explain(group: GroupDescription, positions: Positions) -> Iterator[str]:
    """What the group waits for, line by line; the first says how it stands."""
    yield _standing(group)
    if group.state == "Empty":
        yield "It waits for a member: it has none that reads."
    elif group.state == "PreparingRebalance":
        yield "It waits until its members have joined again, each at most max.poll.interval.ms."
    elif group.state == "CompletingRebalance":
        yield "It waits for the assignment of its leader, one of its members."
    elif group.state == "Assigning":
        yield (
            f"It waits for its next assignment (it has that of epoch {group.target_epoch}): there"
            " is one every consumer.assignment.interval.ms at most."
        )
    yield from _waiting_members(group)
    yield from _unread(group, positions)


def explain_share(
    group: GroupDescription, positions: Mapping[TopicPartition, ShareOffset]
) -> Iterator[str]:
    """What a share group waits for (KIP-932), line by line; the first says how it stands."""
    yield _standing(group)
    if not group.members:
        yield "It waits for a member: it has none."
    for member in group.members:
        if not member.assignment:
            yield (
                f"{_name(member)} has no partitions: the topics that it subscribes to do not"
                " exist, or their state is being begun and comes with its next heartbeat."
            )
    owned = {target for member in group.members for target in member.assignment}
    new = [t for t in sorted(owned) if t not in positions or positions[t].start_offset is None]
    if new:
        yield (
            f"In {_names(new)} no member has fetched yet: the first fetch decides where the group"
            " begins (share.auto.offset.reset)."
        )
    lags = {target: each.lag for target, each in positions.items() if each.lag}
    orphans = [target for target in sorted(lags) if target not in owned]
    if orphans and group.members:
        yield f"No member has {_names(orphans)}, where records wait: no member subscribes to it."
    if lags:
        worst = max(sorted(lags), key=lambda target: lags[target] or 0)
        total = sum(lag or 0 for lag in lags.values())
        yield f"{total} records are to be done, most of all in {worst} ({lags[worst]})."
    elif group.members and not new:
        yield "It waits for nothing but records: all that there are are done."


def _waiting_members(group: GroupDescription) -> Iterator[str]:
    """Members on their way to their targets (KIP-848)."""
    owners = {target: member for member in group.members for target in member.assignment}
    for member in group.members:
        if member.target is None:
            continue
        going = sorted(set(member.assignment) - set(member.target))
        coming = sorted(set(member.target) - set(member.assignment))
        if going:
            yield (
                f"{_name(member)} still has {_names(going)}, which it must give back: it polls too"
                " seldom, or its listener is at work. It has its max.poll.interval.ms for that."
            )
        for target in coming:
            owner = owners.get(target)
            if owner is None:
                yield f"{_name(member)} gets {target} with its next heartbeat."
            elif owner is not member:
                yield f"{_name(member)} waits for {target}, which {_name(owner)} still has."
        if not going and not coming and member.epoch not in (None, group.target_epoch):
            yield (
                f"{_name(member)} has its share, and has not heard of epoch {group.target_epoch}:"
                " it does with its next heartbeat."
            )


def _unread(group: GroupDescription, positions: Positions) -> Iterator[str]:
    """Partitions with records that are still to be read, by the member that owns them."""
    owned = {target for member in group.members for target in member.assignment}
    orphans = [t for t in sorted(positions.committed) if t not in owned and positions.behind(t)]
    if orphans and group.members:
        yield f"No member has {_names(orphans)}, where records wait: no member subscribes to it."
    for member in group.members:
        lag = sum(map(positions.behind, member.assignment))
        if lag:
            worst = max(member.assignment, key=positions.behind)
            yield (
                f"{_name(member)} is {lag} records behind, most of all in {worst}"
                f" ({positions.behind(worst)})."
            )
    if group.state == "Stable" and not any(map(positions.behind, owned)):
        yield "It waits for nothing but records: it has read all there are."


def _standing(group: GroupDescription) -> str:
    members = len(group.members)
    epoch = "" if group.epoch is None else f", in epoch {group.epoch}"
    return f"{group.group_id} is {group.state}: {members} member{'s' * (members != 1)}{epoch}."


def _name(member: GroupMember) -> str:
    return member.instance_id or f"{member.member_id} ({member.client_id}{member.host})"


def _names(targets: Sequence[TopicPartition]) -> str:
    return ", ".join(
        f"{topic}-{','.join(map(str, indexes))}" for topic, indexes in by_topic(targets).items()
    )
