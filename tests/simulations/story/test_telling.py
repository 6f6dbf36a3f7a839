"""A run as text, whether it held or not."""

from __future__ import annotations

import pytest

from raftka.simulations.runs.command import main
from raftka.simulations.scenarios.stage import Stage, run_scenario
from raftka.simulations.story.telling import LINES_MAX, Telling


async def a_leader_is_killed(stage: Stage) -> None:
    await stage.topic("t", partitions=6)
    stage.produce("t")
    await stage.run(seconds=2)
    stage.cut("n1", "n2")
    stage.kill(stage.leader_of("t"))
    await stage.run(seconds=3)
    await stage.settle()


def test_what_was_done_what_was_decided_and_what_clients_noticed() -> None:
    telling = Telling()
    outcome = run_scenario(a_leader_is_killed, sink=telling)
    text = telling.text()
    words = " ".join(text.split())
    assert "n1 leads 6 partitions" in words or "leads t-" in words
    assert " is killed" in words
    assert "nothing gets from n1 to n2" in words
    assert " was fenced: " in words
    assert "the first acknowledgement of t-" in words
    assert "everything is healed" in words
    assert f"the end: {telling.counts['ack']} records acknowledged" in words
    assert all(len(line) <= 100 for line in text.splitlines())
    assert run_scenario(a_leader_is_killed).trace_hash == outcome.trace_hash


def test_a_long_run_is_told_in_a_few_pages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "7", "--seconds", "20", "--story"]) == 0
    told = capsys.readouterr().out.partition("seed 7 at")[0]
    assert "is the controller in term" in told
    moments = [line for line in told.splitlines() if line[:9].strip()]
    assert 10 < len(moments) <= 2 * LINES_MAX + 1
