"""The story of a consumer group: its members, generations, coordinator, and commits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from raftka.simulations.story.chronicle import LINKS, Chronicle, Event
from raftka.simulations.story.commit import OFFSETS, tell_commit
from raftka.simulations.story.story import Row, Story, prune
from raftka.simulations.story.words import sentence, show

ROWS_MAX: Final = 40
_TALK: Final = ("JoinGroup", "SyncGroup", "LeaveGroup", "OffsetCommit", "OffsetFetch")
_OF_MEMBERS: Final = ("assigned", "revoked", "lost", "consumer-failed", "group-churn")
_OF_NODES: Final = ("kill", "power-loss", "crashed", "stopped", "wipe", "pause", "resume", "start")


def group_story(chronicle: Chronicle, name: str) -> Story:
    """The story of `about.group`."""
    group, about = chronicle.about.group, chronicle.about
    story = Story()
    coordinators = _coordinators(chronicle)
    members = sorted(
        {
            e["node"]
            for e in chronicle.events
            if e.get("group_id") == group and e["kind"] == "message-sent" and e["side"] == "request"
        }
    )
    story.facts.append(("the group", f"{group}, of {show(members)}"))
    if coordinators:
        words = show(list(dict.fromkeys(coordinators)))
        story.facts.append(("coordinators", f"in this order: {words}"))
    if about.node:
        story.facts.append(("answered by", f"{about.node} to {about.other}"))
    if about.partition is not None:
        topic, index = about.partition
        offset = f", offset {about.offset}" if about.offset is not None else ""
        story.facts.append(("partition", f"{topic}-{index}{offset}"))
    tell_commit(chronicle, story)
    rows = list(_rows(chronicle, members))
    story.timeline, story.left_out = prune(rows, ROWS_MAX, [rows[-1].at_s] if rows else [])
    story.title, story.columns = f"group {group}, event by event", ("generation",)
    return story


def _coordinators(chronicle: Chronicle) -> list[str]:
    return [
        event["node"]
        for event in chronicle.events
        if event["kind"] == "message-received"
        and event.get("group_id") == chronicle.about.group
        and event["api"] in ("JoinGroup", "SyncGroup", "OffsetCommit")
        and event["side"] == "request"
    ]


def _rows(chronicle: Chronicle, members: list[str]) -> Iterator[Row]:
    group, generation = chronicle.about.group, -1
    by_id = chronicle.by_id
    for event in chronicle.events:
        request = by_id.get(event.get("cause", 0), {}) if event.get("side") == "response" else event
        is_ours = request.get("group_id") == group
        generation = max(generation, event.get("generation_id", -1) if is_ours else -1)
        found = _row(event, request if is_ours else None, members)
        if found is not None:
            known = str(generation) if generation >= 0 else "-"
            yield Row(event["t"], found[1], found[0], (known,), event)


def _row(event: Event, request: Event | None, members: list[str]) -> tuple[float, str] | None:
    kind, node = event["kind"], event.get("node", "")
    if kind == "violation":
        return 9.0, f"{event['name']} is seen"
    if kind == "message-sent" and request is not None and event["api"] in _TALK:
        weight = 1.0 if event["api"] == "OffsetFetch" else 2.5
        return weight, sentence(event) + _partitions(event)
    if kind in _OF_MEMBERS and any(node in (m, m.partition(".")[0]) for m in members):
        return 3.0, sentence(event)
    if kind == "leader-elected" and event["partition"].startswith(OFFSETS):
        return 2.0, f"{event['partition']}: {sentence(event)}"
    if kind in _OF_NODES and event.get("life", 2) > 1:
        return 2.0, sentence(event)
    if kind == LINKS:
        hosts = {host for pair in (*event["cut"], *event["healed"]) for host in pair}
        return (1.5 if hosts & set(members) else 0.8), sentence(event)
    return None


def _partitions(event: Event) -> str:
    found = [
        f"{each['partition']}@{each['committed_offset']}"
        for each in event.get("partitions", ())
        if "committed_offset" in each
    ]
    errors = sorted({each["error"] for each in event.get("partitions", ()) if "error" in each})
    return f": {', '.join([*found, *errors])}" if found or errors else ""
