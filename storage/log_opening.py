"""Opens a broker's logs with their common settings and dependencies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from raftka.model.ids import TopicPartition, Uuid
from raftka.model.ports import Clock, Dice, Disk
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.storage import clean_shutdown
from raftka.storage.config import LogConfig
from raftka.storage.health import LogOwner
from raftka.storage.log import Log
from raftka.storage.log_directory import RECOVERY_POINTS, LogDirectory
from raftka.storage.partition_metadata import read_topic_id, write_topic_id
from raftka.storage.recovery import RecoveryReport, open_log

_OPENED_AT_ONCE: Final = 32
"""Logs per piece of offloaded work: other tasks run in between."""


class LogOpener:
    """Opens and creates logs in a broker's directories."""

    def __init__(
        self,
        disk: Disk,
        clock: Clock,
        dice: Dice,
        owner: LogOwner,
        rules_off: RulesOff = ALL_HOLD,
        verifies: Callable[[], bool] = lambda: True,
    ) -> None:
        self._disk = disk
        self._clock = clock
        self._dice = dice
        self._owner = owner
        self._rules_off = rules_off
        self._verifies = verifies

    def load(
        self, home: LogDirectory, topic_partition: TopicPartition, config: LogConfig
    ) -> tuple[Log, RecoveryReport]:
        """The previous process's log, recovered unless it was closed."""
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
            cleaned_to=home.cleaned_to.get(topic_partition, 0),
            rules_off=self._rules_off,
            verifies=self._verifies,
            dice=self._dice,
            owner=self._owner,
        )

    async def load_directory(
        self, home: LogDirectory, taken: Mapping[TopicPartition, str], config: LogConfig
    ) -> tuple[list[Log], list[str]]:
        """Open the logs in a directory in worker threads; return them, and messages.

        `taken` maps partitions to the directories that already have them. From here on a crash
        requires a recovery.
        """
        self._disk.make_dirs(home.path)
        said = home.read_checkpoints()
        partitions = home.partitions()
        said += [
            f"{each} is both in {taken[each]} and in {home.path}; the second is not used"
            for each in partitions
            if each in taken
        ]
        mine = [each for each in partitions if each not in taken]
        logs: list[Log] = []
        for start in range(0, len(mine), _OPENED_AT_ONCE):
            some = mine[start : start + _OPENED_AT_ONCE]
            for log, report in await self._disk.offload(
                partial(self._load_some, home, some, config)
            ):
                logs.append(log)
                said += report.messages
        known = home.recovery_points
        if any(log.recovery_point < known.get(log.topic_partition, 0) for log in logs):
            # Recovery ended a log before its previously durable end. Records written there from now
            # on are not durable, but the old checkpoint would keep the next recovery from scanning
            # them.
            points = {log.topic_partition: log.recovery_point for log in logs}
            await self._disk.offload(partial(home.write_checkpoints, {RECOVERY_POINTS: points}))
        clean_shutdown.remove(self._disk, home.path)
        if mine and not home.was_clean:
            said.append(f"{home.path} was not closed cleanly: {len(mine)} logs recovered")
        return logs, said

    def _load_some(
        self, home: LogDirectory, some: Sequence[TopicPartition], config: LogConfig
    ) -> list[tuple[Log, RecoveryReport]]:
        return [self.load(home, topic_partition, config) for topic_partition in some]

    def make(
        self, home: LogDirectory, topic_partition: TopicPartition, topic_id: Uuid, config: LogConfig
    ) -> Log:
        """Create a log."""
        directory = home.log_path(topic_partition)
        return self.make_at(directory, topic_partition, topic_id, config)

    def make_at(
        self, directory: str, topic_partition: TopicPartition, topic_id: Uuid, config: LogConfig
    ) -> Log:
        """Create a log under a name that is not the partition's."""
        log = self.open_at(directory, topic_partition, topic_id, config)
        write_topic_id(self._disk, directory, topic_id)
        return log

    def open_at(
        self,
        directory: str,
        topic_partition: TopicPartition,
        topic_id: Uuid,
        config: LogConfig,
        *,
        durable_to: int | None = None,
        log_start_offset: int = 0,
    ) -> Log:
        """The log in that directory; recovered, unless it was closed with `durable_to` on disk."""
        log, _ = open_log(
            self._disk,
            directory,
            topic_partition,
            topic_id,
            config,
            now_ms=self._clock.wall_ms(),
            clean=durable_to is not None,
            recovery_point=durable_to or 0,
            log_start_offset=log_start_offset,
            rules_off=self._rules_off,
            verifies=self._verifies,
            dice=self._dice,
            owner=self._owner,
        )
        return log
