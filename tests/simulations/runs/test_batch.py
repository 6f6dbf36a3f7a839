"""Many seeds: the results for people and for scripts."""

from __future__ import annotations

import json
import statistics
from typing import Any

import pytest

from raftka.simulations.runs import command, distribution
from raftka.simulations.runs.batch import Totals, describe
from raftka.simulations.runs.sample import Sample
from raftka.simulations.violation import Exit


def batch(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, dict[str, object]]:
    exit = command.main([*options, "--json"])
    out = capsys.readouterr().out
    return exit, out, json.loads(out.splitlines()[-1])


def test_a_batch_that_holds_ends_with_its_distributions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--seeds", "2", "--seconds", "8", "--faults", "kill", "--rate", "kill=40")
    exit, out, found = batch(capsys, *options)
    assert exit == found["exit"] == 0
    assert found["seeds"] == 2
    assert found["failures"] == found["violations"] == []
    distributions = found["distributions"]
    assert isinstance(distributions, dict)
    for key in ("controller_election_s", "partition_election_s", "outage_s", "faults", "speed"):
        assert "n" in distributions[key]
    assert distributions["faults"]["n"] == 2
    assert distributions["partition_election_s"]["n"] > 0
    faults = found["faults"]
    assert isinstance(faults, dict)
    assert faults["kill"]["times"] >= faults["kill"]["seeds"] == 2
    assert "every seed held" in out and "a partition's leader gone until the next, s" in out


def test_a_batch_that_fails_names_its_seeds_and_tells_the_first_story(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--seeds", "2", "--all", "--seconds", "4", "--mutation", "vote-not-persisted")
    exit, out, found = batch(capsys, *options)
    assert exit == found["exit"] == 1
    failures = found["failures"]
    assert isinstance(failures, list)
    assert [each["seed"] for each in failures] == [1, 2]
    assert failures[1]["replay"] in out
    assert failures[1]["replay"].startswith("raftka simulate --seed 2 ")
    violations = found["violations"]
    assert isinstance(violations, list)
    assert violations[0]["name"] == failures[0]["name"]
    assert violations[0]["timeline"]
    assert "the story of seed 1: vote-not-durable" in out


def test_a_batch_of_a_control_loses_data(capsys: pytest.CaptureFixture[str]) -> None:
    exit, _, found = batch(capsys, "--seeds", "1", "--control", "acks-1", "--seconds", "30")
    assert exit == found["exit"] == 1


def test_percentiles() -> None:
    found = distribution.of(Sample(float(n) for n in range(1, 101)))
    assert found == {"n": 100, "min": 1, "median": 51, "p90": 91, "p99": 100, "max": 100}
    assert distribution.of(Sample()) == {"n": 0}


def test_a_histogram_has_its_peak_where_most_values_are() -> None:
    found = distribution.histogram(Sample([1.0] + [1000.0] * 8))
    assert len(found) == 16
    assert (found[0], found[1:15], found[15]) == ("▂", " " * 14, "█")
    assert distribution.histogram(Sample([2.0, 2.0])) == distribution.histogram(Sample()) == ""


def test_a_sample_is_drawn_from_all_of_them() -> None:
    sample = Sample((float(number) for number in range(50_000)), room=1000)
    assert (sample.count, sample.least, sample.greatest) == (50_000, 0.0, 49_999.0)
    assert len(sample.kept) == 1000
    # The standard error is 456; the first thousand values would have a mean of 500.
    assert statistics.mean(sample.kept) == pytest.approx(25_000, abs=1400)
    found = distribution.of(sample)
    assert (found["n"], found["min"], found["max"]) == (50_000, 0.0, 49_999.0)


def outcome(seed: int, exit: Exit) -> dict[str, Any]:
    violation = {"name": f"broken-{exit.name.lower()}", "story": "words", "at_s": 1.5}
    return {
        **dict.fromkeys(("virtual_s", "wall_s", "acked", "read", "checks", "speed"), 1),
        "seed": seed,
        "trace_hash": "00",
        "faults": {"kill": 2},
        "reached": {"ISR of one": 1},
        "outages_s": [float(seed)] * 3,
        "controller_election_s": [1.0],
        "partition_election_s": [1.0],
        "longest_gap_s": 2.0,
        "elections": {"controller": 1, "partition": {"why": 2}},
        "violations": [violation] if exit is not Exit.HELD else [],
        "exit": int(exit),
    }


def test_a_batch_that_fails_for_days_keeps_no_more_than_it_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("raftka.simulations.runs.batch._FAILURES_KEPT", 10)
    totals = Totals()
    for seed in range(1, 41):
        totals.add(outcome(seed, Exit.LIVENESS if seed % 4 else Exit.HELD))
    totals.add(outcome(41, Exit.SAFETY))
    assert (totals.seeds, totals.failed, len(totals.failures)) == (41, 31, 10)
    assert totals.exit is Exit.SAFETY, "though it came after those that are told"
    assert totals.outages_s.count == 123
    words = describe(totals, "replay {seed}").splitlines()
    assert "seed 1: broken-liveness at 1.500 s: words" in words and "  replay 1" in words
    assert "  broken-liveness  30" in words and words[-1] == "and 21 more"
