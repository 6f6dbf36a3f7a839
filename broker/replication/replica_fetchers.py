"""Follower fetching: assigns partitions to fetchers, one fetcher per leader broker.

The fetcher modules are imported with the first partition to copy: a single node never needs them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from raftka.broker.replication.fetcher_config import FetcherConfig
from raftka.broker.replication.replica import Replica
from raftka.broker.replication.replica_manager import ReplicaManager
from raftka.model.ids import Endpoint, TopicPartition
from raftka.model.ports import Clock, Network
from raftka.net.answers import Turn

if TYPE_CHECKING:
    from raftka.broker.replication.leader_fetcher import LeaderFetcher


class ReplicaFetchers:
    """All fetchers of one broker. `run` must be running."""

    def __init__(
        self,
        replicas: ReplicaManager,
        network: Network,
        clock: Clock,
        turn: Turn,
        *,
        config: FetcherConfig,
        endpoint: Callable[[int], Endpoint | None],
        broker_epoch: Callable[[], int],
    ) -> None:
        self._replicas = replicas
        self._network = network
        self._clock = clock
        self._turn = turn
        self._config = config
        self._endpoint = endpoint
        """The endpoint of a broker for other brokers; None while it is not registered."""
        self._broker_epoch = broker_epoch
        self.on_contact: Callable[[int, bool], None] = lambda leader_id, reached: None
        """Called when a leader answers, and when its connection breaks."""
        self._fetchers: dict[int, LeaderFetcher] = {}
        self._following: dict[TopicPartition, LeaderFetcher] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Run one task per leader, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for fetcher in self._fetchers.values():
                nursery.start_soon(fetcher.run)
            await trio.sleep_forever()

    def follow(self, replica: Replica) -> None:
        """Copy it from the leader of its current view, or wait if that has none."""
        self.leave(replica.topic_partition)
        leader_id = replica.state.view.leader
        if leader_id < 0:
            return
        from raftka.broker.replication.following import Following

        fetcher = self._fetchers.get(leader_id) or self._new_fetcher(leader_id)
        self._following[replica.topic_partition] = fetcher
        fetcher.add(Following(replica, self._replicas.rules_off, self._config.backoff_max_s))

    def leave(self, topic_partition: TopicPartition) -> None:
        """Stop copying it."""
        fetcher = self._following.pop(topic_partition, None)
        if fetcher is not None:
            fetcher.remove(topic_partition)

    def log_start_moved(self, topic_partition: TopicPartition) -> None:
        """Records at the start of a log were deleted; the next fetch reports that to its leader."""
        fetcher = self._following.get(topic_partition)
        if fetcher is not None:
            fetcher.log_start_moved(topic_partition)

    def _new_fetcher(self, leader_id: int) -> LeaderFetcher:
        from raftka.broker.replication.leader_fetcher import LeaderFetcher

        fetcher = self._fetchers[leader_id] = LeaderFetcher(
            leader_id,
            self._replicas.node_id,
            network=self._network,
            clock=self._clock,
            turn=self._turn,
            config=self._config,
            endpoint=self._endpoint,
            broker_epoch=self._broker_epoch,
            contact=lambda reached: self.on_contact(leader_id, reached),
        )
        if self._nursery is not None:
            self._nursery.start_soon(fetcher.run)
        return fetcher

    def brokers_changed(self) -> None:
        """Brokers have registered, perhaps with other endpoints."""
        for fetcher in self._fetchers.values():
            fetcher.wake()

    @property
    def max_lag(self) -> int:
        """The lag of the most lagging partition, in records, as far as known."""
        return max((fetcher.max_lag for fetcher in self._fetchers.values()), default=0)
