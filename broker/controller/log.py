"""What the active controller logs about brokers and elections.

One line for each election: the partition, its old and its new leader, since when, and why. A
failover can elect thousands of leaders in one batch: beyond the first hundred of a batch, which
are written after it, a few at a time, only their number is logged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

import trio

from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import BrokerImage
from raftka.kraft.records import NO_LEADER
from raftka.kraft.sections.topics import ElectionOutcome
from raftka.model.logs import get_logger
from raftka.model.ports import Clock

log = get_logger(__name__)

_LINES_A_TURN: Final = 50
_LINES_A_BATCH: Final = 100
"""`raftka elections` lists all of them, from the metadata log."""


class _Rest(NamedTuple):
    """The outcomes of a batch beyond those that have a line each."""

    size: int
    is_bad: bool
    """Without a leader, or elected uncleanly."""


class ElectionLog:
    """Elections that are not logged yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[ElectionOutcome | _Rest] = deque()
        self._more = trio.Event()
        self.count = 0
        """The number of partitions that got another leader."""
        self.unclean_count = 0
        """The number of unclean elections among them."""

    def note(self, elections: Iterable[ElectionOutcome]) -> None:
        """Have these written soon."""
        lines = {False: 0, True: 0}
        for outcome in elections:
            if outcome.new_leader not in (NO_LEADER, outcome.old_leader):
                self.count += 1
                self.unclean_count += outcome.is_unclean
            is_bad = outcome.new_leader == NO_LEADER or outcome.is_unclean
            lines[is_bad] += 1
            if lines[is_bad] <= _LINES_A_BATCH:
                self._waiting.append(outcome)
        for is_bad, count in lines.items():
            if count > _LINES_A_BATCH:
                self._waiting.append(_Rest(count - _LINES_A_BATCH, is_bad))
        if self._waiting:
            self._more.set()

    async def run(self) -> None:
        """Write the lines until cancelled."""
        while True:
            await self._more.wait()
            self._more = trio.Event()
            while self._waiting:
                for _ in range(min(_LINES_A_TURN, len(self._waiting))):
                    _write(self._waiting.popleft())
                await self._clock.sleep(0)


def _write(outcome: ElectionOutcome | _Rest) -> None:
    if isinstance(outcome, _Rest):
        write = log.warning if outcome.is_bad else log.info
        what = "have no leader or one that was elected uncleanly" if outcome.is_bad else "changed"
        write(
            f"{outcome.size} more partitions of the same batch {what}: raftka elections lists them"
        )
        return
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


def log_brokers(delta: MetadataDelta) -> None:
    """Log a line for each broker that registered, changed or went away."""
    for broker_id in delta.brokers.changed:
        after = delta.image.brokers.get(broker_id)
        words = _what_happened(delta.base.brokers.get(broker_id), after)
        if words:
            epoch = None if after is None else after.epoch
            log.info(f"broker {broker_id} {words}", broker_epoch=epoch)


def _what_happened(before: BrokerImage | None, after: BrokerImage | None) -> str:
    """A broker's change in words; empty if there is nothing to log."""
    if after is None:
        return "was unregistered"
    if before is None or before.epoch != after.epoch:
        listeners = ", ".join(f"{e.name} {e.host}:{e.port}" for e in after.endpoints)
        return f"registered with {listeners}"
    if before.fenced != after.fenced:
        return "is fenced" if after.fenced else "is unfenced: it may lead and be in sync"
    if after.in_controlled_shutdown and not before.in_controlled_shutdown:
        return "is shutting down: its leadership moves away"
    return ""
