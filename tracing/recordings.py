"""Merges flight recorders of several nodes into one trace: aligns clocks, orders causes before
effects, and combines events that all nodes have seen.

Clocks: for every message that both ends recorded, the receive time minus the send time is the
latency plus the difference of the two clocks. The minimal latency is nearly the same in both
directions, so half of the difference of the minima is that of the clocks (as in NTP). The remaining
error, microseconds to a millisecond, is corrected by causality: an event is moved after its causes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from raftka.tracing.flight_file import Recording

Event = dict[str, Any]
_OF_ALL: Final = {
    "controller-elected": ("epoch",),
    "broker-registered": ("broker",),
    "broker-fenced": ("broker",),
    "broker-unfenced": ("broker",),
    "broker-unregistered": ("broker",),
    "leader-elected": ("partition",),
    "isr-changed": ("partition",),
}
"""Events that every node sees in the metadata, and the fields that tell those of a batch apart."""
_NOT_SHOWN: Final = frozenset({"t", "cause", "also"})
_MOMENTS: Final = ("since_s", "last_heard_s")
"""Fields that contain times of the node's own clock."""
_STEP_S: Final = 1e-6


class Merged(NamedTuple):
    """A trace, as docs/trace.md describes it."""

    began_unix_s: float
    """The time of its first event, by the reference node's clock."""
    offsets_s: dict[int, float]
    """The offset of each node's clock from the reference node's."""
    events: list[Event]


class _Seen(NamedTuple):
    """One event of one node."""

    at: float
    node: int
    number: int
    content: Event


def merge(recordings: Sequence[Recording]) -> Merged:
    """Merge the recordings of different nodes into one trace."""
    offsets = clock_offsets(recordings)
    seen = [
        _Seen(
            each.content["t"] - offsets[found.node_id],
            found.node_id,
            each.number,
            _by_common_clock(each.content, offsets[found.node_id]),
        )
        for found in recordings
        for each in found.events
        if isinstance(each.content, dict) and isinstance(each.content.get("t"), float | int)
    ]
    kept, stands_for = _one_of_each(sorted(seen, key=lambda each: (each.at, each.node)))
    moments = _in_order(kept, stands_for)
    order = sorted(kept, key=lambda each: (moments[each.node, each.number], each.node, each.number))
    if not order:
        return Merged(0.0, offsets, [])
    began = moments[order[0].node, order[0].number]
    head: Event = {
        "id": 1,
        "t": 0.0,
        "kind": "recording",
        "unix_s": round(began, 6),
        "nodes": [f"n{found.node_id}" for found in recordings],
        "offsets_ms": [round(offsets[found.node_id] * 1000, 3) for found in recordings],
    }
    numbers = {(each.node, each.number): at for at, each in enumerate(order, start=2)}
    events = [head]
    for each in order:
        key = (each.node, each.number)
        event: Event = {"id": numbers[key], "t": round(moments[key] - began, 6)}
        event |= {name: value for name, value in each.content.items() if name not in _NOT_SHOWN}
        causes = [
            number
            for cause in _causes(each, stands_for)
            if (number := numbers.get(cause)) is not None and number < event["id"]
        ]
        if causes:
            event = {**_head(event), "cause": causes[0], **event}
        if causes[1:]:
            event["after"] = causes[1:]
        events.append(event)
    return Merged(began, offsets, events)


def _by_common_clock(event: Event, ahead_s: float) -> Event:
    moments = {
        name: round(event[name] - ahead_s, 6)
        for name in _MOMENTS
        if isinstance(event.get(name), float | int)
    }
    return {**event, **moments}


def _head(event: Event) -> Event:
    return {name: event[name] for name in ("id", "t", "kind", "node") if name in event}


# Clocks.


def clock_offsets(recordings: Sequence[Recording]) -> dict[int, float]:
    """The offset of each node's clock from the first one's, in seconds."""
    least = _least_ways(recordings)
    offsets: dict[int, float] = {}
    for first in recordings:
        if first.node_id in offsets:
            continue
        offsets[first.node_id] = 0.0  # Nodes without a matched message keep their own clock.
        waiting = [first.node_id]
        while waiting:
            node = waiting.pop()
            for other in {to for a, to in least if a == node} | {
                a for a, to in least if to == node
            }:
                if other in offsets:
                    continue
                there, back = least.get((node, other)), least.get((other, node))
                if there is not None and back is not None:
                    ahead = (there - back) / 2
                else:
                    # Only one direction is known: assume a latency of zero, since it is short.
                    ahead = there if there is not None else -(back or 0.0)
                offsets[other] = offsets[node] + ahead
                waiting.append(other)
    return offsets


def _least_ways(recordings: Sequence[Recording]) -> dict[tuple[int, int], float]:
    """For each direction the minimal receive time minus send time, by the two nodes' own clocks."""
    sent: dict[tuple[Any, ...], float] = {}
    received: list[tuple[tuple[Any, ...], float]] = []
    for key, is_sent, at in _messages(recordings):
        if is_sent:
            sent[key] = at
        else:
            received.append((key, at))
    least: dict[tuple[int, int], float] = {}
    for key, at in received:
        if (began := sent.get(key)) is not None:
            way = (key[1], key[2])
            least[way] = min(least.get(way, at - began), at - began)
    return least


