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
    """Jumps to the next deadline, or the next event, as soon as every task waits.

    Events are calls at a moment, made between the steps of tasks: what a network delivers needs no
    task of its own, which is most of what a simulation would otherwise spend its time on.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.stalled = 0
        """Turns in which time did not advance."""
        self.is_held = False
        """Whether the run is stopped (`Running`)."""
        self.gave_up = ""
        """Why the run was ended."""
        self.scope = trio.CancelScope()
        """The scope of everything that runs; cancelled when no event is left."""
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Call `action` at `moment`, not before the present step ends."""
        self._sequence += 1
        heapq.heappush(self._events, (moment, self._sequence, action))

    def start_clock(self) -> None:
        """It starts at 0."""

    def current_time(self) -> float:
        return self.now

    def give_up(self, why: str) -> None:
        """The run cannot continue: end it."""
        if not self.gave_up:
            self.gave_up = why
            self.scope.cancel()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Not used: `advance` is. Nothing waits for real time."""
        return 0.0

    def advance(self, deadline: float) -> None:
        """No task can run: go on to the next event, at `deadline` at the latest."""
        moment, events = deadline, self._events
        if events and events[0][0] < moment:
            moment = events[0][0]
        if moment == inf:
            # Only trio's own wakeups are left, as at its end; many turns of that are a deadlock.
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
    """An action at a moment."""

    at_s: float
    perform: Callable[[], None]
    """Raises Impossible."""


class Impossible(Exception):
    """The action is impossible now; the message says why, and nothing was changed. `code` with
    `values` is the message for other languages (`refused.<code>` of the page's words).
    """

    def __init__(self, words: str, code: str = "", **values: object) -> None:
        super().__init__(words)
        self.code = code
        self.values = values


class HeldClock(VirtualClock):
    """Stops at a moment, and performs actions between events.

    Everything that the run itself does at a moment comes before an act of that moment. So an action
    leaves the earlier trace unchanged, whether the run stopped there or not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.acts: list[Act] = []
        """Future actions, in order."""
        self.until_s = 0.0
        """Stop before any later event."""
        self.acts_at_end = False
        """Whether acts of exactly that moment are performed."""
        self.is_enough: Callable[[], bool] = lambda: False
        """Called when a moment is complete: whether to stop there."""
        self.refused: tuple[Act, Impossible] | None = None
        """The action that turned out to be impossible, at which the run stopped."""

    def advance(self, deadline: float) -> None:
        """As VirtualClock's, up to what was allowed."""
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
