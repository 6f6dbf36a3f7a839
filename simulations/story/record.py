"""One record: its producer, the clients that know it, and those that received it twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from raftka.simulations.story.chronicle import Event
from raftka.simulations.story.copies import Copies, Stay
from raftka.simulations.story.story import Moment, Story
from raftka.simulations.story.words import brokers, hosts, plural


def record_facts(copies: Copies, elsewhere: int | None, story: Story) -> Iterator[tuple[str, str]]:
    """The facts as names and sentences; `story` gets the same as data."""
    offset, partition = copies.offset, copies.name
    assert offset is not None
    record = _content(copies)
    words = f"offset {offset} of {partition}"
    if copies.number >= 0:
        key = record.get("key")
        words = f"record {copies.number} of producer {copies.producer}"
        words += f" (key {key})" if key else " (no key)"
        words += f", at offset {offset} of {partition}"
    stay = next((each for each in copies.stays() if copies.is_it(each.batch)), None)
    if stay is not None:
        first, last = stay.batch.base_offset, stay.batch.last_offset
        alone = "alone in its batch" if first == last else f"in the batch of {first} to {last}"
        words += f", {alone}, leader epoch {stay.batch.epoch}"
    yield "the record", words
    story.record = {
        "partition": partition,
        "offset": offset,
        "producer": copies.producer or None,
        "number": copies.number if copies.number >= 0 else None,
        **record,
    }
    if elsewhere is not None:
        story.record["elsewhere"] = elsewhere
    yield from _told(copies, story)
    scene, culprit = copies.chronicle.scene, copies.chronicle.about.node or ""
    if scene is not None and scene.lacking.get(culprit):
        count = plural(scene.lacking[culprit], "acknowledged record")
        yield "missing", f"{count} of {partition} on {culprit}"
        story.record["acked_records_missing"] = scene.lacking[culprit]


def _content(copies: Copies) -> dict[str, Any]:
    for (offset, _), record in copies.chronicle.records.items():
        if offset == copies.offset and record.value == copies.value:
            key = record.key.decode(errors="replace") if record.key is not None else None
            return {"key": key, "value_bytes": len(record.value or b"")}
    return {"key": None}


def _told(copies: Copies, story: Story) -> Iterator[tuple[str, str]]:
    """The clients that know it."""
    reads: dict[str, str] = {}
    for place, event in enumerate(copies.chronicle.events):
        if event["kind"] == "ack" and copies.is_acked_by(event):
            answer = copies.chronicle.by_id.get(event.get("cause", 0), {})
            state = copies.state_at(place)
            by = answer.get("from", "a node")
            words = f"by {by} to {event['node']} at {event['t']:.3f} s{_acks(copies)}"
            if event["offset"] != copies.offset:
                words += f", as being at offset {event['offset']}"
            if state.leader >= 0:
                words += f"; n{state.leader} led in epoch {state.epoch}, the ISR was"
                words += f" {brokers(state.isr)}; on the disks of {hosts(state.has)}"
            yield "acknowledged", words
            story.record |= {"acked_at_s": event["t"], "acked_by": by}
            story.record |= {"epoch": state.epoch, "isr_then": list(state.isr)}
        elif copies.tells(event):
            reads.setdefault(event["node"], f"{event['node']} at {event['t']:.3f} s")
    if "acked_by" not in story.record and not reads:
        yield "acknowledged", "to no client"
    if reads:
        yield "read", f"by {', '.join(reads.values())}"


def _acks(copies: Copies) -> str:
    scene = copies.chronicle.scene
    acks = scene.acks.get(copies.producer) if scene is not None else None
    return "" if acks is None else f" (acks={'all' if acks == -1 else acks})"


def stored_twice(one: Copies, other: Copies) -> Moment:
    """The time from which a record was in the log twice."""
    first, second = sorted(
        (min(each.stays(), key=lambda stay: stay.since_s), each.offset)
        for each in (one, other)
        if each.stays()
    )
    words = f"from {second[0].since_s:.3f} s on it was stored twice: {first[0].host} had written"
    words += f" it at offset {first[1]} at {first[0].since_s:.3f} s, under leader epoch"
    words += f" {first[0].batch.epoch}, and {second[0].host} wrote it at offset {second[1]}"
    words += f" under leader epoch {second[0].batch.epoch}"
    values: dict[str, Any] = {"t": second[0].since_s}
    values |= {"one": first[0].host, "offset": first[1]}
    values |= {"other": second[0].host, "again": second[1]}
    words += _unknown(*(_append(one, stay) for stay, _ in (first, second)))
    return Moment(words, None, "stored-twice", values)


def _append(copies: Copies, stay: Stay) -> Event:
    """The event that appended a copy."""
    for event in copies.chronicle.events[stay.place : stay.place + 3]:
        if event["kind"] == "append" and event.get("node") == stay.host:
            return event
    return {}


def _unknown(first: Event, second: Event) -> str:
    """Why the second copy was not recognized: the producer's sequence numbers of each copy."""
    if first.get("sequence") is None or second.get("sequence") is None:
        return ""
    if first.get("producer_id") != second.get("producer_id"):
        then, now = first.get("producer_id"), second.get("producer_id")
        return f". It came from producer id {then} then, and from {now} now"
    if first["sequence"] != second["sequence"]:
        then, now = first["sequence"], second["sequence"]
        return f". Its batch began with sequence {then} then, and with {now} now"
    forgot = f"{second['node']} had forgotten it"
    return f". It came as sequence {first['sequence']} both times: {forgot}"
