"""`raftka simulate --story`: a run as a person would tell it, whether it passed or failed.

It is written while the run proceeds, from the events of its trace: what was done to the cluster,
what the cluster decided and why, and what its clients noticed. Events of one moment and one reason
are one sentence.
"""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from raftka.simulations.story.chronicle import LINKS
from raftka.simulations.story.words import brokers, hosts, plural, sentence
from raftka.simulations.trace_file import Sink

Event = Mapping[str, Any]

LINES_MAX: Final = 120
"""The lines of one or two pages: the least important events are left out."""
_WIDTH: Final = 96
_MARGIN: Final = 12
_WEIGHTS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("violation", "allowed-loss", "crashed", "batches-lost"), 9),
    **dict.fromkeys(("kill", "power-loss", "pause", "wipe", "metadata-disk-lost", "shutdown"), 8),
    **dict.fromkeys(("controller-elected", "leader-elected", "truncate", "quorum-truncate"), 7),
    **dict.fromkeys(("links", "resume", "heal", "full-disk", "directory-failed", "corruption"), 6),
    **dict.fromkeys(("broker-fenced", "first-ack", "failed", "scenario-left", "scrap", "join"), 6),
    **dict.fromkeys(("fsync-error", "lost-pages", "write-error", "slow-disk", "disk-freed"), 5),
    **dict.fromkeys(("fault", "operation", "refused", "isr-changed", "timer-fired", "start"), 4),
    **dict.fromkeys(("clog", "reset", "half-open", "slow-network", "service-cut", "lost-reply"), 4),
    **dict.fromkeys(("clock-jump", "stopped", "unsynced-lost", "voters-changed", "again"), 3),
    **dict.fromkeys(("broker-unfenced", "assigned", "revoked", "lost", "consumer-failed"), 2),
}
"""The events of a story, and their weights."""
_TIMERS: Final = {
    "election": "{node} has heard no leader for too long, and looks for votes",
    "lease": "no majority has answered {node} for too long: it leads no longer",
    "session": "the controller, {node}, has had no heartbeat of {about} for too long",
    "replica-lag": "{node} finds that a follower of {about} has been behind for too long",
    "replica-silence": "{node} finds that a follower of {about} has stopped fetching",
    "silence": "{node} has had no answer from {about}, and goes on with those that took over",
    "delivery": "{node} has waited too long to deliver records to {about}",
}


@dataclass
class _Line:
    at_s: float
    kind: str
    words: str
    names: list[str] = field(default_factory=list)
    """The partitions, or links, that it is about."""


