"""Explains what a share group waits for (KIP-932). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from raftka.client.admin import GroupDescription, ShareOffset
from raftka.client.tools.reason_words import name, names, standing
from raftka.model.ids import TopicPartition


def explain(
    group: GroupDescription, positions: Mapping[TopicPartition, ShareOffset]
) -> Iterator[str]:
    """What a share group waits for, line by line; the first line has its state."""
    yield standing(group)
    if not group.members:
        yield "It waits for a member: it has none."
    for member in group.members:
        if not member.assignment:
            yield (
                f"{name(member)} has no partitions: the topics that it subscribes to do not"
                " exist, or their state is being begun and comes with its next heartbeat."
            )
    owned = {target for member in group.members for target in member.assignment}
    new = [t for t in sorted(owned) if t not in positions or positions[t].start_offset is None]
    if new:
        yield (
            f"In {names(new)} no member has fetched yet: the first fetch decides where the group"
            " begins (share.auto.offset.reset)."
        )
    lags = {target: each.lag for target, each in positions.items() if each.lag}
    orphans = [target for target in sorted(lags) if target not in owned]
    if orphans and group.members:
        yield f"No member has {names(orphans)}, where records wait: no member subscribes to it."
    if lags:
        worst = max(sorted(lags), key=lambda target: lags[target] or 0)
        total = sum(lag or 0 for lag in lags.values())
        yield f"{total} records are to be done, most of all in {worst} ({lags[worst]})."
        yield (
            "Where that does not fall, members hold records that they have not acknowledged (each"
            " for group.share.record.lock.duration.ms at most, then it is delivered again), or"
            " have failed them: after group.share.delivery.count.limit deliveries they are"
            " archived."
        )
    elif group.members and not new:
        yield "It waits for nothing but records: all that there are are done."
