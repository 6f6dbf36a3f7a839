"""Until when a loss could have been prevented, by running a session again."""

from __future__ import annotations

import json

import pytest

from raftka.simulations.runs.command import main
from raftka.simulations.sessions.inevitable import APART_S, find, healed_at, loses
from raftka.simulations.sessions.performing import perform
from raftka.simulations.sessions.show import ready


def test_the_last_moment_that_saves_and_the_first_that_does_not() -> None:
    found = ready({"scenario": "acks_1_loss", "seed": 2})
    outcome = perform(found)
    assert outcome.lost_acks_1
    moments = find(found, outcome)
    assert moments is not None
    assert moments.saved_until_s is not None
    assert 0 < moments.inevitable_from_s - moments.saved_until_s <= APART_S + 1e-6
    assert not loses(healed_at(found, moments.saved_until_s))
    assert loses(healed_at(found, moments.inevitable_from_s))


def test_a_session_that_loses_nothing_has_no_such_moment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--scenario", "silent-follower", "--inevitable", "--json"]) == 0
    out = capsys.readouterr().out
    assert "nothing was lost" in out
    assert json.loads(out.splitlines()[-1])["inevitable"] is None
