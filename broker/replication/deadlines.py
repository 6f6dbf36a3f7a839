"""The deadlines of waiting requests, and the one task that expires them.

A wait usually ends early: by a new high watermark, new records, or a change of leaders. So removing
a deadline must be as cheap as adding it: deadlines are kept in buckets of a few milliseconds, each
request is an entry of one bucket, and only the first non-empty bucket wakes the task.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from raftka.model.ports import Clock

_BUCKETS_PER_S: Final = 200


class Waiting(Protocol):
    """A request with a deadline."""

    def expire(self) -> None:
        """The deadline has passed. Never called after `Deadlines.remove`."""
        ...


class Deadlines:
    """All deadlines of a node's waiting requests; `run` must be running."""

    def __init__(self, clock: Clock) -> None:
        self._alarm = clock.alarm()
        self._waiting_for = math.inf
        """The bucket for which the alarm is set."""
        self._buckets: dict[int, dict[Waiting, None]] = {}
        self._order: list[int] = []

    def add(self, waiting: Waiting, deadline_s: float) -> int:
        """Expire it at `deadline_s` (monotonic), or later by at most the width of a bucket.

        Pass the returned number to `remove`.
        """
        bucket = int(deadline_s * _BUCKETS_PER_S) + 1
        members = self._buckets.get(bucket)
        if members is None:
            self._buckets[bucket] = {waiting: None}
            heapq.heappush(self._order, bucket)
            if bucket < self._waiting_for:
                self._alarm.ring()
        else:
            members[waiting] = None
        return bucket

    def remove(self, waiting: Waiting, bucket: int) -> None:
        """Remove the deadline: the request no longer waits."""
        members = self._buckets.get(bucket)
        if members is not None:
            members.pop(waiting, None)

    def expire_through(self, bucket: int) -> None:
        """Expire all waiters in this bucket and those before it."""
        while self._order and self._order[0] <= bucket:
            members = self._buckets[self._order[0]]
            while members:
                # One at a time: expiring one waiter may remove another from this bucket.
                waiting = next(iter(members))
                del members[waiting]
                waiting.expire()
            del self._buckets[heapq.heappop(self._order)]

    def next_bucket(self) -> int | None:
        """The first bucket with a waiter; drops the empty ones before it."""
        while self._order and not self._buckets[self._order[0]]:
            del self._buckets[heapq.heappop(self._order)]
        return self._order[0] if self._order else None

    async def run(self, around: Callable[[Callable[[], None]], None]) -> None:
        """Expire what is due until cancelled; `around` wraps each round as one scheduler turn."""
        while True:
            bucket = self.next_bucket()
            self._waiting_for = math.inf if bucket is None else bucket
            is_time = await self._alarm.wait(self._waiting_for / _BUCKETS_PER_S)
            if is_time and bucket is not None:
                # By bucket, not by the current time: rounding must not make it wait once more.
                around(partial(self.expire_through, bucket))
