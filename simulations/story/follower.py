"""The last requests of a follower that makes no progress, and their responses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from raftka.simulations.story.chronicle import Chronicle, Event, Scene
from raftka.simulations.story.story import Table

_APIS: Final = ("Fetch", "OffsetForLeaderEpoch", "ListOffsets")
_ROWS: Final = 8
_FOLLOWERS: Final = 2
_HEAD: Final = ("at", "times", "asks", "for", "is answered")


def asked_tables(chronicle: Chronicle, scene: Scene) -> Iterator[Table]:
    """A table for each replica of the partition that lags behind its leader."""
    key = chronicle.about.partition
    partition = scene.partitions.get(f"{key[0]}-{key[1]}") if key is not None else None
    if key is None or partition is None:
        return
    name = f"{key[0]}-{key[1]}"
    ends = {b: scene.logs.get((f"n{b}", name), (0, 0))[1] for b in partition.replicas}
    late = [
        broker
        for broker in partition.replicas
        if broker != partition.leader
        and (broker not in partition.isr or ends[broker] != ends.get(partition.leader))
    ]
    for broker in late[:_FOLLOWERS]:
        rows = list(_rows(chronicle, broker, name))
        table = Table(f"what n{broker} asks about {name} (its log ends at {ends[broker]})", _HEAD)
        table.rows += rows[-_ROWS:]
        if not rows:
            table.rows.append(("", "", "no broker, for nothing", "", ""))
        yield table


def _rows(chronicle: Chronicle, broker: int, name: str) -> Iterator[tuple[str, ...]]:
    """Requests with their responses; equal ones in a row only once."""
    answers = {
        (event["connection"], event["correlation_id"]): event
        for event in chronicle.events
        if event["kind"] == "message-received"
        and event.get("node") == f"n{broker}"
        and event.get("api") in _APIS
        and event.get("side") == "response"
    }
    last: tuple[str, ...] | None = None
    times, at_s = 0, 0.0
    for event in chronicle.events:
        if not _is_question(event, broker):
            continue
        answer = answers.get((event["connection"], event["correlation_id"]))
        words = (event["to"], _question(event, name), _answer(answer, name))
        if last is not None and words != last:
            yield (f"{at_s:.3f}", str(times), *last)
            times = 0
        last, times, at_s = words, times + 1, event["t"]
    if last is not None:
        yield (f"{at_s:.3f}", str(times), *last)


def _is_question(event: Event, broker: int) -> bool:
    sent = event["kind"] == "message-sent" and event.get("node") == f"n{broker}"
    if not sent or event.get("side") != "request" or event.get("api") not in _APIS:
        return False
    # Fetch sessions name their follower in the first request only (KIP-227).
    return bool(event["api"] != "Fetch" or event.get("replica_id", broker) == broker)


def _question(event: Event, name: str) -> str:
    own = _own(event, name)
    if own is None:
        return f"{event['api']}, which names it not (as before)"
    known = ("fetch_offset", "current_leader_epoch", "last_fetched_epoch", "leader_epoch")
    fields = [f"{field.replace('_', ' ')} {own[field]}" for field in known if field in own]
    return f"{event['api']}: {', '.join(fields) or 'no offset'}"


def _answer(event: Event | None, name: str) -> str:
    if event is None:
        return "nothing"
    if "error" in event:
        return str(event["error"])
    own = _own(event, name)
    if own is None:
        return "nothing about it"
    known = ("error", "high_watermark", "records", "first_offset", "last_offset", "end_offset")
    fields = [f"{field.replace('_', ' ')} {own[field]}" for field in known if field in own]
    if "diverging_epoch" in own:
        fields.append(f"diverges: {own['diverging_epoch']}")
    return ", ".join(fields) or "no records"


def _own(event: Event, name: str) -> dict[str, Any] | None:
    for each in event.get("partitions", ()):
        if each.get("partition") == name:
            return dict(each)
    return None
