"""Timers against a plain list of deadlines."""

from __future__ import annotations

import random
from collections.abc import Callable

from raftka.broker.coordinators.timers import Moment, Timers


class Recorder:
    """Timers whose actions record their names."""

    def __init__(self) -> None:
        self.timers = Timers()
        self.fired: list[str] = []

    def schedule(self, name: str, deadline_s: float) -> None:
        self.timers.schedule(name, deadline_s, self._action(name))

    def _action(self, name: str) -> Callable[[Moment], None]:
        return lambda now: self.fired.append(name)

    def run(self, now_s: float) -> list[str]:
        self.fired.clear()
        while (action := self.timers.pop_due(now_s)) is not None:
            action(Moment(now_s, 0))
        return list(self.fired)


def test_fires_in_the_order_of_deadlines_and_of_setting() -> None:
    timers = Recorder()
    timers.schedule("late", 3.0)
    timers.schedule("first", 1.0)
    timers.schedule("second", 1.0)
    assert timers.timers.next_deadline_s() == 1.0
    assert timers.run(0.9) == []
    assert timers.run(1.0) == ["first", "second"]
    assert timers.run(5.0) == ["late"]
    assert timers.timers.next_deadline_s() is None


def test_a_timer_is_moved_both_ways_and_cancelled() -> None:
    timers = Recorder()
    timers.schedule("a", 1.0)
    timers.schedule("a", 5.0)
    assert timers.timers.next_deadline_s() == 5.0
    timers.schedule("a", 2.0)
    assert timers.timers.next_deadline_s() == 2.0
    timers.timers.cancel("a")
    assert timers.timers.next_deadline_s() is None
    timers.schedule("a", 7.0)
    assert timers.run(6.0) == []
    assert timers.run(7.0) == ["a"]


def test_an_action_may_set_its_own_timer_again() -> None:
    timers = Timers()
    times: list[float] = []

    def again(now: Moment) -> None:
        times.append(now.monotonic_s)
        if len(times) < 3:
            timers.schedule("again", now.monotonic_s, again)

    timers.schedule("again", 1.0, again)
    while (action := timers.pop_due(1.0)) is not None:
        action(Moment(1.0, 0))
    assert times == [1.0, 1.0, 1.0]


def test_agrees_with_a_plain_dictionary() -> None:
    dice = random.Random(7)
    timers = Recorder()
    expected: dict[str, float] = {}
    now_s = 0.0
    for _ in range(5000):
        name = str(dice.randrange(40))
        if dice.random() < 0.7:
            deadline_s = now_s + dice.randrange(100)
            timers.schedule(name, deadline_s)
            expected[name] = deadline_s
        elif dice.random() < 0.5:
            timers.timers.cancel(name)
            expected.pop(name, None)
        else:
            now_s += dice.randrange(4)
            due = {name for name, at in expected.items() if at <= now_s}
            fired = timers.run(now_s)
            assert sorted(fired) == sorted(due)
            assert [expected[name] for name in fired] == sorted(expected.pop(n) for n in fired)
        assert timers.timers.next_deadline_s() == min(expected.values(), default=None)
        assert len(timers.timers) == len(expected)
