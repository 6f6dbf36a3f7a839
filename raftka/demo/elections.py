"""Elections from the nodes' logs: the controller writes one line for each, with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from raftka.logs import unquoted

_STAMP: Final = r"^(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\S+) \w+ +"
_ELECTION: Final = re.compile(
    _STAMP + r"(?P<name>\S+)(?:: broker \d+ is elected leader| has no leader) topic=.*?"
    r" old_leader=(?P<old>-?\d+) new_leader=(?P<new>-?\d+) leader_epoch=(?P<epoch>\d+)"
    r" isr_before=\[(?P<before>[^]]*)\] isr=\[(?P<isr>[^]]*)\] reason=(?P<reason>\".*\"|\S+)$"
)
_ACTIVE: Final = re.compile(_STAMP + r"controller (?P<id>\d+) is active epoch=(?P<epoch>\d+)")


class Election(NamedTuple):
    """One change of a partition's leadership."""

    at: float
    """Seconds since 1970, by the clock of the controller that decided."""
    name: str
    old_leader: int
    new_leader: int
    epoch: int
    isr_before: str
    isr: str
    reason: str


class Activation(NamedTuple):
    """A node became the active controller."""

    at: float
    controller: int
    epoch: int


def elections(logs: Iterable[str]) -> list[Election]:
    """All elections in these logs, in the order of time."""
    found = [
        Election(
            _seconds(match["stamp"]),
            match["name"],
            int(match["old"]),
            int(match["new"]),
            int(match["epoch"]),
            match["before"],
            match["isr"],
            unquoted(match["reason"]),
        )
        for log in logs
        for line in log.splitlines()
        if (match := _ELECTION.match(line))
    ]
    return sorted(found)


def activations(logs: Iterable[str]) -> list[Activation]:
    """Each time that a node became the active controller, in the order of time."""
    found = [
        Activation(_seconds(match["stamp"]), int(match["id"]), int(match["epoch"]))
        for log in logs
        for line in log.splitlines()
        if (match := _ACTIVE.match(line))
    ]
    return sorted(found)


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
