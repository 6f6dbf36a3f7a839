"""Composes the data plane of a broker: replicas, sessions, waiting requests, fetchers.

`DataPlane` owns their tasks; handlers access its components through the node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from raftka.broker.channels import Channels
from raftka.broker.quotas.rates import Windows
from raftka.broker.replication.alter_partition import AlterPartitionSender
from raftka.broker.replication.deadlines import Deadlines
from raftka.broker.replication.fetch_reader import FetchReader
from raftka.broker.replication.fetch_session import SessionCache
from raftka.broker.replication.fetcher_config import FetcherConfig
from raftka.broker.replication.log_mover import LogMover
from raftka.broker.replication.replica_fetchers import ReplicaFetchers
from raftka.broker.replication.replica_manager import ReplicaManager
from raftka.broker.replication.replica_selector import rack_aware, selector_name
from raftka.broker.replication.silence import LOOK_EVERY_S
from raftka.broker.replication.throttle import UNLIMITED, ReplicationThrottles
from raftka.model.ids import Endpoint
from raftka.model.ports import Clock, Dice, Network
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.model.settings import Config
from raftka.net.answers import Turn
from raftka.storage.config import LogConfig

if TYPE_CHECKING:
    from raftka.storage.log_manager import LogManager


class DataPlane:
    """The data plane of one broker. `run` must be running."""

    def __init__(
        self,
        config: Config,
        logs: LogManager,
        channels: Channels,
        *,
        clock: Clock,
        dice: Dice,
        network: Network,
        turn: Turn,
        endpoint: Callable[[int], Endpoint | None],
        broker_epoch: Callable[[], int],
        log_defaults: Callable[[], LogConfig] | None = None,
        rules_off: RulesOff = ALL_HOLD,
        move_rate: Callable[[], int] | None = None,
    ) -> None:
        """`move_rate` is the current limit of moves between directories, in bytes per second."""
        node_id = config.int("node.id")
        self._clock = clock
        self._turn = turn
        self._lag_max_s = config.int("replica.lag.time.max.ms") / 1000
        self._silence_s = config.int("raftka.replica.silence.max.ms") / 1000
        self._checkpoint_s = config.int("replica.high.watermark.checkpoint.interval.ms") / 1000
        self.replicas = ReplicaManager(
            node_id,
            logs,
            clock,
            turn,
            lag_max_s=self._lag_max_s,
            silence_s=self._silence_s,
            broker_epoch=broker_epoch,
            log_defaults=log_defaults or (lambda: logs.defaults),
            rules_off=rules_off,
        )
        self.deadlines = Deadlines(clock)
        self.fetch_sessions = SessionCache(
            config.int("max.incremental.fetch.session.cache.slots"), dice
        )
        self.fetch_max_bytes = config.int("fetch.max.bytes")
        select = None
        if selector_name(config.optional_text("replica.selector.class")) is not None:
            select = rack_aware(lambda: self.replicas.index.image)
        self.throttles = ReplicationThrottles(node_id, _copy_windows(config))
        self.fetch_reader = FetchReader(
            self.replicas.index, self.replicas.isr, select, rules_off, self.throttles.leader
        )
        self.alter_partition = AlterPartitionSender(node_id, channels, clock, broker_epoch)
        self.fetchers = ReplicaFetchers(
            self.replicas,
            network,
            clock,
            turn,
            config=FetcherConfig(
                wait_max_ms=config.int("replica.fetch.wait.max.ms"),
                min_bytes=config.int("replica.fetch.min.bytes"),
                partition_max_bytes=config.int("replica.fetch.max.bytes"),
                response_max_bytes=config.int("replica.fetch.response.max.bytes"),
                backoff_max_s=config.int("replica.fetch.backoff.ms") / 1000,
                socket_timeout_s=config.int("replica.socket.timeout.ms") / 1000,
                throttle=self.throttles.follower,
            ),
            endpoint=endpoint,
            broker_epoch=broker_epoch,
        )
        rate = move_rate or (lambda: UNLIMITED)
        self.mover = LogMover(self.replicas, clock, _move_windows(config), rate)
        self.replicas.isr.proposals = self.alter_partition
        self.replicas.fetching = self.fetchers

    async def run(self) -> None:
        """Run all background tasks until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.deadlines.run, self._in_turn)
            nursery.start_soon(self.alter_partition.run)
            nursery.start_soon(self.fetchers.run)
            nursery.start_soon(self.mover.run)
            nursery.start_soon(self._shrink_isrs)
            if self._silence_s > 0:
                nursery.start_soon(self._drop_silent)
            nursery.start_soon(self._checkpoint)

    def _in_turn(self, work: Callable[[], None]) -> None:
        self._turn.begin()
        try:
            work()
        finally:
            self._turn.end()

    async def _shrink_isrs(self) -> None:
        while True:
            await self._clock.sleep(self._lag_max_s / 2)
            self._in_turn(lambda: self.replicas.isr.shrink_isrs(self._clock.monotonic()))

    async def _drop_silent(self) -> None:
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            self._in_turn(lambda: self.replicas.isr.drop_silent(self._clock.monotonic()))

    async def _checkpoint(self) -> None:
        while True:
            await self._clock.sleep(self._checkpoint_s)
            await self.replicas.checkpoint_high_watermarks()


def _copy_windows(config: Config) -> Windows:
    """The windows over which rates of throttled replication are measured."""
    return Windows(
        config.int("replication.quota.window.num"),
        config.int("replication.quota.window.size.seconds") * 1000,
    )


def _move_windows(config: Config) -> Windows:
    """The windows over which the rate of moves between log directories is measured."""
    return Windows(
        config.int("alter.log.dirs.replication.quota.window.num"),
        config.int("alter.log.dirs.replication.quota.window.size.seconds") * 1000,
    )