def _messages(recordings: Sequence[Recording]) -> Iterator[tuple[tuple[Any, ...], bool, float]]:
    """((kind, sender, receiver, distinguishing fields), whether sent, time) of all messages."""
    for found in recordings:
        for sample in found.samples:
            match sample.content:
                case [float(at), str(kind), bool(is_sent), int(peer), int(term), float(moment)]:
                    yield _way(kind, found.node_id, peer, is_sent, (term, moment)), is_sent, at
        for each in found.events:
            event = each.content
            if isinstance(event, dict) and event.get("kind") in (
                "message-sent",
                "message-received",
            ):
                is_sent = event["kind"] == "message-sent"
                peer = int(str(event["to" if is_sent else "from"])[1:])
                what = (event["side"], event["number"])
                yield (
                    _way(str(event.get("api")), found.node_id, peer, is_sent, what),
                    is_sent,
                    event["t"],
                )


def _way(kind: str, node: int, peer: int, is_sent: bool, what: tuple[Any, ...]) -> tuple[Any, ...]:
    return (kind, node, peer, *what) if is_sent else (kind, peer, node, *what)


# Events.


def _one_of_each(
    seen: Sequence[_Seen],
) -> tuple[list[_Seen], dict[tuple[int, int], _Seen]]:
    """The earliest of the events that all nodes saw, and the substitute for each dropped one."""
    kept: list[_Seen] = []
    first: dict[tuple[Any, ...], _Seen] = {}
    stands_for: dict[tuple[int, int], _Seen] = {}
    for each in seen:
        fields = _OF_ALL.get(each.content.get("kind", ""))
        offset = each.content.get("metadata_offset")
        if fields is None or offset is None:
            kept.append(each)
            continue
        key = (each.content["kind"], offset, *(each.content.get(name) for name in fields))
        if (earlier := first.get(key)) is None:
            first[key] = each
            kept.append(each)
        else:
            stands_for[each.node, each.number] = earlier
            _add_what_it_knew(earlier.content, each)
    return kept, stands_for


def _add_what_it_knew(event: Event, other: _Seen) -> None:
    """Add causes that another node knew, and the votes, which only the elected node knows."""
    if "cause" in other.content:
        event.setdefault("also", []).append((other.node, other.content["cause"]))
    if "votes" in other.content:
        event.setdefault("votes", other.content["votes"])


def _causes(event: _Seen, stands_for: Mapping[tuple[int, int], _Seen]) -> Iterator[tuple[int, int]]:
    found = [(event.node, event.content["cause"])] if "cause" in event.content else []
    for key in (*found, *event.content.get("also", ())):
        other = stands_for.get(key)
        yield key if other is None else (other.node, other.number)


def _in_order(
    kept: Sequence[_Seen], stands_for: Mapping[tuple[int, int], _Seen]
) -> dict[tuple[int, int], float]:
    """The time of each event: by its node's clock, and after all its causes."""
    keys = {(each.node, each.number): each for each in kept}
    follows: dict[tuple[int, int], set[tuple[int, int]]] = {key: set() for key in keys}
    previous: dict[int, tuple[int, int]] = {}
    sent: dict[tuple[Any, ...], tuple[int, int]] = {}
    for key, each in sorted(keys.items()):
        if key[0] in previous:
            follows[key].add(previous[key[0]])
        previous[key[0]] = key
        follows[key] |= {cause for cause in _causes(each, stands_for) if cause in keys}
        if each.content.get("kind") == "message-sent":
            sent[_message(each.content)] = key
    for key, each in keys.items():
        if each.content.get("kind") == "message-received":
            sending = sent.get(_message(each.content))
            if sending is not None:
                follows[key].add(sending)
                each.content.setdefault("also", []).append(sending)
    return _settle(keys, follows)


def _message(event: Event) -> tuple[Any, ...]:
    return event["connection"], event.get("api"), event["number"], event["side"]


def _settle(
    keys: Mapping[tuple[int, int], _Seen],
    follows: Mapping[tuple[int, int], set[tuple[int, int]]],
) -> dict[tuple[int, int], float]:
    """The times, in ascending order; a cycle, which a damaged file may contain, is broken."""
    leads_to: dict[tuple[int, int], list[tuple[int, int]]] = {}
    missing = {key: len(before) for key, before in follows.items()}
    for key, before in follows.items():
        for each in before:
            leads_to.setdefault(each, []).append(key)
    ready = [(keys[key].at, key) for key, count in missing.items() if not count]
    heapq.heapify(ready)
    moments: dict[tuple[int, int], float] = {}
    while len(moments) < len(keys):
        if not ready:
            key = min((k for k in keys if k not in moments), key=lambda k: (keys[k].at, k))
            ready.append((keys[key].at, key))
        _, key = heapq.heappop(ready)
        if key in moments:
            continue
        known = [moments[each] for each in follows[key] if each in moments]
        moments[key] = max(keys[key].at, max(known, default=-1.0) + _STEP_S)
        for other in leads_to.get(key, ()):
            missing[other] -= 1
            if not missing[other]:
                heapq.heappush(ready, (keys[other].at, other))
    return moments
