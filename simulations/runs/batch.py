"""Many seeds, in several processes, for minutes or days.

Each seed's outcome becomes a small dictionary and is added to running totals: memory stays flat.
"""

from __future__ import annotations

import json
import multiprocessing
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TextIO

from raftka.simulations.plan import Options
from raftka.simulations.runs import coverage, distribution, user_file
from raftka.simulations.runs.report import as_dict, story, table
from raftka.simulations.runs.run import Outcome, plan_for, run_plan
from raftka.simulations.runs.sample import Sample
from raftka.simulations.story.replay import explain
from raftka.simulations.violation import Exit

_FAILURES_KEPT = 1000
"""Failing seeds that are listed at the end; each is also reported when it fails."""
_ERROR = re.compile(r"[\w.]+(Error|Exception|Touched|Journal|Connection)\b")
_SEEDS_A_PROCESS = 50
"""Seeds after which a worker is replaced, in case it has leaked memory."""


@dataclass
class Totals:
    """The totals of a batch."""

    seeds: int = 0
    virtual_s: float = 0.0
    wall_s: float = 0.0
    acked: int = 0
    read: int = 0
    checks: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    seeds_with: Counter[str] = field(default_factory=Counter)
    """The number of seeds in which each fault occurred."""
    reached: Counter[str] = field(default_factory=Counter)
    outages_s: Sample = field(default_factory=Sample)
    gaps_s: Sample = field(default_factory=Sample)
    controller_election_s: Sample = field(default_factory=Sample)
    partition_election_s: Sample = field(default_factory=Sample)
    controller_elections: Sample = field(default_factory=Sample)
    partition_elections: Sample = field(default_factory=Sample)
    faults_a_seed: Sample = field(default_factory=Sample)
    speeds: Sample = field(default_factory=Sample)
    failures: list[dict[str, Any]] = field(default_factory=list)
    """The names and seeds to replay the first failures."""
    violated: Counter[str] = field(default_factory=Counter)
    """How many seeds failed, by the name of the violation."""
    exits: set[Exit] = field(default_factory=set)

    def add(self, found: dict[str, Any]) -> None:
        self.seeds += 1
        self.virtual_s += found["virtual_s"]
        self.wall_s += found["wall_s"]
        self.acked += found["acked"]
        self.read += found["read"]
        self.checks += found["checks"]
        self.faults.update(found["faults"])
        self.seeds_with.update(found["faults"].keys())
        self.reached.update(found["reached"].keys())
        for values, new in (
            (self.outages_s, found["outages_s"]),
            (self.gaps_s, [found["longest_gap_s"]]),
            (self.controller_election_s, found["controller_election_s"]),
            (self.partition_election_s, found["partition_election_s"]),
            (self.controller_elections, [float(found["elections"]["controller"])]),
            (self.partition_elections, [float(sum(found["elections"]["partition"].values()))]),
            (self.faults_a_seed, [float(sum(found["faults"].values()))]),
            (self.speeds, [found["speed"]]),
        ):
            values.extend(new)
        if found["exit"] != Exit.HELD:
            self._failed(found)

    def _failed(self, found: dict[str, Any]) -> None:
        violation = found["violations"][0]
        self.exits.add(Exit(found["exit"]))
        self.violated[violation["name"]] += 1
        if len(self.failures) < _FAILURES_KEPT:
            kept = {name: found[name] for name in ("seed", "exit", "trace_hash")}
            named = {name: violation[name] for name in ("name", "at_s")}
            self.failures.append({**kept, **named, "story": words_of(found)})

    @property
    def failed(self) -> int:
        """How many seeds failed."""
        return self.violated.total()

    def distributions(self) -> dict[str, tuple[str, Sample]]:
        """By the key in JSON: the title, and the values."""
        return {
            "controller_election_s": (
                "a controller gone until the next, s",
                self.controller_election_s,
            ),
            "partition_election_s": (
                "a partition's leader gone until the next, s",
                self.partition_election_s,
            ),
            "outage_s": ("partition without a leader, s", self.outages_s),
            "longest_gap_s": ("longest time without an ack in a seed, s", self.gaps_s),
            "controller_elections": ("controller elections a seed", self.controller_elections),
            "partition_elections": ("partition elections a seed", self.partition_elections),
            "faults": ("faults a seed", self.faults_a_seed),
            "speed": ("speed, times real time", self.speeds),
        }

    @property
    def exit(self) -> Exit:
        """A safety violation outweighs a crash, which outweighs a liveness violation."""
        for each in (Exit.SAFETY, Exit.CRASHED, Exit.LIVENESS):
            if each in self.exits:
                return each
        return Exit.HELD


def run_one(job: tuple[Options, str]) -> dict[str, Any]:
    """One seed, in this process."""
    options, commit = job
    outcome = run_plan(plan_for(options), beside=user_file.beside(options.own))
    return as_dict(outcome, commit)


