"""The quorum's own fuzzer: `python -m tests.kraft.raft.fuzz --seeds 1000`.

A seed draws a cluster and its faults, their frequency and severity. It runs them for some simulated
seconds while clients propose and voters change, then heals everything and waits for the quorum to
agree. fuzz_checks.py has the invariants.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random

import pytest

from raftka.kraft.raft import leader, progress
from raftka.kraft.raft.engine import Engine
from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.port import QuorumSettings, ReplicaKey, Voter
from raftka.kraft.raft.reconfiguration import Done
from raftka.model.rules import Rule
from tests.kraft.raft.fuzz_checks import Violation
from tests.kraft.raft.fuzz_cluster import Cluster, Replica

SETTINGS = QuorumSettings(
    election_timeout_s=1.0,
    snapshot_after_bytes=1500,
    snapshot_after_s=1e9,
    max_snapshot_bytes=100_000,
)
FAULTY_S = 12.0
HEALED_S = 25.0


@dataclass(frozen=True)
class Outcome:
    """The result of one seed."""

    seed: int
    violation: str | None
    commits: int
    terms: int
    steps: int
    trace: int
    """Checksum of everything that was sent, in order."""


@contextmanager
def small_messages() -> Iterator[None]:
    """Batches of two entries and snapshots of many pieces, so that their edge cases occur."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leader, "BATCH_BYTES", 100)
        patch.setattr(progress, "CHUNK_BYTES", 90)
        yield


