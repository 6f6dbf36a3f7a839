"""How a poll gets its records: positions, requests, responses, and the waiting in between.

Work of several exchanges with brokers runs in background tasks that keep their result: a poll that
times out must not lose it.
"""

from __future__ import annotations

import logging
from math import inf

import trio

from raftka.client.cluster import Cluster
from raftka.client.consumer.commits import AutoCommit
from raftka.client.consumer.fetcher import LANE, Fetcher
from raftka.client.consumer.member import GroupMember
from raftka.client.consumer.positions import Positions
from raftka.client.consumer.state import Assignment, ConsumerRecord
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import SHORTEST_WAIT_S, Alarm, BrokenConnection

log = logging.getLogger("raftka.consumer")


class Reading:
    """The poll loop of one consumer."""

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
        self._joining: trio.CancelScope | None = None
        """A context for a poll that waits for its group."""

    @property
    def news(self) -> Alarm:
        """Wakes a waiting poll."""
        return self._fetcher.news

    def start(self, nursery: trio.Nursery) -> None:
        """Set the nursery for background tasks."""
        self._tasks = nursery

    def layout_changed(self) -> None:
        """The view of the cluster changed: wake a waiting poll."""
        if self._joining is not None and self._cluster.view.refused_topics:
            self._joining.cancel()
        self.news.ring()

    async def next_records(
        self, limit: int, membership: GroupMember | None, timeout_s: float
    ) -> list[ConsumerRecord]:
        """Up to `limit` records, awaiting the first; none after the timeout. Raises KafkaError."""
        now = self._clock.monotonic()
        end = now + timeout_s
        has_waited = False
        while True:
            self._raise_refusals()
            if membership is not None and not membership.ready():
                with (
                    trio.CancelScope() as self._joining,
                    self._clock.within(max(0.0, end - now)) as joining,
                ):
                    await membership.ensure_active()
                self._joining = None
                self._raise_refusals()
                if joining.cancelled_caught:
                    return []
                now = self._clock.monotonic()
            wake_at = min(end, self._find_positions(now))
            self._commits.maybe_send(now)
            self._raise_failures()
            records = self._fetcher.take(limit)
            self._send_fetches(now)
            is_over = end - now < SHORTEST_WAIT_S
            if records or is_over:
                if records and not has_waited:
                    # Shielded: a cancellation must not lose records.
                    await trio.lowlevel.cancel_shielded_checkpoint()
                elif not has_waited:
                    await trio.lowlevel.checkpoint()
                return records
            await self._wait(min(wake_at, self._next_moment(now)), now)
            has_waited = True
            now = self._clock.monotonic()

    async def step(self) -> None:
        """Look up positions, and wait for news. Raises KafkaError."""
        now = self._clock.monotonic()
        wake_at = self._find_positions(now)
        self._raise_failures()
        await self._wait(min(wake_at, self._next_moment(now)), now)

    async def _wait(self, until: float, now: float) -> None:
        await self.news.wait(max(until, now + SHORTEST_WAIT_S))

    def _next_moment(self, now: float) -> float:
        """The time of the next work, even without responses."""
        first = self._commits.due_at
        for state in self._assignment.states:
            if now < state.retry_at < first:
                first = state.retry_at
        return first

    def _find_positions(self, now: float) -> float:
        """Start to look up missing positions; returns when to check again at the latest."""
        if self._finding or self._positions.complete:
            return inf
        if self._positions.retry_at <= now:
            self._finding = True
            self._tasks.start_soon(self._update_positions)
            return inf
        return self._positions.retry_at

    async def _update_positions(self) -> None:
        try:
            await self._positions.update()
        except KafkaError as error:
            self._found_out = error
        finally:
            self._finding = False
            self.news.ring()

    def _send_fetches(self, now: float) -> None:
        wanted: set[int] = set()
        self._fetcher.send(wanted, now)
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
            self.news.ring()

    def _raise_refusals(self) -> None:
        """Raise errors of topics that are not retriable: an invalid name, or no permission."""
        for code, names in self._cluster.view.refused_topics.items():
            listed = ", ".join(names)
            if code == ErrorCode.INVALID_TOPIC_EXCEPTION:
                raise KafkaError(code, f"Invalid topics: [{listed}]")
            raise KafkaError(code, f"Not authorized to access topics: [{listed}]")

    def _raise_failures(self) -> None:
        """Raise errors of background tasks, one at a time."""
        if self._found_out is not None:
            found_out, self._found_out = self._found_out, None
            raise found_out
        while self._fetcher.failures:
            _, error = self._fetcher.failures.popitem()
            raise error
