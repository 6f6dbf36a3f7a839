"""Continuous elections are reported once, with their cause in one line."""

from __future__ import annotations

from raftka.kraft.raft.unrest import Unrest
from tests.kraft.raft.lab import Lab


def test_an_epoch_that_goes_up_hundreds_of_times_is_noticed_once() -> None:
    unrest = Unrest()
    noticed = [unrest.noticed(epoch, epoch * 0.5) for epoch in range(3, 715)]
    assert [each for each in noticed if each] == ["the epoch went up 8 times within 4.0 s, to 11"]


def test_failovers_now_and_then_are_no_unrest() -> None:
    unrest = Unrest()
    assert not any(unrest.noticed(epoch, epoch * 10.0) for epoch in range(100))


def test_an_epoch_that_stays_is_counted_once() -> None:
    unrest = Unrest()
    assert not any(unrest.noticed(5, step * 0.1) for step in range(100))


def test_after_a_quiet_minute_it_is_noticed_again() -> None:
    unrest = Unrest()
    first = [unrest.noticed(epoch, 0.1 * epoch) for epoch in range(20)]
    again = [unrest.noticed(20 + epoch, 100 + 0.1 * epoch) for epoch in range(20)]
    assert sum(map(bool, first)) == sum(map(bool, again)) == 1


def test_an_epoch_that_jumps_is_noticed_too() -> None:
    unrest = Unrest()
    unrest.noticed(1, 0.0)
    assert unrest.noticed(700, 1.0) == "the epoch went up 699 times within 1.0 s, to 700"


def test_a_node_says_what_it_sees_of_the_cause() -> None:
    lab = Lab()
    for command in ("nodes 3", "lead 1", "cut 2 3"):
        for _ in lab.run(command):
            pass
    seen = {number: engine.why_no_leader_lasts() for number, engine in lab.engines.items()}
    assert seen == {
        1: "last because it stood for election itself: it knows no leader; "
        "it has links to all voters",
        2: "last because node 1 stood for election; it has no link to voter 3",
        3: "last because node 1 stood for election; it has no link to voter 2",
    }