class Scenario:
    """One seed."""

    def __init__(self, seed: int, off: frozenset[Rule]) -> None:
        dice = self.dice = Random(seed)
        voters = dice.choice([1, 2, 3, 3, 3, 3, 4, 5, 5])
        spares = dice.choice([0, 0, 1, 2])
        observers = dice.choice([0, 0, 1, 2])
        keys = [
            (ReplicaKey(number, bytes([number]) * 16), number <= voters + spares)
            for number in range(1, voters + spares + observers + 1)
        ]
        named = VoterSet(Voter(key.id, key.directory_id) for key, _ in keys[:voters])
        static = VoterSet(Voter(voter.id) for voter in named) if dice.random() < 0.3 else None
        self.cluster = Cluster(dice, keys, static, named, SETTINGS, off)
        self._draw_rates()

    def _draw_rates(self) -> None:
        """Whether, how often and how severely each fault strikes, independently."""
        dice, cluster = self.dice, self.cluster

        def rate(chance: float, mean_s: float) -> float:
            return dice.uniform(0.3, 3) / mean_s if dice.random() < chance else 0.0

        cluster.delay_s = dice.choice([0.0005, 0.005, 0.05, 0.2])
        cluster.sync_s = dice.choice([0.0005, 0.005, 0.05])
        cluster.corrupt_chunk_rate = dice.choice([0.0, 0.0, 0.02, 0.2])
        cluster.sync_error_rate = dice.choice([0.0, 0.0, 0.0, 0.002])
        self.partition_s = dice.choice([0.5, 1.5, 4.0])
        self.rates = {
            self._crash: rate(0.7, 2.0),
            self._crash_all: rate(0.2, 6.0),
            self._reset: rate(0.6, 0.7),
            self._partition: rate(0.6, 2.0),
            self._cut_one_way: rate(0.3, 3.0),
            self._change_voters: rate(0.6, 0.5),
            self._propose: dice.choice([2.0, 10.0, 40.0]),
            self._propose_stale: rate(0.5, 0.5),
        }

    def run(self) -> None:
        cluster, dice = self.cluster, self.dice
        while cluster.now < FAULTY_S:
            cluster.run_until(cluster.now + 0.05)
            cluster.connect_all()
            for fault, rate in self.rates.items():
                if dice.random() < rate * 0.05:
                    fault()
        self._heal()

    # Faults.

    def _crash(self) -> None:
        replica = self.dice.choice(self.cluster.replicas)
        self.cluster.crash(replica, power_loss=self.dice.random() < 0.7)
        back = self.cluster.now + self.dice.expovariate(1 / 0.7)
        self.cluster.at(back, partial(self.cluster.start, replica))

    def _crash_all(self) -> None:
        for replica in self.cluster.replicas:
            self.cluster.crash(replica, power_loss=True)
            back = self.cluster.now + self.dice.uniform(0, 0.5)
            self.cluster.at(back, partial(self.cluster.start, replica))

    def _reset(self) -> None:
        if pairs := sorted(self.cluster.wires, key=sorted):
            self.cluster.reset(self.dice.choice(pairs))

    def _partition(self) -> None:
        """Two sides, one perhaps a single node; connections between them break sooner or later."""
        ids = [replica.key.id for replica in self.cluster.replicas]
        side = set(self.dice.sample(ids, self.dice.randrange(1, len(ids) + 1)))
        self._block([(a, b) for a in ids for b in ids if (a in side) != (b in side)])

    def _cut_one_way(self) -> None:
        ids = [replica.key.id for replica in self.cluster.replicas]
        if len(ids) > 1:
            self._block([tuple(self.dice.sample(ids, 2))])  # type: ignore[list-item]

    def _block(self, ways: list[tuple[int, int]]) -> None:
        cluster, dice = self.cluster, self.dice
        cluster.blocked.update(ways)
        heals = cluster.now + dice.expovariate(1 / self.partition_s)
        cluster.at(heals, lambda: cluster.blocked.difference_update(ways))
        for pair in sorted({frozenset(way) for way in ways}, key=sorted):
            if dice.random() < 0.5:
                breaks = cluster.now + dice.uniform(0, 1.5)
                cluster.at(breaks, partial(cluster.reset, pair))

    # Clients.

    def _leader(self) -> Replica | None:
        leaders = [r for r in self.cluster.replicas if r.engine is not None and r.engine.is_leader]
        return self.dice.choice(leaders) if leaders else None

    def _propose(self) -> None:
        if (leader := self._leader()) is not None:
            for _ in range(self.dice.choice([1, 1, 5])):
                self.cluster.propose(leader)

    def _propose_stale(self) -> None:
        if (leader := self._leader()) is not None:
            self.cluster.propose(leader, stale=True)

    def _change_voters(self) -> None:
        leader = self._leader()
        if leader is None or self.cluster.static_voters is not None:
            return
        replica = self.dice.choice([r for r in self.cluster.replicas if r.can_vote])

        def change(engine: Engine, done: Done) -> None:
            if replica.key in engine.voters.current:
                engine.remove_voter(replica.key, done)
            else:
                engine.add_voter(Voter(replica.key.id, replica.key.directory_id), done)

        self.cluster.call(leader, "change", change)

    # The end.

    def _heal(self) -> None:
        cluster = self.cluster
        cluster.blocked.clear()
        cluster.corrupt_chunk_rate = cluster.sync_error_rate = 0.0
        cluster.delay_s = cluster.sync_s = 0.001
        for replica in cluster.replicas:
            cluster.at(cluster.now + 0.1, partial(cluster.start, replica))
        deadline = cluster.now + HEALED_S
        while cluster.now < deadline:
            cluster.run_until(cluster.now + 0.25)
            cluster.connect_all()
            if self._leader() is not None and cluster.now > deadline - HEALED_S + 1.5:
                self._propose()
                if self._agreed():
                    return
        raise Violation(
            f"no agreement within {HEALED_S:g} s after everything healed: {self._state()}"
        )

    def _agreed(self) -> bool:
        """After a pause: all replicas have the same log, and no call waits for an answer."""
        cluster = self.cluster
        for _ in range(20):
            cluster.run_until(cluster.now + 0.1)
            cluster.connect_all()
        states = {(r.machine.offset, r.machine.digest) for r in cluster.replicas}
        return len(states) == 1 and not cluster.unanswered and self._leader() is not None

    def _state(self) -> str:
        parts = []
        for replica in self.cluster.replicas:
            engine = replica.engine
            if engine is None:
                parts.append(f"{replica} is down")
                continue
            parts.append(
                f"{replica}: role {engine.role} term {engine.term} commit {engine.commit_index} "
                f"last {engine.log.last_index} voters {engine.voters.current}"
            )
        return "; ".join([*parts, f"{len(self.cluster.unanswered)} calls unanswered"])


def run_seed(seed: int, off: Iterable[Rule] = ()) -> Outcome:
    """Run one seed, with some rules switched off."""
    with small_messages():
        scenario = Scenario(seed, frozenset(off))
        violation: str | None = None
        try:
            scenario.run()
        except Exception as error:
            violation = f"{type(error).__name__} at {scenario.cluster.now:.3f} s: {error}"
            if not off and not isinstance(error, Violation):
                raise
    checker = scenario.cluster.checker
    cluster = scenario.cluster
    return Outcome(
        seed, violation, checker.commits, len(checker.leaders), cluster.steps, cluster.trace
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--without", action="append", default=[], choices=[r.name for r in Rule])
    parser.add_argument("--stop", action="store_true", help="at the first violation")
    options = parser.parse_args()
    off = [Rule[name] for name in options.without]
    violations = commits = terms = 0
    for seed in range(options.first, options.first + options.seeds):
        outcome = run_seed(seed, off)
        commits += outcome.commits
        terms += outcome.terms
        if outcome.violation is not None:
            violations += 1
            print(f"seed {seed}: {outcome.violation}", flush=True)
            if options.stop:
                break
    print(f"{options.seeds} seeds, {commits} commits, {terms} terms led, {violations} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
