"""How one broker opens its logs: what every log of it has in common, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from model.ids import TopicPartition, Uuid
from model.world import Clock, Dice, Disk
from storage.config import LogConfig
from storage.log import Log
from storage.log_directory import LogDirectory
from storage.log_files import LogOwner
from storage.partition_metadata import read_topic_id, write_topic_id
from storage.recovery import RecoveryReport, open_log

_OPENED_AT_ONCE: Final = 32
"""Logs per piece of offloaded work: other tasks go on in between."""


class LogOpener:
    """Opens and makes logs in a broker's directories."""

    def __init__(
        self, disk: Disk, clock: Clock, dice: Dice, owner: LogOwner, remembered_batches: int
    ) -> None:
        self._disk = disk
        self._clock = clock
        self._dice = dice
        self._owner = owner
        self._remembered_batches = remembered_batches

    def load(
        self, home: LogDirectory, topic_partition: TopicPartition, config: LogConfig
    ) -> tuple[Log, RecoveryReport]:
        """The log that the last process left there, recovered unless it was closed."""
        directory = home.log_path(topic_partition)
        return open_log(
            self._disk,
            directory,
            topic_partition,
            read_topic_id(self._disk, directory),
            config,
            now_ms=self._clock.wall_ms(),
            clean=home.was_clean,
            recovery_point=home.recovery_points.get(topic_partition, 0),
            log_start_offset=home.log_starts.get(topic_partition, 0),
            remembered_batches=self._remembered_batches,
            dice=self._dice,
            owner=self._owner,
        )

    async def load_all(
        self, home: LogDirectory, partitions: Sequence[TopicPartition], config: LogConfig
    ) -> list[tuple[Log, RecoveryReport]]:
        """The logs of these partitions, in their order, opened beside the event loop."""

        def load_some(some: Sequence[TopicPartition]) -> list[tuple[Log, RecoveryReport]]:
            return [self.load(home, topic_partition, config) for topic_partition in some]

        opened: list[tuple[Log, RecoveryReport]] = []
        for start in range(0, len(partitions), _OPENED_AT_ONCE):
            some = partitions[start : start + _OPENED_AT_ONCE]
            opened += await self._disk.offload(partial(load_some, some))
        return opened

    def make(
        self, home: LogDirectory, topic_partition: TopicPartition, topic_id: Uuid, config: LogConfig
    ) -> Log:
        """A new log."""
        directory = home.log_path(topic_partition)
        log, _ = open_log(
            self._disk,
            directory,
            topic_partition,
            topic_id,
            config,
            now_ms=self._clock.wall_ms(),
            remembered_batches=self._remembered_batches,
            dice=self._dice,
            owner=self._owner,
        )
        write_topic_id(self._disk, directory, topic_id)
        return log
