"""Mutations and controls are caught, and `raftka simulate` says after how many seeds."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from raftka.simulations.mutations import MUTANTS
from raftka.simulations.plan import Options
from raftka.simulations.runs import command, hunt
from raftka.simulations.runs.run import plan_for
from raftka.simulations.violation import Exit

WHERE: dict[str, tuple[float, dict[str, float]]] = {
    "vote-not-persisted": (5, {}),
    "ack-before-fsync": (5, {}),
    "old-term-committed-by-count": (20, {"shatter": 10, "isolate": 6}),
    "isolated-leader-never-resigns": (20, {"isolate": 12}),
    "quorum-truncates-committed": (20, {"shatter": 10, "isolate": 6}),
    "truncate-to-high-watermark": (20, {"kill": 12, "divergent-failover": 6}),
    "no-epoch-in-fetch": (20, {"divergent-failover": 8, "stranded-leader": 8}),
    "high-watermark-before-truncation": (30, {"divergent-failover": 8, "stranded-leader": 8}),
    "no-broker-epoch-in-alter-partition": (20, {"late-isr-change": 8}),
    "fenced-replica-joins-isr": (60, {}),
    "proposed-isr-counts": (20, {"late-isr-shrink": 6}),
    "lost-log-stays-eligible": (40, {"last-standing-lost": 5}),
    "forget-without-room": (20, {}),
    "no-turns-in-sessions": (20, {}),
    "one-batch-remembered": (20, {"lost-reply": 20}),
    "unchecked-batches": (10, {}),
    "open-is-stable": (60, {}),
    "aborted-not-named": (60, {}),
    "marker-not-awaited": (60, {}),
    "write-not-verified": (60, {}),
    "login-not-awaited": (5, {}),
    "password-not-proved": (8, {}),
    "certificate-not-verified": (5, {}),
    "denied-but-served": (5, {}),
    "allow-outweighs-deny": (5, {}),
    "principal-lost-in-forwarding": (8, {}),
    "former-coordinator-writes": (30, {"late-marker": 8}),
}
"""Where each is caught soon: how long runs are, and faults a minute (none: as they are drawn)."""

RARE = {
    *("in-sync-throttled", "key-not-demanded", "first-value-stays", "tombstone-goes-at-once"),
    *("compaction-lag-ignored", "uncommitted-cleaned", "producer-cleaned-away"),
    *("cleaned-not-synced", "swap-forgotten", "former-epoch-writes", "end-not-finished"),
    *("offsets-count-at-once", "pending-offsets-are-stable", "markers-given-up"),
    *("epoch-start-not-awaited", "late-isr-change-counts"),
    *("owner-not-awaited", "revocation-not-confirmed", "member-epoch-ignored"),
    # Scenarios and tests of their own notice these (docs/simulation.md names them).
    *("former-progress-counts", "registered-before-changes"),
    "waiters-answered-by-a-former-leader",
    *(name for name, mutant in MUTANTS.items() if mutant.needs is not None),
}
"""Mutations that take more runs than a test has time for: `python -m benchmarks.mutations` hunts
them, and docs/simulation.md lists those caught, with the number of seeds.
"""


def test_every_mutation_is_hunted_somewhere() -> None:
    assert WHERE.keys() | RARE == MUTANTS.keys()
    assert not WHERE.keys() & RARE


@pytest.mark.parametrize("name", WHERE)
def test_every_mutation_is_caught(name: str) -> None:
    duration_s, rates = WHERE[name]
    options = Options(
        1, mutation=name, duration_s=duration_s, faults=tuple(rates) or None, rates=rates
    )
    catch = hunt.hunt(options, seeds=40, progress=io.StringIO())
    assert catch.found is not None, catch.words()


def became(exit: Exit, name: str = "x") -> dict[str, Any]:
    violations = [] if exit is Exit.HELD else [{"name": name, "at_s": 1.0, "story": "it is so"}]
    return {"exit": int(exit), "faults": {"kill": 2}, "violations": violations}


def test_a_run_that_does_not_recover_counts_where_that_is_what_is_broken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs(monkeypatch, *map(became, (Exit.CRASHED, Exit.LIVENESS, Exit.SAFETY)))
    told = io.StringIO()
    catch = hunt.hunt(Options(1, mutation="end-not-finished"), progress=told)
    assert catch.tried == 2
    assert told.getvalue().count("(which does not count)") == 1


def runs(monkeypatch: pytest.MonkeyPatch, *outcomes: dict[str, Any]) -> list[int]:
    """Runs become `outcomes`, one after the other, the last for ever; the seeds that are run."""
    seeds: list[int] = []

    def run_one(job: tuple[Options, str]) -> dict[str, Any]:
        seeds.append(job[0].seed)
        found = outcomes[min(len(seeds), len(outcomes)) - 1]
        return {"seed": job[0].seed, **found}

    monkeypatch.setattr(hunt, "run_one", run_one)
    return seeds


def test_a_hunt_ends_with_the_first_violation_of_safety(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = map(became, (Exit.HELD, Exit.LIVENESS, Exit.CRASHED, Exit.SAFETY))
    seeds = runs(monkeypatch, *outcomes)
    told = io.StringIO()
    catch = hunt.hunt(Options(11, mutation="ack-before-fsync"), progress=told)
    assert seeds == [11, 12, 13, 14]
    assert (catch.tried, catch.seed) == (4, 14)
    assert catch.words() == "ack-before-fsync is caught after 4 seeds: x, by seed 14"
    assert told.getvalue().count("(which does not count)") == 2


def test_what_is_not_caught_is_told_with_exit_code_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = runs(monkeypatch, became(Exit.HELD))
    assert command.main(["--mutation", "ack-before-fsync", "--json"]) == 0
    assert seeds == list(range(1, hunt.SEEDS_MAX + 1))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ack-before-fsync was NOT caught: safety held in all of 200 seeds from 1 on"
    assert json.loads(lines[-1])["seed"] == hunt.SEEDS_MAX


def test_a_mutation_alone_is_hunted_and_its_story_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--mutation", "vote-not-persisted", "--seconds", "5", "--json"]) == 1
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].startswith("vote-not-persisted is caught after ")
    assert "SAFETY VIOLATED" in printed.out
    found = json.loads(lines[-1])
    assert found["exit"] == Exit.SAFETY
    assert f"by seed {found['seed']}" in lines[0]
    assert f"seed {found['seed']}: " in printed.err


@pytest.mark.parametrize("which", [["--seed", "2"], ["--seed", "2", "--seeds", "1"]])
def test_a_seed_that_is_named_is_the_only_one(
    which: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = ["--faults", "none", "--seconds", "3"]
    assert command.main(["--mutation", "one-batch-remembered", *which, *quiet]) == 0
    assert "caught" not in capsys.readouterr().out


def test_a_control_is_in_every_seed_of_a_batch() -> None:
    plan = plan_for(Options(1, control="acks-1"))
    assert plan.strict_acks_1
    assert {step.kind for step in plan.faults} == {"leader-cut-off-and-killed"}
