"""The rules for a broker that does not answer.

A stopped process and a host without power leave their connections open, and a request would wait
for request.timeout.ms. The rules here end that wait as soon as the rest of the cluster knows
better, and not before:

- A connection is silent when no byte came for raftka.broker.silence.max.ms although the answer to
  its oldest request is due (net/channel.py watches each one).
- While a connection is silent, the client asks other brokers for the layout, and for successors of
  the silent broker as coordinator.
- The connection is closed once they name another leader or coordinator in place of the silent
  broker, report it as offline, or list it no longer. Its requests fail then as those of any broken
  connection, and are sent again to the new leader: an idempotent producer's batches under their id,
  epoch and sequence (KIP-98), in order. An answer that comes later is dropped.

A broker that is only slow keeps its connections: no other broker has replaced it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

import trio

from raftka.client.metadata import Broker, ClusterView
from raftka.model.errors import KafkaError
from raftka.model.ids import Endpoint
from raftka.model.ports import AuthenticationFailed, BrokenConnection, Clock

R = TypeVar("R")


class Losses:
    """When the cluster last replaced each broker as a leader or coordinator, or took it offline, by
    successive layouts. Pure. Times are seconds of the monotonic clock.
    """

    def __init__(self) -> None:
        self._at: dict[Endpoint, float] = {}

    def learn(self, before: ClusterView, after: ClusterView, now: float) -> None:
        """Compare a layout with the one before it."""
        for broker in _losers(before, after):
            self._at[broker.endpoint] = now

    def lost(self, endpoint: Endpoint, now: float) -> None:
        """A broker no longer coordinates a key."""
        self._at[endpoint] = now

    def has_lost(self, endpoint: Endpoint, since: float) -> bool:
        """Whether a broker was replaced since that time."""
        return self._at.get(endpoint, -1.0) >= since


def _losers(before: ClusterView, after: ClusterView) -> Iterator[Broker]:
    """Brokers that are listed no longer, are offline, or were replaced as a leader."""
    known = {**before.brokers, **after.brokers}
    for node_id, broker in before.brokers.items():
        if node_id not in after.brokers:
            yield broker
    offline: set[int] = set()
    for name, topic in after.topics.items():
        earlier = before.topics.get(name)
        for index, partition in topic.partitions.items():
            offline.update(partition.offline)
            was = None if earlier is None else earlier.partitions.get(index)
            if was is not None and 0 <= partition.leader != was.leader and was.leader in known:
                yield known[was.leader]
    for node_id in offline & known.keys():
        yield known[node_id]


async def first_answer(
    attempts: Iterable[Callable[[], Awaitable[R]]], clock: Clock, patience_s: float
) -> R:
    """The first answer that any of these attempts gives.

    The next one begins when one fails, and when none has answered for `patience_s`; slower ones are
    cancelled. When all fail, raises the first KafkaError or AuthenticationFailed, since a broker
    had a reason for it, or else the last BrokenConnection.
    """
    answers: list[R] = []
    failures: list[BrokenConnection | KafkaError] = []
    news = clock.alarm()

    async def run(attempt: Callable[[], Awaitable[R]]) -> None:
        try:
            answers.append(await attempt())
        except (BrokenConnection, KafkaError) as error:
            failures.append(error)
        news.ring()

    async with trio.open_nursery() as nursery:
        begun = 0
        for attempt in attempts:
            failed = len(failures)
            nursery.start_soon(run, attempt)
            begun += 1
            end = clock.monotonic() + patience_s
            while not answers and len(failures) == failed:
                if await news.wait(end):
                    break
            if answers:
                break
        while not answers and len(failures) < begun:
            await news.wait(float("inf"))
        nursery.cancel_scope.cancel()
    if answers:
        return answers[0]
    reasons = (each for each in failures if isinstance(each, KafkaError | AuthenticationFailed))
    raise next(reasons, failures[-1])
