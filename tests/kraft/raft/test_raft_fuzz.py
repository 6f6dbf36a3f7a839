"""The fuzzer itself: quiet on the code as it is, and loud for every rule that is switched off."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from raftka.model.rules import Rule
from tests.kraft.raft.fuzz import run_seed

BLOCK = 15

FOUND_NEAR = {
    Rule.KEEP_MATCHING_ENTRIES: 0,
    Rule.ONE_CHANGE_OF_VOTERS: 247,
    Rule.COMMIT_ONLY_VERIFIED: 1,
    Rule.VOTES_ARE_ATTRIBUTED: 64,
    Rule.FAST_BACK_OFF: 7,
    Rule.PROPOSALS_END: 16,
    Rule.FENCED_PROPOSALS: 0,
    Rule.VOTE_IS_PERSISTED: 0,
    Rule.SYNC_BEFORE_SEND: 0,
    Rule.COMMIT_OWN_TERM: 0,
    Rule.LEADER_LEASE: 1,
    Rule.KEEP_COMMITTED: 1,
}
"""The first seeds to try, so that the test is fast; the other rules have tests of their own."""


@pytest.mark.parametrize("block", range(4))
def test_no_seed_violates_anything(block: int) -> None:
    outcomes = [run_seed(seed) for seed in range(block * BLOCK, (block + 1) * BLOCK)]
    assert [outcome for outcome in outcomes if outcome.violation] == []
    assert sum(outcome.commits for outcome in outcomes) > 500
    assert sum(outcome.terms for outcome in outcomes) > 20


@pytest.mark.parametrize("rule", list(FOUND_NEAR), ids=lambda rule: rule.name)
@pytest.mark.filterwarnings("ignore")
def test_a_broken_rule_is_seen(rule: Rule) -> None:
    first = FOUND_NEAR[rule]
    found = next(seed for seed in range(first, first + 150) if run_seed(seed, [rule]).violation)
    assert run_seed(found).violation is None


def test_a_seed_is_the_same_history_in_every_process() -> None:
    script = "from tests.kraft.raft.fuzz import run_seed; print([run_seed(s) for s in (5, 11)])"
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(printed) == 1
    assert "trace" in printed.pop()
