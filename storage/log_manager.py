"""All logs of one broker: opened, made, deleted, kept tidy, and closed.

Everything that can wait for a disk is async and runs through `Disk.offload`; what the hot paths
and metadata changes need (`get`, `create`, `delete`) is not. When a disk fails, its directory goes
offline with every log in it, and stays so until the process starts anew (KIP-112).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Final

from model.ids import NO_EPOCH, ZERO_UUID, TopicPartition, Uuid
from model.world import Clock, Dice, Disk
from storage import clean_shutdown, housekeeping
from storage.config import LogConfig
from storage.failure import LogDirFailure
from storage.log import Log
from storage.log_directory import (
    DELETED_SUFFIX,
    HIGH_WATERMARKS,
    LOG_STARTS,
    RECOVERY_POINTS,
    STRAY_SUFFIX,
    LogDirectory,
)
from storage.log_files import LogFiles
from storage.partition_metadata import read_topic_id, write_topic_id
from storage.producer_state import EXPIRATION_MS, REMEMBERED_BATCHES
from storage.recovery import RecoveryReport, open_log

__all__ = ["LogDirFailure", "LogManager"]

FailureListener = Callable[[str, str], None]
"""Told of a directory that went offline, and why."""

_OPENED_AT_ONCE: Final = 32
"""Logs per piece of offloaded work: other tasks go on in between."""


class LogManager:
    """The logs of one broker, by partition. `load` comes first and `close` last."""

    def __init__(
        self,
        disk: Disk,
        directories: Sequence[str],
        clock: Clock,
        dice: Dice,
        *,
        defaults: LogConfig | None = None,
        take_locks: bool = True,
        producer_expiration_ms: int = EXPIRATION_MS,
        remembered_batches: int = REMEMBERED_BATCHES,
    ) -> None:
        self.disk = disk
        self.defaults = LogConfig() if defaults is None else defaults
        """What topics have that say nothing else."""
        self.producer_expiration_ms = producer_expiration_ms
        self.failure_listeners: list[FailureListener] = []
        self._clock = clock
        self._dice = dice
        self._take_locks = take_locks
        self._remembered_batches = remembered_batches
        self._directories = {path: LogDirectory(disk, path) for path in directories}
        self._logs: dict[TopicPartition, Log] = {}
        self._homes: dict[TopicPartition, LogDirectory] = {}

    # ---- starting and stopping

    async def load(self) -> list[str]:
        """Open every log, recovering those that were not closed; sentences about what was found.

        A directory that cannot be read goes offline. Raises BadDirectory for one that another
        process has locked.
        """
        said: list[str] = []
        for home in self._directories.values():
            if self._take_locks:
                home.acquire()
            try:
                said += await self._load_directory(home)
            except OSError as error:
                self.fail(home.path, str(error))
                said.append(f"log directory {home.path} is offline: {error}")
        return said

    async def _load_directory(self, home: LogDirectory) -> list[str]:
        self.disk.make_dirs(home.path)
        said = home.read_checkpoints()
        partitions = home.partitions()
        reports: list[RecoveryReport] = []
        waiting = iter(partitions)
        while some := list(islice(waiting, _OPENED_AT_ONCE)):
            reports += await self.disk.offload(partial(self._open_some, home, some, said))
        clean_shutdown.remove(self.disk, home.path)
        if partitions and not home.was_clean:
            scanned = sum(report.scanned_bytes for report in reports)
            said.append(
                f"{home.path} was not closed cleanly: {len(partitions)} logs recovered, "
                f"{scanned} bytes scanned"
            )
        return said + [words for report in reports for words in report.messages]

    def _open_some(
        self, home: LogDirectory, some: list[TopicPartition], said: list[str]
    ) -> list[RecoveryReport]:
        reports: list[RecoveryReport] = []
        for topic_partition in some:
            if topic_partition in self._logs:
                said.append(
                    f"{topic_partition} is both in {self._homes[topic_partition].path} and in "
                    f"{home.path}; the second is not used"
                )
            else:
                reports.append(self._open(home, topic_partition))
        return reports

    def _open(self, home: LogDirectory, topic_partition: TopicPartition) -> RecoveryReport:
        directory = home.log_path(topic_partition)
        log, report = open_log(
            self.disk,
            directory,
            topic_partition,
            read_topic_id(self.disk, directory),
            self.defaults,
            now_ms=self._clock.wall_ms(),
            clean=home.was_clean,
            recovery_point=home.recovery_points.get(topic_partition, 0),
            log_start_offset=home.log_starts.get(topic_partition, 0),
            remembered_batches=self._remembered_batches,
            dice=self._dice,
            owner=self,
        )
        self._logs[topic_partition] = log
        self._homes[topic_partition] = home
        return report

    async def close(self, broker_epoch: int = NO_EPOCH) -> None:
        """Make everything durable and say so, so that the next start need not scan.

        `broker_epoch` is what a later registration proves its clean shutdown with (KIP-966).
        """
        for home in self._directories.values():
            if home.failure is None:
                try:
                    await self.disk.offload(partial(self._close, home))
                    await self.checkpoint()
                    clean_shutdown.write(self.disk, home.path, broker_epoch)
                except OSError as error:
                    self.fail(home.path, str(error))
                except LogDirFailure:
                    pass  # the log has said so, and the directory is not marked as clean
            home.release()

    def _close(self, home: LogDirectory) -> None:
        for topic_partition, log in self._logs.items():
            if self._homes[topic_partition] is home:
                if log.recovery_point < log.log_end_offset:
                    log.flush()
                log.close()

    # ---- looking up

    def get(self, topic_partition: TopicPartition) -> Log | None:
        """The log, None when there is none or its directory is offline."""
        return self._logs.get(topic_partition)

    def __iter__(self) -> Iterator[Log]:
        return iter(tuple(self._logs.values()))

    def __len__(self) -> int:
        return len(self._logs)

    def hosted(self) -> list[tuple[TopicPartition, Uuid]]:
        """Each partition that has a log here, with its topic's id where that is known."""
        return [
            (topic_partition, log.topic_id)
            for topic_partition, log in self._logs.items()
            if log.topic_id != ZERO_UUID
        ]

    def log_config(self, overrides: Mapping[str, str]) -> LogConfig:
        """The settings of a topic with these overrides."""
        return LogConfig.from_overrides(overrides, self.defaults)

    def directory_of(self, topic_partition: TopicPartition) -> str:
        """The log directory that a partition is in. Raises KeyError without one."""
        return self._homes[topic_partition].path

    @property
    def online(self) -> list[str]:
        """The directories that work."""
        return [home.path for home in self._directories.values() if home.failure is None]

    @property
    def offline(self) -> dict[str, str]:
        """The directories that do not, and why."""
        return {
            home.path: home.failure
            for home in self._directories.values()
            if home.failure is not None
        }

    # ---- making and deleting

    def create(
        self,
        topic_partition: TopicPartition,
        topic_id: Uuid,
        config: LogConfig,
        directory: str | None = None,
    ) -> Log:
        """The log of a partition: a new one in `directory`, or in the one with the fewest logs.

        One that exists takes on `config`. Raises LogDirFailure when no directory works.
        """
        existing = self._logs.get(topic_partition)
        if existing is not None:
            existing.config = config
            if existing.topic_id == ZERO_UUID:
                existing.topic_id = topic_id
                write_topic_id(self.disk, existing.directory, topic_id)
            return existing
        home = self._choose() if directory is None else self._directories[directory]
        if home.failure is not None:
            raise LogDirFailure(home.path, home.failure)
        try:
            path = home.log_path(topic_partition)
            log, _ = open_log(
                self.disk,
                path,
                topic_partition,
                topic_id,
                config,
                now_ms=self._clock.wall_ms(),
                remembered_batches=self._remembered_batches,
                dice=self._dice,
                owner=self,
            )
            write_topic_id(self.disk, path, topic_id)
        except OSError as error:
            self.fail(home.path, str(error))
            raise LogDirFailure(home.path, str(error)) from error
        self._logs[topic_partition] = log
        self._homes[topic_partition] = home
        return log

    def _choose(self) -> LogDirectory:
        counts = {home.path: 0 for home in self._directories.values() if home.failure is None}
        if not counts:
            raise LogDirFailure(", ".join(self._directories), "no log directory is left")
        if len(counts) > 1:
            for home in self._homes.values():
                if home.path in counts:
                    counts[home.path] += 1
        return self._directories[min(counts, key=counts.__getitem__)]

    def delete(self, topic_partition: TopicPartition) -> None:
        """Stop using a log and remove its files after file.delete.delay.ms.

        Its name is free at once. Raises KeyError when there is no such log.
        """
        log = self._logs[topic_partition]
        path = self._set_aside(topic_partition, DELETED_SUFFIX)
        due_ms = self._clock.wall_ms() + log.config.file_delete_delay_ms
        self._directories[path.rpartition("/")[0]].doomed.append((due_ms, path))

    def set_stray(self, topic_partition: TopicPartition) -> str:
        """Stop using a log and keep its files under a name ending in -stray; their path.

        For what the metadata does not know: a person decides. Raises KeyError without such a log.
        """
        return self._set_aside(topic_partition, STRAY_SUFFIX)

    def _set_aside(self, topic_partition: TopicPartition, suffix: str) -> str:
        log, home = self._logs.pop(topic_partition), self._homes.pop(topic_partition)
        log.let_go()
        try:
            return home.set_aside(topic_partition, suffix, self._dice)
        except OSError as error:
            self.fail(home.path, str(error))
            raise LogDirFailure(home.path, str(error)) from error

    # ---- from time to time

    async def housekeeping(
        self, now_ms: int, high_watermarks: Mapping[TopicPartition, int]
    ) -> list[str]:
        """Retention, files that were waiting to go, closed segments made durable.

        For every log.retention.check.interval.ms; sentences about what was done.
        """
        said = await housekeeping.tidy_logs(
            self, now_ms, high_watermarks, self.producer_expiration_ms
        )
        try:
            said += await housekeeping.remove_doomed(self.disk, self._directories.values(), now_ms)
        except OSError as error:
            said.append(f"files of deleted partitions could not be removed: {error}")
        return said

    async def flush_due(self, now_ms: int) -> int:
        """Flush the logs whose flush.ms is over, for every log.flush.scheduler.interval.ms."""
        return await housekeeping.flush_due(self, now_ms)

    # ---- failing

    def log_failed(self, directory: str, error: OSError) -> None:
        """A log could not read or write: its directory goes offline."""
        self.fail(directory, str(error))

    def recovery_point_lowered(self, log: LogFiles) -> None:
        """Write the recovery points down at once, before other records take these offsets."""
        home = self._homes.get(log.topic_partition)
        if home is not None:
            home.write_checkpoints({RECOVERY_POINTS: self._recovery_points(home)})

    def _recovery_points(self, home: LogDirectory) -> dict[TopicPartition, int]:
        return {tp: log.recovery_point for tp, log in self._logs.items() if self._homes[tp] is home}

    def fail(self, directory: str, reason: str) -> None:
        """Take a directory offline: its logs refuse all use and are no longer found here."""
        home = self._directories[directory]
        if home.failure is not None:
            return
        home.failure = reason
        for topic_partition in [tp for tp, of in self._homes.items() if of is home]:
            log = self._logs.pop(topic_partition)
            log.failure = log.failure or reason
        for listener in self.failure_listeners:
            listener(home.path, reason)

    # ---- what is written down

    def high_watermarks(self) -> dict[TopicPartition, int]:
        """The high watermarks that the last process wrote down."""
        marks: dict[TopicPartition, int] = {}
        for home in self._directories.values():
            marks.update(home.high_watermarks)
        return marks

    async def checkpoint_high_watermarks(self, marks: Mapping[TopicPartition, int]) -> None:
        """Write down where consumers may read right after a restart."""
        await self._write(
            lambda home: {
                HIGH_WATERMARKS: {
                    tp: mark for tp, mark in marks.items() if self._homes.get(tp) is home
                }
            }
        )

    async def checkpoint(self) -> None:
        """Write down what is durable and where logs begin: recovery points and log starts."""

        def offsets(home: LogDirectory) -> dict[str, dict[TopicPartition, int]]:
            logs = [(tp, log) for tp, log in self._logs.items() if self._homes[tp] is home]
            return {
                RECOVERY_POINTS: self._recovery_points(home),
                LOG_STARTS: {
                    tp: log.log_start_offset
                    for tp, log in logs
                    if log.log_start_offset > log.segments[0].base_offset
                },
            }

        await self._write(offsets)

    async def _write(
        self, offsets: Callable[[LogDirectory], Mapping[str, Mapping[TopicPartition, int]]]
    ) -> None:
        for home in self._directories.values():
            if home.failure is not None:
                continue
            files = offsets(home)

            try:
                await self.disk.offload(partial(home.write_checkpoints, files))
            except OSError as error:
                self.fail(home.path, str(error))
