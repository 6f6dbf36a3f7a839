"""One event of a trace as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from raftka.simulations.faults.table import FAULTS
from raftka.simulations.story.chronicle import LINKS

Event = Mapping[str, Any]

_NAME: Final = 28
"""How many characters of member ids are shown: the rest is random."""

_PLAIN: Final[Mapping[str, str]] = {
    "serving": "{node} serves",
    "shutdown": "{node} begins to stop",
    "stopped": "{node} has stopped",
    "crashed": "{node} ends by itself: {error}",
    "kill": "{node} is killed",
    "power-loss": "{node} loses power",
    "pause": "{node} is paused",
    "resume": "{node} goes on",
    "wipe": "the disk with the logs of {node} is replaced by an empty one",
    "metadata-disk-lost": "the disk with the metadata log of {node} is replaced by an empty one",
    "join": "{node} joins, with an empty disk",
    "scrap": "{node} leaves for good, with its disks",
    "unsynced-lost": "{changes} unsynced changes of files on {node} are gone",
    "batches-lost": "the disk of {node} has lost {count} batches of {partition}",
    "corruption": "the disk of {node} changes {path} at byte {at}",
    "fsync-error": "the disk of {node} fails to sync",
    "lost-pages": "the disk of {node} fails to sync, and loses what it should have written",
    "write-error": "some writes fail on the disk of {node}",
    "service-cut": "{client} reaches the broker on {server} no longer, though all else passes",
    "crash-after-truncation": "{node} shall truncate a tail, and lose power then",
    "double-failover": "two leaders shall go one after the other, {node} first",
    "overtaken-leader": "another shall be elected while producers at {node} wait",
    "full-disk": "the disk of {node} is full",
    "slow-disk": "syncs of {node} take up to {seconds} s",
    "clock-jump": "the wall clock of {node} jumps by {ms} ms",
    "clock-drift": "the clock of {node} goes {rate} times as fast from its next start on",
    "broker-registered": "n{broker} registers, with broker epoch {epoch}",
    "broker-fenced": "n{broker} is fenced",
    "broker-unfenced": "n{broker} is unfenced",
    "broker-unregistered": "n{broker} is unregistered",
    "controller-elected": "{node} is the controller in term {epoch}",
    "quorum-term": "{node} has term {term} on its disk",
    "quorum-vote": "{node} has its vote for {candidate} in term {term} on its disk",
    "quorum-append": "{node} has entries {first_index} to {last_index} of term {term} on its disk",
    "quorum-truncate": "{node} cuts its metadata log from entry {index} on",
    "quorum-commit": "{node} takes entries up to {index} as committed",
    "quorum-snapshot": "a snapshot up to entry {index} takes the place of the log of {node}",
    "voters-changed": "{node} changes the voters: added {added}, removed {removed}",
    "append": "{node} writes offsets {base_offset} to {last_offset} of leader epoch {leader_epoch}",
    "truncate": "{node} cuts its log from offset {offset} (leader epoch {leader_epoch}) on",
    "high-watermark": "{node} takes all before offset {offset} as committed",
    "leader-epoch": "leader epoch {leader_epoch} begins at offset {start_offset} on {node}",
    "ack": "{node} learns that its record {record} is stored at offset {offset}",
    "failed": "{node} learns that its record {record} is not stored, or may not be: {error}",
    "send-refused": "{node} cannot send a record: {error}",
    "produce": "{node} is given its record {record} to send to {topic}",
    "read": "{node} is given offsets {first_offset} to {last_offset}",
    "assigned": "{node} gets {partitions}",
    "revoked": "{node} gives up {partitions}",
    "lost": "{node} has lost {partitions}",
    "consumer-failed": "{node} ends with an error, and begins again: {error}",
    "commit": "{node} commits {partitions} for group {group}",
    "refused": "{node} is refused: {error}",
    "operation": "an administrator begins: {operation}",
    "operation-done": "it is done: {name}",
    "slow-network": "every message takes {mean_s} s longer, on average",
    "clog": "all from {source} to {target} is held back for {seconds} s",
    "lost-reply": "{node} gets no answers",
    "split-frames": "everything arrives in pieces",
    "half-open": "{lost_by} has lost its connections to {peer}, which does not know",
    "reassign": "{partition} shall move to {to}",
    "rebalance": "{partitions} partitions shall move to {to}",
    "group-churn": "{node} is {end}, and another one takes its place",
    "stale-client": "{node} reaches only {still_reaches}",
    "connection-lost": "{node} finds its connection to {peer} broken: {reason}",
    "allowed-loss": "a loss that is allowed: {story}",
    "heal": "everything is healed: network, disks, processes",
}


def sentence(event: Event) -> str:
    """The event as a sentence, without its time."""
    kind = event["kind"]
    if (special := _SPECIAL.get(kind)) is not None:
        return special(event)
    if (plain := _PLAIN.get(kind)) is not None:
        return plain.format_map(_Fields(event))
    left = {k: v for k, v in event.items() if k not in ("id", "t", "kind", "cause", "after")}
    return f"{kind} {' '.join(f'{k}={v}' for k, v in left.items())}"


class _Fields(dict[str, Any]):
    """An event's fields as text; lists become "a, b and c"."""

    def __init__(self, event: Event) -> None:
        super().__init__((k, show(v)) for k, v in event.items())

    def __missing__(self, name: str) -> str:
        return "?" if name != "node" else "a node"


