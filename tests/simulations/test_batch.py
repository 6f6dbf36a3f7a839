"""Many seeds: what is told at the end, to people and to scripts."""

from __future__ import annotations

import json

import pytest

from simulations import command, distribution


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
    found = distribution.of([float(n) for n in range(1, 101)])
    assert found == {"n": 100, "min": 1, "median": 51, "p90": 91, "p99": 100, "max": 100}
    assert distribution.of([]) == {"n": 0}


def test_a_histogram_has_its_peak_where_most_values_are() -> None:
    found = distribution.histogram([1.0] + [1000.0] * 8)
    assert len(found) == 16
    assert (found[0], found[1:15], found[15]) == ("▂", " " * 14, "█")
    assert distribution.histogram([2.0, 2.0]) == distribution.histogram([]) == ""