class Telling:
    """Takes the lines of one run; `text` is its story."""

    def __init__(self) -> None:
        self._lines: list[_Line] = []
        self._groups: dict[tuple[float, str, str], _Line] = {}
        self._links: dict[float, dict[str, list[list[str]]]] = {}
        self._elected: dict[str, tuple[float, int]] = {}
        """When a partition got a new leader, until a client has an acknowledgement from it."""
        self._again: dict[str, float] = {}
        self._failed: dict[tuple[str, str], _Line] = {}
        self.counts: Counter[str] = Counter()
        self._last_s = 0.0
        self._stopping: set[str] = set()

    def write(self, text: str) -> None:
        """Take one event."""
        event: dict[str, Any] = json.loads(text)
        kind = event["kind"]
        self._last_s = event["t"]
        self.counts[kind] += 1
        if kind in ("ack", "message-sent", "failed"):
            self._client(kind, event)
        elif kind in ("cut", "link-healed"):
            self._link(kind, event)
        elif kind in ("leader-elected", "isr-changed"):
            self._of_partition(kind, event)
        elif kind == "timer-fired":
            if (words := _TIMERS.get(event["timer"])) is not None:
                self._say(event, words.format_map({"about": "", **event}))
        elif kind in _WEIGHTS and self._is_news(event):
            self._say(event, _words(event))

    def text(self) -> str:
        """The story, a line of time and words each."""
        for at_s, links in self._links.items():
            words = sentence({"kind": LINKS, **links})
            self._lines.append(_Line(at_s, "links", words))
        lines = sorted(self._lines, key=lambda line: line.at_s)
        least = sorted((_WEIGHTS[line.kind] for line in lines), reverse=True)[:LINES_MAX]
        kept = [line for line in lines if _WEIGHTS[line.kind] >= (least or [0])[-1]]
        left = len(lines) - len(kept[: LINES_MAX * 2])
        told = [_set(line) for line in kept[: LINES_MAX * 2]]
        if left:
            told.append(f"{'':{_MARGIN}}({left} less important events are left out)")
        return "\n".join([*told, _set(_Line(self._last_s, "end", self._end()))])

    def _end(self) -> str:
        counts = self.counts
        words = f"the end: {plural(counts['ack'], 'record')} acknowledged"
        words += f", {counts['failed']} given up" if counts["failed"] else ", none given up"
        moved = plural(counts["leader-elected"], "election")
        controllers = counts["controller-elected"]
        return f"{words}; {moved} of partition leaders, {controllers} of controllers"

    def _is_news(self, event: Event) -> bool:
        kind = event["kind"]
        if kind == "start":
            return bool(event.get("life", 1) > 1)
        if kind == "shutdown":
            self._stopping.add(event["node"])
        if kind == "stopped":  # All processes stop at the end of the run.
            return event["node"] in self._stopping
        if kind == "unsynced-lost":
            return bool(event["changes"])
        if kind == "operation":
            return bool(event["operation"] != "administer")
        return bool(kind != "broker-unfenced" or event["t"] > 1.0)

    def _say(self, event: Event, words: str) -> _Line:
        line = _Line(event["t"], event["kind"], words)
        self._lines.append(line)
        return line

    def _link(self, kind: str, event: Event) -> None:
        found = self._links.setdefault(round(event["t"], 3), {"cut": [], "healed": []})
        found["cut" if kind == "cut" else "healed"].append([event["source"], event["target"]])

    def _of_partition(self, kind: str, event: Event) -> None:
        reason, partition = event.get("reason", ""), event["partition"]
        if kind == "leader-elected":
            if event["leader"] >= 0 and event["epoch"] > 0:
                self._elected[partition] = (event["t"], event["leader"])
            elif event["leader"] >= 0 and reason.startswith("new partition"):
                reason = "new partitions"
            leader = f"n{event['leader']}" if event["leader"] >= 0 else "nobody"
            what = f"{leader} leads {{}}"
            if reason != "new partitions":
                what += f", in epoch {event['epoch']}"
        else:
            what = f"the ISR of {{}} is {brokers(event['isr'])}"
            if event["elr"]:
                what += f", its ELR {brokers(event['elr'])}"
        words = what + (f": {reason}" if reason else "")
        place = (round(event["t"], 3), kind, words)
        line = self._groups.get(place)
        if line is None:
            line = self._groups[place] = self._say(event, words)
        line.names.append(partition)

    def _client(self, kind: str, event: Event) -> None:
        node, now = event["node"], event["t"]
        if kind == "message-sent":
            if event.get("again") and now - self._again.get(node, -9.0) > 1.0:
                self._lines.append(
                    _Line(now, "again", f"{node} sends records again, now to {event['to']}")
                )
            if event.get("again"):
                self._again[node] = now
        elif kind == "failed":
            line = self._failed.get((node, event["error"]))
            if line is None or now - line.at_s > 1.0:
                words = f"{node} gives up {{}}: {event['error'][:160]}"
                line = self._failed[node, event["error"]] = _Line(now, kind, words)
                self._lines.append(line)
            line.names.append(str(event["record"]))
        elif (elected := self._elected.pop(event["partition"], None)) is not None:
            at_s, leader = elected
            words = (
                f"{node} has the first acknowledgement of {event['partition']} under n{leader},"
                f" {(now - at_s) * 1000:.0f} ms after its election"
            )
            self._lines.append(_Line(now, "first-ack", words))


class _Both(Telling):
    """A story of events that are also written to a file."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def write(self, text: str) -> None:
        """Take one event."""
        self._sink.write(text)
        super().write(text)


def telling(sink: Sink | None, *, wanted: bool) -> Sink | None:
    """The sink of a run, which also writes the story on request."""
    if not wanted:
        return sink
    return Telling() if sink is None else _Both(sink)


def _words(event: Event) -> str:
    kind, words = event["kind"], sentence(event)
    if kind == "violation":
        return f"{event['name']} does not hold: {event['story'].partition(chr(10))[0]}"
    if kind == "scenario-left":
        return f"the scenario does not go on as written: {event['reason']}"
    if kind == "disk-freed":
        return f"the disk of {event['node']} has space again"
    if kind == "directory-failed":
        return f"the disk of {event['node']} with {event['path']} fails"
    reason = event.get("reason", "")
    if kind in ("broker-fenced", "broker-unfenced") and reason:
        return str(reason)
    if kind == "controller-elected":
        return f"{words}, by the votes of {hosts(event.get('votes', ()))}"
    return f"{words}: {reason}" if reason and reason not in words else words


def _set(line: _Line) -> str:
    words = line.words
    if line.names:
        count = len(line.names)
        noun = "record" if line.kind == "failed" else "partition"
        some = ", ".join(line.names[:4])
        some = f"record {some}" if line.kind == "failed" else some
        words = words.replace("{}", some if count < 5 else plural(count, noun), 1)
    first = f"{line.at_s:9.3f} s "
    return textwrap.fill(words, _WIDTH, initial_indent=first, subsequent_indent=" " * _MARGIN)
