"""Elections of controllers and partition leaders, reconstructed from events. Pure.

Events are those of flight recorders (tracing/recordings.py) and of the metadata log; an election
spans from the first symptom to the first record that a producer had acknowledged under the new
leader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from raftka.elections.silences import Silences
from raftka.elections.steps import Event, Step

_CHAIN_MAX: Final = 12
_SILENT: Final = re.compile(r"not heard for (\d+) ms")
_TOLD: Final = frozenset(
    {
        *("connection-lost", "quorum-vote", "broker-fenced", "shutdown", "start"),
        *("broker-unfenced", "silence"),
    }
)
"""The causes that are shown; messages between them add nothing."""
_CAUSES: Final = (
    ("broker-gone", "the connection broke and the port is refused"),
    ("broker-absent", "the connection broke and the port is refused"),
    ("broker-silent", "heartbeats were missed"),
    ("broker-shut", "an operator stopped the broker"),
    ("broker-asked", "the broker asked to be fenced"),
    ("broker-restarted", "the broker restarted"),
    ("broker-back", "a broker came back"),
    ("broker-has", "the broker has another disk"),
    ("broker-unregistered", "an operator unregistered the broker"),
    ("asked-", "an operator asked for it"),
    ("rebalance", "the preferred leader came back"),
    ("directory-", "a log directory failed or changed"),
    ("reassignment-", "a reassignment"),
    ("new-partition", "the partition is new"),
    ("unclean-allowed", "unclean elections were allowed"),
    ("min-isr-changed", "min.insync.replicas changed"),
)
"""The trigger of a partition's election, by a prefix of its reason's code (model/reasons.py)."""
_BY_WORDS: Final = (
    ("nothing listens", "the connection broke and the port is refused"),
    ("not heard for", "heartbeats were missed"),
    ("shutting down", "an operator stopped the broker"),
    ("was asked for", "an operator asked for it"),
    ("rebalance", "the preferred leader came back"),
    ("new partition", "the partition is new"),
)
"""The same by the text of a reason, for logs from before reasons had codes."""
_STOPPED: Final = "an operator stopped the controller"
_STOPS: Final = re.compile(r"^broker \d+ is shutting down;|^node \d+ has shut down")
_EARLIER_S: Final = 30.0
"""How long before a new controller waits for a heartbeat a silence may have begun."""
_A_STOP_S: Final = 15.0
"""The longest duration of a controlled shutdown."""
_OF_CONTROLLERS: Final = (
    ("link to the leader", "the connection to the controller broke"),
    ("resigned", _STOPPED),
    ("heard nothing", "the controller was silent"),
    ("knows no leader", "the first election"),
    ("just started", "the first election"),
)
"""The same for a controller's, by its reason's text."""


@dataclass(frozen=True)
class Election:
    """One election of a controller, or of a leader for partitions that moved together."""

    kind: str
    """"controller" or "partition"."""
    at_s: float
    """When it was decided, in seconds since 1970 by the clock of the deciding controller."""
    leader: int
    """The new leader's id; -1: none."""
    before: int | None
    """The previous leader; None if unknown."""
    epoch: int
    cause: str
    """The trigger, in a few words."""
    reason: str
    """The reason, as in the metadata log."""
    code: str | None
    partitions: tuple[str, ...]
    noticed_s: float | None
    """When the first symptom was noticed."""
    first_ack_s: float | None
    """When the new leader's first record, or a controller's first batch, was acknowledged."""
    without_leader_s: float | None
    """From the first symptom until then, or until the election; None without an outage."""
    chain: tuple[Step, ...]

    def as_dict(self) -> dict[str, Any]:
        """The election for JSON."""
        return asdict(self)


