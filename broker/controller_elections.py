"""One line in the log for each election: the partition, who led, who leads, since when, and why.

A failover can elect thousands of leaders in one batch; the lines are written behind it, a few at
a time, so that they delay nobody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

import structlog
import trio

from kraft.delta import ElectionOutcome
from kraft.records import NO_LEADER
from model.world import Clock

log = structlog.get_logger()

_LINES_A_TURN: Final = 50


class ElectionLog:
    """Elections that are still to be written down."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[ElectionOutcome] = deque()
        self._more = trio.Event()

    def note(self, elections: Iterable[ElectionOutcome]) -> None:
        """Have these written soon."""
        self._waiting.extend(elections)
        if self._waiting:
            self._more.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._more.wait()
            self._more = trio.Event()
            while self._waiting:
                for _ in range(min(_LINES_A_TURN, len(self._waiting))):
                    _write(self._waiting.popleft())
                await self._clock.sleep(0)


def _write(outcome: ElectionOutcome) -> None:
    name = f"{outcome.topic}-{outcome.partition}"
    if outcome.new_leader == NO_LEADER:
        write, what = log.warning, f"{name} has no leader"
    else:
        write, what = log.info, f"{name}: broker {outcome.new_leader} is elected leader"
    write(
        what,
        topic=outcome.topic,
        partition=outcome.partition,
        old_leader=outcome.old_leader,
        new_leader=outcome.new_leader,
        leader_epoch=outcome.leader_epoch,
        isr_before=list(outcome.old_isr),
        isr=list(outcome.new_isr),
        reason=outcome.reason,
    )
