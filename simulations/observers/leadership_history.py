"""Leaders of the quorum and of partitions: why they changed, and how long there was none.

Reasons come from outside the nodes: operations on a machine, its last messages, links that were cut
or broken. They are derived only after an election.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Protocol

import trio

from raftka.kraft.image import PartitionImage
from raftka.simulations.machines.machine import Machine
from raftka.simulations.machines.network import Fabric
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import Key
from raftka.simulations.observers.voters import Voters, majority

_ENDS: Final = {
    "kill": "was killed",
    "power-loss": "lost power",
    "crashed": "ended by itself",
    "shutdown": "was stopped",
    "stopped": "stopped",
}
_GONE: Final = ("kill", "power-loss", "crashed", "stopped")


@dataclass(frozen=True)
class ControllerElection:
    """A node showed itself as the leader of the quorum."""

    at_s: float
    term: int
    node: str
    reason: str
    gone_s: float | None
    """When its predecessor was gone, if it was."""

    @property
    def took_s(self) -> float | None:
        """How long there was no controller."""
        return None if self.gone_s is None else round(max(0.0, self.at_s - self.gone_s), 3)

    def as_dict(self) -> dict[str, Any]:
        return {
            "at_s": round(self.at_s, 3),
            "node": self.node,
            "term": self.term,
            "reason": self.reason,
            "took_s": self.took_s,
        }


class Quorum(Protocol):
    """The metadata quorum, as its messages and journals show it."""

    resigned: dict[str, float]
    """When leaders announced their resignation."""
    led_at: dict[str, float]
    """When each leader last sent a message."""

    @property
    def leader(self) -> str | None: ...
    @property
    def voters(self) -> Voters: ...
    def last_heard(self, host: str, by: str) -> float:
        """When bytes from `host` last reached the other one."""
        ...


class LeadershipHistory:
    """The elections of one run."""

    def __init__(
        self,
        machines: Mapping[int, Machine],
        fabric: Fabric,
        quorum: Quorum,
        metadata: ObservedMetadata,
        election_s: float,
    ) -> None:
        """`election_s`: the silence after which voters elect another leader."""
        self.controllers: list[ControllerElection] = []
        self.partition_election_s: list[float] = []
        """From when a leader was gone until another one was elected in its place."""
        self.outages_s: list[float] = []
        """How long partitions were without a leader, each time."""
        self._machines = machines
        self._fabric = fabric
        self._quorum = quorum
        self._metadata = metadata
        self._election_s = election_s
        self._offline_since: dict[Key, float] = {}
        self._led_since: dict[Key, float] = {}

    # The quorum.

    @property
    def controller_election_s(self) -> list[float]:
        """From when a controller was gone until there was another."""
        return [each.took_s for each in self.controllers if each.took_s is not None]

    def controller_elected(self, host: str, term: int) -> None:
        """A node shows itself as the leader of a term for the first time."""
        now = trio.current_time()
        former = max(self.controllers, key=lambda each: each.term, default=None)
        if former is None:
            reason, gone_s = "the first election", None
        elif former.term > term:
            reason, gone_s = f"seen late, when {former.node} led already", None
        else:
            reason, gone_s = self._why(former, host, now)
        self.controllers.append(ControllerElection(now, term, host, reason, gone_s))

    def _why(self, former: ControllerElection, host: str, now: float) -> tuple[str, float | None]:
        """Why `host` leads in place of `former`, and since when `former` was gone."""
        old, raft = former.node, self._quorum
        machine = self._machines.get(int(old[1:]))
        if machine is None:
            return f"{old} left for good", None
        heard_s = raft.last_heard(old, by=host) if old != host else now
        end = next(_ends(machine, former.at_s), None)
        resigned_s = raft.resigned.get(old, -1.0)
        if end is not None:
            at_s, words = end
            led_s = raft.led_at.get(old, at_s)
            if at_s - led_s > self._election_s / 2:
                gave_up = f"{old} gave up at {led_s:.1f} s, as no majority answered it"
                return f"{gave_up}, and {words} at {at_s:.1f} s", led_s
            if at_s - heard_s > self._election_s / 2:
                silent = f"{old} did not reach {host} since {heard_s:.1f} s"
                return f"{silent}, and {words} at {at_s:.1f} s", heard_s
            gone_s = resigned_s if words == _ENDS["shutdown"] and resigned_s >= at_s else at_s
            return f"{old} {words} at {at_s:.1f} s", gone_s
        if all(member.host != old for member in raft.voters):
            return f"{old} is no longer a voter", resigned_s if resigned_s >= 0 else None
        if resigned_s >= former.at_s:
            return f"{old} resigned at {resigned_s:.1f} s", resigned_s
        if (pause := _pause(machine, former.at_s, now - 2 * self._election_s)) is not None:
            return f"{old} was paused since {pause:.1f} s", pause
        return self._silence(old, host, heard_s, now)

    def _silence(self, old: str, host: str, heard_s: float, now: float) -> tuple[str, float | None]:
        """Why a running controller was replaced: which node did not hear from which."""
        raft, fabric = self._quorum, self._fabric
        others = [member.host for member in raft.voters if member.host != old]
        answers = sorted((raft.last_heard(other, by=old) for other in others), reverse=True)
        needed = majority(raft.voters) - 1
        answered_s = answers[needed - 1] if 0 < needed <= len(answers) else now
        if now - answered_s > self._election_s / 2:
            alone = f"{old} was cut off from the majority: none answered since {answered_s:.1f} s"
            return alone, answered_s
        if now - heard_s > self._election_s / 2:
            return f"nothing of {old} reached {host} since {heard_s:.1f} s", heard_s
        broken_s = fabric.broken_at.get(frozenset((old, host)), -inf)
        if now - broken_s < 2 * self._election_s:
            return f"the connection of {host} to {old} broke at {broken_s:.1f} s", None
        led_s = raft.led_at.get(old, now)
        if old == host or now - led_s > self._election_s / 2:
            return f"{old} gave up at {led_s:.1f} s, as no majority answered it", led_s
        return f"{host} asked for votes, although {old} led and ran", led_s

    # Partitions.

    def partition_changed(
        self, key: Key, before: PartitionImage | None, after: PartitionImage
    ) -> None:
        """The metadata of a partition has changed."""
        now = trio.current_time()
        if before is not None and before.has_leader and not after.has_leader:
            self._offline_since[key] = now
        if after.has_leader and (since := self._offline_since.pop(key, None)) is not None:
            self.outages_s.append(round(now - since, 3))
        if before is not None and before.leader == after.leader:
            return
        if before is not None and before.has_leader and after.has_leader:
            gone_s = self._gone(before.leader, self._led_since.get(key, 0.0))
            if gone_s is not None:
                self.partition_election_s.append(round(max(0.0, now - gone_s), 3))
        self._led_since[key] = now

    def _gone(self, broker_id: int, since_s: float) -> float | None:
        """When a leader was gone; None for one that was only replaced."""
        machine = self._machines.get(broker_id)
        broker = self._metadata.image.brokers.get(broker_id)
        if machine is None:
            return None
        ends = (at_s for at_s, kind in machine.fates if kind in _GONE and at_s >= since_s)
        if (end := next(ends, None)) is not None:
            return end
        if machine.is_paused:
            return _pause(machine, since_s, trio.current_time())
        if any(kind == "shutdown" and at_s >= since_s for at_s, kind in machine.fates):
            return None  # It transfers leadership first, and leads until then.
        controller = self._quorum.leader
        if broker is None or not broker.fenced or controller in (None, machine.host):
            return None
        return self._quorum.last_heard(machine.host, by=controller) if controller else None


def _ends(machine: Machine, since_s: float) -> Iterator[tuple[float, str]]:
    for at_s, kind in machine.fates:
        if at_s >= since_s and kind in _ENDS:
            yield at_s, _ENDS[kind]


def _pause(machine: Machine, since_s: float, until_s: float) -> float | None:
    """Since when a process is paused, or was paused beyond `until_s`."""
    begun: float | None = None
    for at_s, kind in machine.fates:
        if kind == "pause" and at_s >= since_s:
            begun = at_s
        elif kind == "resume" and at_s < until_s:
            begun = None
    return begun