def run_batch(
    options: Options,
    seeds: int,
    *,
    jobs: int,
    minutes: float | None,
    collect: bool,
    commit: str,
    progress: TextIO = sys.stderr,
) -> Totals:
    """Run `seeds` seeds from `options.seed` on, until one fails or, to `collect`, all of them."""
    totals = Totals()
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    work = ((replace(options, seed=options.seed + n), commit) for n in range(seeds))
    told = 0.0
    for found in _until_interrupted(_outcomes(work, jobs, deadline)):
        totals.add(found)
        if found["exit"] != Exit.HELD:
            print(f"\rseed {found['seed']}: {words_of(found)}", file=progress, flush=True)
        now = time.monotonic()
        if now - told > 2 or totals.seeds == seeds:
            told = now
            print(
                f"\r{totals.seeds}/{seeds} seeds, {totals.virtual_s:.0f} virtual s,"
                f" {totals.failed} failed",
                end="",
                file=progress,
                flush=True,
            )
        if totals.failed and not collect:
            break
        if deadline is not None and now > deadline:
            break
    print(file=progress)
    return totals


def _until_interrupted(found: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Ctrl-C ends a batch, which then prints its results so far."""
    try:
        yield from found
    except KeyboardInterrupt:
        return


def _outcomes(
    work: Iterator[tuple[Options, str]], jobs: int, deadline: float | None
) -> Iterator[dict[str, Any]]:
    def until_late() -> Iterator[tuple[Options, str]]:
        for job in work:
            if deadline is not None and time.monotonic() > deadline:
                return
            yield job

    if jobs <= 1:
        yield from map(run_one, until_late())
        return
    context = multiprocessing.get_context("spawn")
    deaf = (signal.SIGINT, signal.SIG_IGN)  # The process that started the batch handles Ctrl-C.
    with context.Pool(jobs, signal.signal, deaf, maxtasksperchild=_SEEDS_A_PROCESS) as pool:
        running: list[Any] = []
        for job in until_late():
            running.append(pool.apply_async(run_one, (job,)))
            while len(running) >= 2 * jobs:
                yield running.pop(0).get()
        while running:
            yield running.pop(0).get()


def as_json(totals: Totals, commit: str, replay: str, explained: Outcome | None) -> str:
    """The contents of `describe` for scripts; the keys are documented."""
    failures = [
        {**failure, "replay": replay.format(seed=failure["seed"])} for failure in totals.failures
    ]
    violation = explained.violation if explained is not None else None
    found = {
        "seeds": totals.seeds,
        "commit": commit,
        "virtual_s": round(totals.virtual_s, 3),
        "wall_s": round(totals.wall_s, 3),
        "acked": totals.acked,
        "read": totals.read,
        "checks": totals.checks,
        "distributions": {
            key: distribution.of(values) for key, (_, values) in totals.distributions().items()
        },
        "faults": {
            kind: {"times": totals.faults[kind], "seeds": totals.seeds_with[kind]}
            for kind in sorted(totals.faults)
        },
        "coverage": dict(sorted(totals.reached.items())),
        "never_reached": coverage.never_reached(totals.faults, totals.reached),
        "failed": dict(sorted(totals.violated.items())),
        "failures": failures,
        "violations": [violation.as_dict()] if violation is not None else [],
        "exit": int(totals.exit),
    }
    return json.dumps(found)


def explain_first(totals: Totals, options: Options) -> Outcome | None:
    """Run the first failed seed once more, for its story."""
    if not totals.failures:
        return None
    seed = totals.failures[0]["seed"]
    again = partial(
        run_plan, plan_for(replace(options, seed=seed)), beside=user_file.beside(options.own)
    )
    outcome = again()
    explain(outcome, again)
    return outcome


def told(outcome: Outcome) -> str:
    """The story of the first failure, which `describe` leaves out."""
    words = story(outcome) if outcome.violation is not None else "run again, it held"
    return f"\nthe story of seed {outcome.plan.seed}: {words}"


def describe(totals: Totals, replay: str) -> str:
    """The end of a batch: distributions, coverage, failures."""
    speed = totals.virtual_s / totals.wall_s if totals.wall_s else 0.0
    lines = [
        f"{totals.seeds} seeds, {totals.virtual_s:.0f} virtual seconds,"
        f" {totals.wall_s:.0f} s of one core each ({speed:.0f} times real time)",
        f"{totals.acked} records acknowledged, {totals.read} read, {totals.checks} checks",
        "",
        distribution.table_of(totals.distributions().values()),
        "",
        coverage.table_of(totals.faults, totals.seeds_with, totals.reached, totals.seeds),
        "",
    ]
    if not totals.failed:
        lines.append("every seed held")
    elif totals.failed > 1:
        rows: list[tuple[object, ...]] = [("violation", "seeds"), *totals.violated.most_common()]
        lines += [table(rows), ""]
    for failure in totals.failures:
        lines.append(f"seed {failure['seed']}: {failure['story']}")
        lines.append(f"  {replay.format(seed=failure['seed'])}")
    if totals.failed > len(totals.failures):
        lines.append(f"and {totals.failed - len(totals.failures)} more")
    return "\n".join(lines)


def words_of(failure: dict[str, Any]) -> str:
    """A failure in one line."""
    violation = failure["violations"][0]
    lines = violation["story"].strip().splitlines()
    words = lines[0]
    if failure["exit"] == Exit.CRASHED:
        # The last line of a traceback has the error; exception groups draw frames around theirs.
        plain = [line.strip(" |+-") for line in lines]
        words = next((line for line in reversed(plain) if _ERROR.match(line)), words)
    return f"{violation['name']} at {violation['at_s']:.3f} s: {words[:400]}"