def show(value: object) -> str:
    """A value of a field."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {show(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(show, value)) or "nothing"
    return str(value)


def brokers(members: Iterable[int]) -> str:
    """An ISR."""
    return " ".join(f"n{member}" for member in members) or "none"


def hosts(names: Iterable[str]) -> str:
    """n1, n2 and n3."""
    found = sorted(names)
    if len(found) < 2:
        return found[0] if found else "no node"
    return f"{', '.join(found[:-1])} and {found[-1]}"


def is_node(host: str) -> bool:
    """Whether a host is a node's, not a client's."""
    return host.removeprefix("n").isdecimal()


def plural(count: int, noun: str) -> str:
    """2 records."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _start(event: Event) -> str:
    life = event.get("life", 1)
    return f"{event['node']} starts" + (f" again (life {life})" if life > 1 else "")


def _reset(event: Event) -> str:
    one, other = event["between"]
    return f"{plural(event['connections'], 'connection')} between {one} and {other} break"


def _fault(event: Event) -> str:
    kind = event["fault"]
    return f"fault {event['name']}: {FAULTS[kind].meaning if kind in FAULTS else kind}"


def _log(event: Event) -> str:
    known = ("id", "t", "kind", "node", "cause", "after", "level", "words", "exception")
    rest = " ".join(f"{k}={v}" for k, v in event.items() if k not in known)
    return f"{event.get('node') or 'a process'} logs: {event['words']} {rest}".strip()[:200]


def _message(event: Event) -> str:
    there = event.get("to") or event.get("from")
    verb = "sends" if event["kind"] == "message-sent" else "gets"
    way = f"to {there}" if verb == "sends" else f"from {there}"
    side = "request" if event["side"] == "request" else "answer"
    fields = ", ".join(
        f"{name} {str(event[name])[:_NAME]}"
        for name in ("term", "granted", "success", "generation_id", "member_id", "error")
        if event.get(name, "") != ""
    )
    return f"{event['node']} {verb} {way}: {event['api']} {side}" + (
        f" ({fields})" if fields else ""
    )


def _leader(event: Event) -> str:
    reason = f": {event['reason']}" if event.get("reason") else ""
    if event["leader"] < 0:
        return f"no node leads any longer{reason}"
    return f"n{event['leader']} is the leader, in epoch {event['epoch']}{reason}"


def _isr(event: Event) -> str:
    words = f"the ISR is {brokers(event['isr'])}"
    return words + (f", the ELR {brokers(event['elr'])}" if event["elr"] else "")


def _links(event: Event) -> str:
    cut, healed = _ways(event["cut"]), _ways(event["healed"])
    words = [f"{hosts(group)} cannot reach each other" for group in cut.groups]
    words += [f"{one} is cut off from {hosts(others)}" for one, others in cut.twice]
    words += [f"nothing gets from {hosts(some)} to {hosts(others)}" for some, others in cut.once]
    words += [f"{hosts(group)} reach each other again" for group in healed.groups]
    words += [f"{one} is connected to {hosts(others)} again" for one, others in healed.twice]
    words += [
        f"the way from {hosts(some)} to {hosts(others)} is open again"
        for some, others in healed.once
    ]
    return "; ".join(words)


class _Ways(NamedTuple):
    groups: list[frozenset[str]]
    """The links between each two of these hosts."""
    twice: list[tuple[str, frozenset[str]]]
    """The links between a host and others, in both directions."""
    once: list[tuple[frozenset[str], frozenset[str]]]
    """The links from some hosts to others."""


def _ways(pairs: Sequence[Sequence[str]]) -> _Ways:
    """Many links between hosts, in as few words as possible."""
    ways = {(source, target) for source, target in pairs}
    left = {(a, b) for a, b in ways if (b, a) in ways}
    found = _Ways([], [], [])
    whole = frozenset(a for a, _ in left)
    if len(whole) > 1 and len(left) == len(whole) * (len(whole) - 1):
        found.groups.append(whole)
        ways -= left
        left = set()
    while left:
        ends = [a for a, _ in left]
        most = max(sorted(set(ends)), key=ends.count)
        others = frozenset(b for a, b in left if a == most)
        found.twice.append((most, others))
        gone = {way for other in others for way in ((most, other), (other, most))}
        left, ways = left - gone, ways - gone
    by_targets: dict[frozenset[str], set[str]] = {}
    for source in sorted({a for a, _ in ways}):
        targets = frozenset(b for a, b in ways if a == source)
        by_targets.setdefault(targets, set()).add(source)
    found.once.extend((frozenset(some), others) for others, some in by_targets.items())
    return found


_SPECIAL: Final[Mapping[str, Callable[[Event], str]]] = {
    "start": _start,
    "reset": _reset,
    "fault": _fault,
    "log": _log,
    "message-sent": _message,
    "message-received": _message,
    "leader-elected": _leader,
    "isr-changed": _isr,
    LINKS: _links,
}
