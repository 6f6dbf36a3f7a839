"""A partition of a coordinator's topic from the election of this broker to its resignation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import trio

from raftka.broker.coordinators.outbox import Entry
from raftka.broker.coordinators.runtime import CoordinatorLog, ShardRuntime
from raftka.broker.coordinators.shard import CoordinatorTopic, Shard
from raftka.kraft.image import MetadataImage
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import get_logger
from raftka.model.ports import Clock

log = get_logger(__name__)

S = TypeVar("S", bound=Shard)

_RELOAD_AFTER_S = 0.2


class HostedPartition(Generic[S]):
    """Loads a shard, runs it, and reloads it if it and its log have diverged."""

    def __init__(
        self,
        partition: int,
        leader_epoch: int,
        *,
        topic: CoordinatorTopic,
        make_shard: Callable[[], S],
        perform: Callable[[ShardRuntime[S], object], None],
        image: Callable[[], MetadataImage],
        coordinator_log: CoordinatorLog,
        clock: Clock,
        was_loaded: Callable[[float], None],
    ) -> None:
        """`was_loaded` is called with the duration of each load, in seconds."""
        self.runtime: ShardRuntime[S] | None = None
        """None while the shard is loading."""
        self._partition = partition
        self._name = f"{topic.name}-{partition}"
        self._leader_epoch = leader_epoch
        self._topic = topic
        self._make_shard = make_shard
        self._perform = perform
        self._image = image
        self._log = coordinator_log
        self._clock = clock
        self._was_loaded = was_loaded
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Run until `stop`."""
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
        """This broker no longer leads the partition: clients must find the new coordinator."""
        self._scope.cancel()
        if self.runtime is not None and any(self.runtime.shard.sizes().values()):
            log.info(f"{self._name} is coordinated elsewhere after epoch {self._leader_epoch}")
        self._drop(KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER))

    def _drop(self, error: KafkaError) -> None:
        runtime, self.runtime = self.runtime, None
        if runtime is not None:
            runtime.abandon(error)

    async def _load(self) -> ShardRuntime[S]:
        """Replay the log into an empty shard, and wait until all of it is committed."""
        began_s = self._clock.monotonic()
        shard = self._make_shard()
        end_offset = self._log.end_offset(self._partition)
        offset = 0
        while offset < end_offset:
            entries, offset = self._log.read(self._partition, offset)
            for entry in entries:
                _replay(shard, entry)
            await trio.lowlevel.checkpoint()
        runtime = ShardRuntime(
            shard, self._partition, self._topic, self._log, self._clock, self._perform
        )
        await self._all_committed(end_offset)
        now = runtime.now()
        shard.metadata_changed(self._image(), None, now)
        shard.loaded(now)
        seconds = self._clock.monotonic() - began_s
        self._was_loaded(seconds)
        sizes = shard.sizes()
        # Most partitions are empty in most clusters: do not log fifty lines.
        write = log.info if any(sizes.values()) else log.debug
        write(
            f"{self._name} is loaded up to offset {end_offset}",
            **sizes,
            leader_epoch=self._leader_epoch,
            seconds=round(seconds, 3),
        )
        return runtime

    async def _all_committed(self, end_offset: int) -> None:
        """Wait until no other leader can truncate the records that were read."""
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


def _replay(shard: Shard, entry: Entry) -> None:
    if isinstance(entry, EndMarker):
        shard.replay_end_transaction_marker(entry.producer_id, entry.producer_epoch, entry.commit)
        return
    for key, value in entry.records:
        shard.replay(key, value, entry.producer)
