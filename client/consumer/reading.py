"""How a poll gets its records: positions, requests, answers, and the waiting between them.

What takes several exchanges with brokers runs in tasks of its own and only leaves its result: a
poll that is cut short by its timeout must not undo the work for the next one.
"""

from __future__ import annotations

import logging

import trio

from client.cluster import Cluster
from client.consumer.commits import AutoCommit
from client.consumer.fetcher import LANE, Fetcher
from client.consumer.membership import Membership
from client.consumer.positions import Positions
from client.consumer.state import Assignment, ConsumerRecord
from client.futures import Signal
from model.errors import KafkaError
from model.world import BrokenConnection

log = logging.getLogger("raftka.consumer")


class Reading:
    """The engine of one consumer."""

    def __init__(
        self,
        cluster: Cluster,
        assignment: Assignment,
        fetcher: Fetcher,
        positions: Positions,
        commits: AutoCommit,
    ) -> None:
        self._cluster = cluster
        self._clock = cluster.clock
        self._assignment = assignment
        self._fetcher = fetcher
        self._positions = positions
        self._commits = commits
        self._connecting: set[int] = set()
        self._finding = False
        self._found_out: KafkaError | None = None

    @property
    def news(self) -> Signal:
        """Wakes a poll that waits."""
        return self._fetcher.news

    def start(self, nursery: trio.Nursery) -> None:
        """Where tasks run from now on."""
        self._tasks = nursery

    async def next_records(self, limit: int, membership: Membership | None) -> list[ConsumerRecord]:
        """Up to `limit` records, waiting for the first. Raises KafkaError; may be cancelled."""
        while True:
            if membership is not None:
                await membership.ensure_active()
            self._find_positions()
            self._commits.maybe_send(self._clock.monotonic())
            self._raise_failures()
            records = self._fetcher.take(limit)
            self._send_fetches()
            if records:
                # Not to be lost to a timeout that is over by now.
                await trio.lowlevel.cancel_shielded_checkpoint()
                return records
            await self.news.wait(self._pause())

    async def step(self) -> None:
        """Look for positions, and wait until something is new. Raises KafkaError."""
        self._find_positions()
        self._raise_failures()
        await self.news.wait(self._pause())

    def _pause(self) -> float | None:
        """How long there is nothing to do but wait for answers."""
        now = self._clock.monotonic()
        moments = [self._commits.due_at]
        moments += [state.retry_at for state in self._assignment.states if state.retry_at > now]
        if not self._finding and not self._positions.complete:
            moments.append(self._positions.retry_at)
        first = min(moments)
        return None if first == float("inf") else max(0.0, first - now)

    def _find_positions(self) -> None:
        if self._finding or self._positions.complete:
            return
        if self._positions.retry_at <= self._clock.monotonic():
            self._finding = True
            self._tasks.start_soon(self._update_positions)

    async def _update_positions(self) -> None:
        try:
            await self._positions.update()
        except KafkaError as error:
            self._found_out = error
        finally:
            self._finding = False
            self.news.set()

    def _send_fetches(self) -> None:
        wanted: set[int] = set()
        self._fetcher.send(wanted)
        for node in sorted(wanted - self._connecting):
            self._connecting.add(node)
            self._tasks.start_soon(self._connect, node)

    async def _connect(self, node: int) -> None:
        self._fetcher.forget(node)
        try:
            await self._cluster.channel_to(node, LANE)
        except BrokenConnection as error:
            log.info("broker %d cannot be reached: %s", node, error)
        finally:
            self._connecting.discard(node)
            self.news.set()

    def _raise_failures(self) -> None:
        """What went wrong in the background, one at a time."""
        if self._found_out is not None:
            found_out, self._found_out = self._found_out, None
            raise found_out
        while self._fetcher.failures:
            _, error = self._fetcher.failures.popitem()
            raise error
