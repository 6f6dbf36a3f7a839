"""The fate of an offset commit: the clients that know it, and its record's place in the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from raftka.simulations.story.chronicle import Chronicle, Event
from raftka.simulations.story.story import Moment, Story, Table

OFFSETS: Final = "__consumer_offsets-"
_TAKES: Final = {
    "wipe": "lost its disk, in whose place there is an empty one",
    "power-loss": "lost power",
    "corruption": "had its file changed by the disk",
    "truncate": "truncated its log",
}


class _Copy(NamedTuple):
    host: str
    epoch: int
    since_s: float
    until_s: float | None
    why: str


def tell_commit(chronicle: Chronicle, story: Story) -> None:
    """Add the last acknowledged commit of the group's partition, and its record's fate."""
    commit = _last_commit(chronicle)
    if commit is None:
        return
    partition, offset = _partition(chronicle), None
    answer = chronicle.by_id.get(commit.get("cause", 0), {})
    words = f"{commit['node']} committed {commit['partitions'][partition]} of {partition}; it was"
    words += f" acknowledged by {answer.get('from', 'a node')} at {commit['t']:.3f} s"
    story.facts.append(("the commit", words))
    append = _append_of(chronicle, answer)
    if append is None:
        story.facts.append(("its record", "was written to no log"))
        return
    offset, log = append["base_offset"], append["partition"]
    story.facts.append(("its record", f"at offset {offset} of {log}"))
    copies = list(_copies(chronicle, log, offset))
    table = Table(
        f"offset {offset} of {log} on the disks", ("replica", "from", "epoch", "until", "when it")
    )
    for each in copies:
        until = f"{each.until_s:.3f}" if each.until_s is not None else "still"
        row = (each.host, f"{each.since_s:.3f}", str(each.epoch), until, each.why)
        table.rows.append(row)
    story.tables.append(table)
    moment = _moment(chronicle, copies, log, commit["t"])
    if moment is not None:
        story.came_to(moment)


def _partition(chronicle: Chronicle) -> str:
    key = chronicle.about.partition
    return f"{key[0]}-{key[1]}" if key is not None else ""


def _last_commit(chronicle: Chronicle) -> Event | None:
    partition = _partition(chronicle)
    for event in reversed(chronicle.events):
        its = event["kind"] == "commit" and event.get("group") == chronicle.about.group
        if its and not event.get("errors") and partition in event["partitions"]:
            return event
    return None


def _append_of(chronicle: Chronicle, answer: Event) -> Event | None:
    """The coordinator's writes for the request that was answered."""
    request = next(
        (
            event["id"]
            for event in chronicle.events
            if event["kind"] == "message-received"
            and event.get("side") == "request"
            and event.get("connection") == answer.get("connection")
            and event.get("correlation_id") == answer.get("correlation_id")
        ),
        None,
    )
    for event in chronicle.events:
        its = event["kind"] == "append" and event["partition"].startswith(OFFSETS)
        if its and request is not None and event.get("cause") == request:
            return event
    return None


def _copies(chronicle: Chronicle, log: str, offset: int) -> Iterator[_Copy]:
    """The logs that had something at the offset, each with its period."""
    there: dict[str, Event] = {}
    for event in chronicle.events:
        kind, host = event["kind"], event.get("node", "")
        if event.get("partition") == log and kind == "append":
            if event["base_offset"] <= offset <= event["last_offset"]:
                there[host] = event
            continue
        cuts = kind == "truncate" and event.get("partition") == log and event["offset"] <= offset
        loses = kind == "wipe" or (kind == "corruption" and f"/{log}/" in event["path"])
        if host in there and (cuts or loses):
            begun = there.pop(host)
            yield _Copy(host, begun["leader_epoch"], begun["t"], event["t"], _TAKES[kind])
    for host, begun in there.items():
        yield _Copy(host, begun["leader_epoch"], begun["t"], None, "")


def _moment(chronicle: Chronicle, copies: list[_Copy], log: str, told_s: float) -> Moment | None:
    """The time from which the group's coordinator lacked the record."""
    for event in chronicle.events:
        if event["kind"] != "leader-elected" or event["partition"] != log or event["t"] < told_s:
            continue
        leader, at_s = f"n{event['leader']}", event["t"]
        has = [c.host for c in copies if c.since_s <= at_s and (c.until_s or at_s) >= at_s]
        if event["leader"] >= 0 and leader not in has:
            words = f"from {at_s:.3f} s on {leader}, which leads {log} in epoch {event['epoch']}"
            words = f"{words}, did not have it; {' '.join(has) or 'no node'} had"
            values = {"t": at_s, "leader": leader, "nodes": sorted(has)}
            return Moment(words, at_s, "leader-lacks", values)
    gone = [c for c in copies if c.until_s is not None]
    if gone:
        last = max(gone, key=lambda c: c.until_s or 0)
        at_s = last.until_s or 0.0
        words = f"at {last.until_s:.3f} s {last.host} {last.why}"
        return Moment(words, at_s, "copy-gone", {"t": at_s, "node": last.host})
    return None
