"""The clock of a simulation, and one that can stop its run and perform actions in between."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf
from typing import NamedTuple

import trio
import trio.abc

_STALLED_MAX = 1000


class VirtualClock(trio.abc.Clock):
    """Jumps to the next deadline, or the next event, as soon as every task waits. Events are timed
    calls between the steps of tasks: a network delivery needs no task of its own, which would
    otherwise cost most of a simulation's time.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.stalled = 0
        """The number of turns since time last advanced."""
        self.is_held = False
        """Whether the run is stopped (`Running`)."""
        self.gave_up = ""
        """Why the run was ended."""
        self.scope = trio.CancelScope()
        """The scope of everything that runs; cancelled when no event is left."""
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Call `action` at `moment`, but not before the present step ends."""
        self._sequence += 1
        heapq.heappush(self._events, (moment, self._sequence, action))

    def start_clock(self) -> None:
        """Virtual time starts at 0."""

    def current_time(self) -> float:
        return self.now

    def give_up(self, why: str) -> None:
        """End the run, which cannot continue."""
        if not self.gave_up:
            self.gave_up = why
            self.scope.cancel()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Not used: `advance` is. Nothing waits for real time."""
        return 0.0

    def advance(self, deadline: float) -> None:
        """No task can run: advance to the next event, at most to `deadline`."""
        moment, events = deadline, self._events
        if events and events[0][0] < moment:
            moment = events[0][0]
        if moment == inf:
            # Only trio's own wakeups are left, as at its end; many such turns mean a deadlock.
            self.stalled += 1
            if self.stalled > _STALLED_MAX:
                self.give_up("nothing would ever happen again: every task waits for another")
            return
        self.stalled = 0
        if moment > self.now:
            self.now = moment
        while events and events[0][0] <= self.now:
            heapq.heappop(events)[2]()


class Act(NamedTuple):
    """An action at a point in time."""

    at_s: float
    perform: Callable[[], None]
    """Perform it. Raises Impossible."""


class Impossible(Exception):
    """The action is impossible now; the message says why, and nothing was changed. `code` with
    `values` is the same message for translation (`refused.<code>` in web/src/words).
    """

    def __init__(self, words: str, code: str = "", **values: object) -> None:
        super().__init__(words)
        self.code = code
        self.values = values


class HeldClock(VirtualClock):
    """Stops at a moment, and performs actions between events.

    The run's own events at a time come before an act of that time. So an action leaves the earlier
    trace unchanged, whether or not the run stopped there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.acts: list[Act] = []
        """Future actions, in order."""
        self.until_s = 0.0
        """Stop before any later event."""
        self.acts_at_end = False
        """Whether acts at exactly that time are performed."""
        self.is_enough: Callable[[], bool] = lambda: False
        """Called when all events of a time are done: whether to stop there."""
        self.refused: tuple[Act, Impossible] | None = None
        """The impossible action at which the run stopped."""

    def advance(self, deadline: float) -> None:
        """As VirtualClock's, up to the time that was allowed."""
        events, moment = self._events, deadline
        if events and events[0][0] < moment:
            moment = events[0][0]
        act = self.acts[0] if self.acts else None
        if moment > self.now and self.is_enough():
            self._hold()
        elif act is not None and act.at_s < moment:
            if act.at_s > self.until_s or (act.at_s == self.until_s and not self.acts_at_end):
                self._hold()
                return
            self.is_held = False
            self.stalled = 0
            self.now = max(self.now, act.at_s)
            del self.acts[0]
            try:
                act.perform()
            except Impossible as error:
                self.refused = (act, error)
                self._hold()
        elif moment > self.until_s and moment != inf:
            self._hold()
        else:
            self.is_held = False
            super().advance(deadline)

    def _hold(self) -> None:
        self.is_held = True
        self.stalled = 1
