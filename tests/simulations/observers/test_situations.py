"""The situations that log lines show, by what the node writes."""

from __future__ import annotations

import inspect

import pytest

from raftka.broker.replication import following
from raftka.simulations.observers.situations import of_log_line


@pytest.mark.parametrize("leaderless", [True, False])
def test_a_truncation_is_noticed(leaderless: bool) -> None:
    found = set(of_log_line("truncating t-0 to 5: the leader's log ends there", lambda: leaderless))
    expected = {"follower truncated"}
    assert found == (expected | {"truncation during an election"} if leaderless else expected)


def test_a_follower_that_starts_again_is_noticed() -> None:
    """In the words that the follower logs."""
    words = "t-0: the leader's log begins at 9, ours ended at 5; starting again there"
    assert list(of_log_line(words, lambda: False)) == ["follower started again"]
    assert "; starting again there" in inspect.getsource(following)
