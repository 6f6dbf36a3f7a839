"""Named deadlines for state machines that are called with the time.

Every heartbeat postpones a session timeout, and it nearly never expires, so postponing must be
cheap: it only updates a dict. The heap keeps the old, earlier entry, and the real deadline is
looked up when that reaches the top.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable
from typing import NamedTuple

from raftka.model.dataclass import dataclass


class Moment(NamedTuple):
    """The time at which something happens, on both of a node's clocks."""

    monotonic_s: float
    """Seconds; decides what is due."""
    wall_ms: int
    """Milliseconds since 1970; goes into records."""


Action = Callable[[Moment], None]


@dataclass(slots=True)
class _Timer:
    deadline_s: float
    queued_s: float
    """The time of its entry in the heap: never later than the deadline."""
    serial: int
    action: Action


class Timers:
    """Actions by name and deadline (monotonic seconds). At most one per name."""

    def __init__(self) -> None:
        self._timers: dict[Hashable, _Timer] = {}
        self._heap: list[tuple[float, int, Hashable]] = []
        self._serial = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._timers

    def __len__(self) -> int:
        return len(self._timers)

    def schedule(self, key: Hashable, deadline_s: float, action: Action) -> None:
        """Set or replace the timer of that name."""
        timer = self._timers.get(key)
        if timer is not None and timer.queued_s <= deadline_s:
            timer.deadline_s = deadline_s
            timer.action = action
            return
        self._serial += 1
        self._timers[key] = _Timer(deadline_s, deadline_s, self._serial, action)
        heapq.heappush(self._heap, (deadline_s, self._serial, key))
        self._drop_garbage()

    def cancel(self, key: Hashable) -> None:
        """Cancel the timer of that name, if there is one."""
        self._timers.pop(key, None)

    def next_deadline_s(self) -> float | None:
        """When `due` next has something to do; None without timers."""
        self._settle_top()
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now_s: float) -> Action | None:
        """Return the earliest action that is due; those with the same deadline in their order.

        An action may schedule and cancel others, so take one, run it, and call this again.
        """
        self._settle_top()
        if not self._heap or self._heap[0][0] > now_s:
            return None
        _, _, key = heapq.heappop(self._heap)
        return self._timers.pop(key).action

    def _settle_top(self) -> None:
        """Make the top of the heap the entry of a live timer, at its current deadline."""
        heap = self._heap
        while heap:
            queued_s, serial, key = heap[0]
            timer = self._timers.get(key)
            if timer is None or timer.serial != serial:
                heapq.heappop(heap)
            elif timer.deadline_s > queued_s:
                timer.queued_s = timer.deadline_s
                heapq.heapreplace(heap, (timer.deadline_s, serial, key))
            else:
                return

    def _drop_garbage(self) -> None:
        """Limit the heap to twice the number of timers: cancelled entries stay in it."""
        if len(self._heap) > 2 * len(self._timers) + 64:
            self._heap = [
                (timer.queued_s, timer.serial, key) for key, timer in self._timers.items()
            ]
            heapq.heapify(self._heap)