def elections(events: Iterable[Event]) -> list[Election]:
    """All elections, the oldest first, from events with `at_s`, `id` and causes."""
    found = sorted(events, key=lambda each: (each["at_s"], each["id"]))
    by_id = {event["id"]: event for event in found}
    acks = {
        (event["partition"], event["leader_epoch"]): event["at_s"]
        for event in found
        if event["kind"] == "first-ack"
    }
    stops = [event for event in found if event["kind"] == "start" or _is_stop(event)]
    history = _History(by_id, acks, stops, Silences(found))
    return _together([each for event in found if (each := history.told(event)) is not None])


class _History:
    """Goes through the events in order, and keeps track of leaders."""

    def __init__(
        self,
        by_id: Mapping[int, Event],
        acks: Mapping[tuple[str, int], float],
        stops: Sequence[Event],
        silences: Silences,
    ) -> None:
        self._by_id, self._acks, self._stops = by_id, acks, stops
        self._silences = silences
        self._led: dict[str, int] = {}

    def told(self, event: Event) -> Election | None:
        if event["kind"] == "controller-elected":
            return self._controller(event)
        if event["kind"] == "leader-elected":
            return self._partition(event)
        return None

    def _controller(self, event: Event) -> Election:
        leader = int(str(event.get("node", "n-1"))[1:])
        reason = event.get("reason", "")
        before = self._swap("controller", leader)
        steps, why_silent = self._chain(event)
        chain = [*steps, _step(event, f"n{leader} is the controller")]
        # A resigning leader still leads; the gap begins with the first vote or broken link.
        noticed = chain[0].at_s if len(chain) > 1 else None
        cause = _first_of(_OF_CONTROLLERS, reason, str.__contains__) + why_silent
        if (told_to_stop := self._asked_to_stop(before, event["at_s"])) is not None:
            cause = _STOPPED
            chain.insert(0, told_to_stop)
        return Election(
            kind="controller",
            at_s=_decided(event),
            leader=leader,
            before=before,
            epoch=event["epoch"],
            cause=cause,
            reason=reason,
            code=event.get("code"),
            partitions=(),
            noticed_s=noticed,
            first_ack_s=event["at_s"],
            without_leader_s=event["at_s"] - noticed if noticed and before else None,
            chain=tuple(chain),
        )

    def _asked_to_stop(self, node: int | None, at_s: float) -> Step | None:
        """The shutdown in the previous leader's recorder, if it was asked to shut down."""
        found = None
        for event in reversed(self._stops):
            if event["node"] != f"n{node}" or event["at_s"] > at_s:
                continue
            if event["kind"] == "start" or event["at_s"] <= at_s - _A_STOP_S:
                break
            found = Step(event["at_s"], "it is asked to stop (SIGTERM)", event["node"])
        return found

    def _partition(self, event: Event) -> Election:
        name, leader = event["partition"], event["leader"]
        code, reason = event.get("code"), event.get("reason", "")
        before, ack = self._swap(name, leader), self._acks.get((name, event["epoch"]))
        who = "no leader" if leader < 0 else f"n{leader} leads"
        steps, why_silent = self._chain(event)
        if code is not None and code.startswith("broker-shut"):
            asked = self._asked_to_stop(before, event["at_s"])
            steps = [*([] if asked is None else [asked]), *steps]
        chain = [*steps, _step(event, who)]
        if ack is not None:
            chain.append(Step(ack, "the first record under it is acknowledged", f"n{leader}"))
        lost = before not in (None, leader) and before != -1
        noticed = chain[0].at_s if chain[0].at_s < _decided(event) else None
        until = ack if ack is not None else _decided(event)
        if code:
            cause = _first_of(_CAUSES, code, str.startswith)
        else:
            cause = _first_of(_BY_WORDS, reason, str.__contains__)
        return Election(
            kind="partition",
            at_s=_decided(event),
            leader=leader,
            before=before,
            epoch=event["epoch"],
            cause=cause + why_silent,
            reason=reason,
            code=code,
            partitions=(name,),
            noticed_s=noticed,
            first_ack_s=ack,
            without_leader_s=until - noticed if noticed is not None and lost else None,
            chain=tuple(chain),
        )

    def _swap(self, subject: str, leader: int) -> int | None:
        before = self._led.get(subject)
        self._led[subject] = leader
        return before

    def _chain(self, event: Event) -> tuple[list[Step], str]:
        """The steps that led to it, in order, a broker's silence as a step of its own; and the
        reason of the silence, as far as a recorder has it.
        """
        steps: list[Step] = []
        silent: dict[str, float] = {}
        for each in self._causes(event):
            if each["kind"] == "silence":
                since = silent.get(each["peer"], each["since_s"])
                silent[each["peer"]] = min(since, each["since_s"])
                continue
            steps.append(_step(each, _words(each)))
            timeout = _SILENT.search(each.get("reason", ""))
            if timeout is None and each["kind"] == "broker-fenced":
                timeout = _SILENT.search(event.get("reason", ""))
            if timeout is not None:
                host, until = f"n{each['broker']}", _decided(each)
                known = self._silences.of(host, until - int(timeout[1]) / 1000 - _EARLIER_S, until)
                silent.setdefault(host, until - int(timeout[1]) / 1000 if known is None else known)
        told = ""
        for host, since in silent.items():
            steps.append(Step(since, f"nothing more is heard of {host}"))
            if (found := self._silences.why(host, since)) is not None:
                steps.append(found.step)
                told = f": {found.words}"
        return sorted(steps, key=lambda step: step.at_s), told

    def _causes(self, event: Event) -> list[Event]:
        found: dict[int, Event] = {}
        waiting = [event]
        while waiting and len(found) < _CHAIN_MAX:
            each = waiting.pop(0)
            for number in (each.get("cause"), *each.get("after", ())):
                cause = self._by_id.get(number) if number is not None else None
                if cause is not None and cause["id"] not in found:
                    found[cause["id"]] = cause
                    waiting.append(cause)
        return [each for each in found.values() if each["kind"] in _TOLD or _is_farewell(each)]


