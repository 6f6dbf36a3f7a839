"""Repeated lines are counted instead of logged again."""

from __future__ import annotations

from raftka.kraft.raft.repeats import Repeats


def test_an_epoch_that_goes_up_hundreds_of_times_says_why_a_few_times() -> None:
    repeats = Repeats()
    lines = [
        said
        for epoch in range(715)
        if (said := repeats.said(f"stands for election in epoch {epoch}: its link broke", epoch))
    ]
    assert lines[4] == "stands for election in epoch 4: its link broke"
    assert lines[5] == "stands for election in epoch 7: its link broke (the 8th time in 7 s)"
    assert lines[-1].endswith("epoch 511: its link broke (the 512th time in 511 s)")
    assert len(lines) == 12


def test_another_reason_and_a_quiet_minute_begin_again() -> None:
    repeats = Repeats()
    for _ in range(6):
        repeats.said("one", 0.0)
    assert repeats.said("one", 1.0) is None
    assert repeats.said("two", 1.0) == "two"
    assert repeats.said("one", 100.0) == "one"
