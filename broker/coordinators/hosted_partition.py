"""A partition of __consumer_offsets from the election of this broker to its resignation."""

from __future__ import annotations

from collections.abc import Callable

import trio

from raftka.broker.coordinators.group.config import GroupConfig
from raftka.broker.coordinators.group.shard import GroupShard
from raftka.broker.coordinators.runtime import OffsetsLog, ShardRuntime
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import OFFSETS_TOPIC
from raftka.model.logs import get_logger
from raftka.model.ports import Clock

log = get_logger(__name__)

_RELOAD_AFTER_S = 0.2


class HostedPartition:
    """Loads a shard, runs it, and loads it again should it and its log have parted ways."""

    def __init__(
        self,
        partition: int,
        leader_epoch: int,
        *,
        make_shard: Callable[[], GroupShard],
        offsets_log: OffsetsLog,
        clock: Clock,
        config: GroupConfig,
    ) -> None:
        self.runtime: ShardRuntime | None = None
        """None while it is being loaded."""
        self._partition = partition
        self._name = f"{OFFSETS_TOPIC}-{partition}"
        self._leader_epoch = leader_epoch
        self._make_shard = make_shard
        self._log = offsets_log
        self._clock = clock
        self._config = config
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Until `stop`."""
        with self._scope:
            while True:
                try:
                    runtime = await self._load()
                    self.runtime = runtime
                    await runtime.run()
                except KafkaError as error:
                    log.warning(
                        f"{self._name} is not coordinated for now: {error}",
                        leader_epoch=self._leader_epoch,
                    )
                    self._drop(error)
                await self._clock.sleep(_RELOAD_AFTER_S)

    def stop(self) -> None:
        """This broker leads the partition no more: whoever waits looks for the new coordinator."""
        self._scope.cancel()
        if self.runtime is not None and self.runtime.shard.sizes()[0]:
            log.info(f"{self._name} is coordinated elsewhere after epoch {self._leader_epoch}")
        self._drop(KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER))

    def _drop(self, error: KafkaError) -> None:
        runtime, self.runtime = self.runtime, None
        if runtime is not None:
            runtime.abandon(error)

    async def _load(self) -> ShardRuntime:
        """Replay the log, and wait until all of it is committed."""
        began_s = self._clock.monotonic()
        shard = self._make_shard()
        end_offset = self._log.end_offset(self._partition)
        offset = 0
        while offset < end_offset:
            records, offset = self._log.read(self._partition, offset)
            for key, value in records:
                shard.replay(key, value)
            await trio.lowlevel.checkpoint()
        runtime = ShardRuntime(shard, self._partition, self._log, self._clock, self._config)
        await self._all_committed(end_offset)
        shard.loaded(runtime.now())
        groups, offsets = shard.sizes()
        # Most partitions are empty in most clusters: fifty lines would say nothing.
        tell = log.info if groups else log.debug
        tell(
            f"{self._name} is loaded up to offset {end_offset}",
            groups=groups,
            offsets=offsets,
            leader_epoch=self._leader_epoch,
            seconds=round(self._clock.monotonic() - began_s, 3),
        )
        return runtime

    async def _all_committed(self, end_offset: int) -> None:
        """Wait until what was read cannot be taken back by another leader."""
        event = trio.Event()
        outcome: list[KafkaError] = []

        def done(error: KafkaError | None) -> None:
            if error is not None:
                outcome.append(error)
            event.set()

        self._log.when_committed(self._partition, end_offset, done)
        await event.wait()
        if outcome:
            raise outcome[0]