def _is_stop(event: Event) -> bool:
    return event["kind"] == "log" and _STOPS.search(event.get("words", "")) is not None


def _is_farewell(event: Event) -> bool:
    return event["kind"] == "message-received" and event.get("api") == "end-epoch"


def _words(event: Event) -> str:
    kind = event["kind"]
    if _is_farewell(event):
        return f"{event['from']} resigns"
    if kind == "connection-lost":
        return f"the connection to {event['peer']} broke"
    if kind == "broker-fenced":
        return event.get("reason") or f"broker {event['broker']} is fenced"
    if kind == "broker-unfenced":
        return f"broker {event['broker']} is back"
    if kind == "quorum-vote":
        return f"a vote for {event['candidate']} in epoch {event['term']}"
    return str(kind)


def _step(event: Event, words: str) -> Step:
    agreed = event["kind"] in ("leader-elected", "controller-elected", "broker-fenced")
    at_s = _decided(event) if agreed else event["at_s"]
    return Step(at_s, words, event.get("node"))


def _decided(event: Event) -> float:
    return float(event.get("decided_s", event["at_s"]))


def _first_of(table: Sequence[tuple[str, str]], text: str, fits: Any) -> str:
    return next((words for sign, words in table if text and fits(text, sign)), "not recorded")


def _together(found: Sequence[Election]) -> list[Election]:
    """Partitions that one batch moved to the same leader for the same cause are one election; the
    time without a leader is the longest of theirs."""
    grouped: dict[tuple[Any, ...], Election] = {}
    for each in found:
        moved = each.epoch if each.kind == "controller" else each.at_s
        key = (each.kind, moved, each.leader, each.before, each.cause)
        other = grouped.get(key)
        grouped[key] = each if other is None else _joined(other, each)
    return list(grouped.values())


def _joined(one: Election, other: Election) -> Election:
    longer = max(one, other, key=lambda each: each.without_leader_s or 0.0)
    return replace(longer, partitions=(*one.partitions, *other.partitions))
