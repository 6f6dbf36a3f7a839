"""All logs of one broker: opens, creates, deletes, maintains and closes them.

Methods that may wait for a disk are async and use `Disk.offload`; those for the hot paths and
metadata changes (`get`, `create`, `delete`) are not. When a disk fails, its directory goes offline
with every log in it until the process restarts (KIP-112).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import trio

from raftka.model.ids import NO_EPOCH, ZERO_UUID, TopicPartition, Uuid
from raftka.model.ports import Clock, Dice, Disk
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.storage import clean_shutdown, housekeeping
from raftka.storage.config import LogConfig
from raftka.storage.failure import LogDirFailure
from raftka.storage.future_logs import FutureLogs
from raftka.storage.log import Log
from raftka.storage.log_directory import (
    DELETED_SUFFIX,
    HIGH_WATERMARKS,
    RECOVERY_POINTS,
    STRAY_SUFFIX,
    LogDirectory,
)
from raftka.storage.log_moves import LogMoves
from raftka.storage.log_opening import LogOpener
from raftka.storage.partition_metadata import write_topic_id
from raftka.storage.producer_state import EXPIRATION_MS

__all__ = ["LogDirFailure", "LogManager"]

FailureListener = Callable[[str, str], None]
"""Called with a directory that went offline, and the reason."""

CorruptionListener = Callable[[TopicPartition, str], None]
"""Called with a partition that has a damaged batch, which is not served, and a message."""

_FLUSHED_AT_ONCE: Final = 8


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
        rules_off: RulesOff = ALL_HOLD,
        verifies: Callable[[], bool] = lambda: True,
        cordoned: Callable[[], Collection[str]] = lambda: (),
    ) -> None:
        """`cordoned` returns the directories that currently get no new logs."""
        self.disk = disk
        self.defaults = LogConfig() if defaults is None else defaults
        """The settings of topics without overrides."""
        self.producer_expiration_ms = producer_expiration_ms
        self.failure_listeners: list[FailureListener] = []
        self.corruption_listeners: list[CorruptionListener] = []
        self._clock = clock
        self._dice = dice
        self._take_locks = take_locks
        self._cordoned = cordoned
        self._opener = LogOpener(disk, clock, dice, self, rules_off, verifies)
        self.futures = FutureLogs(disk, self._opener, dice)
        """The logs that are moving to another directory."""
        self.moves = LogMoves(self, self.futures, clock)
        self._directories = {path: LogDirectory(disk, path) for path in directories}
        self._logs: dict[TopicPartition, Log] = {}
        self._homes: dict[TopicPartition, LogDirectory] = {}
        self._reported: set[str] = set()

    # ---- starting and stopping

    async def load(self) -> list[str]:
        """Open every log, recovering those that were not closed; return messages.

        An unreadable directory goes offline. Raises BadDirectory if another process has locked one.
        """
        said: list[str] = []
        for home in [each for each in self._directories.values() if each.failure is None]:
            if self._take_locks:
                home.acquire()
            try:
                taken = {each: of.path for each, of in self._homes.items()}
                logs, found = await self._opener.load_directory(home, taken, self.defaults)
                for log in logs:
                    self.adopt(log, home)
                said += found
                said += await self.disk.offload(partial(self.futures.load, home, self.defaults))
            except OSError as error:
                self.fail(home.path, str(error))
                said.append(f"log directory {home.path} is offline: {error}")
        return said

    def adopt(self, log: Log, home: LogDirectory) -> None:
        """Register a log that is in a directory."""
        home.logs[log.topic_partition] = log
        self._logs[log.topic_partition] = log
        self._homes[log.topic_partition] = home

    async def close(self, broker_epoch: int = NO_EPOCH) -> None:
        """Flush all logs and write the checkpoints, so that the next start needs no recovery.

        `broker_epoch` proves the clean shutdown at the next registration (KIP-966).
        """
        await self._flush_all()
        self.futures.close()
        for home in self._directories.values():
            if home.failure is None:
                try:
                    await self.disk.offload(partial(self._close, home, broker_epoch))
                except OSError as error:
                    self.fail(home.path, str(error))
                except LogDirFailure:
                    pass  # the log has reported it, and the directory is not marked as clean
            home.release()

    async def _flush_all(self) -> None:
        """Flush every log, several at a time, so that the disk can combine the writes."""
        waiting = iter([log for log in self if not log.flusher.is_durable])

        async def flush() -> None:
            for log in waiting:
                if log.failure is None:
                    with contextlib.suppress(LogDirFailure):  # its directory is offline now
                        await log.flush_in_background()

        async with trio.open_nursery() as nursery:
            for _ in range(_FLUSHED_AT_ONCE):
                nursery.start_soon(flush)

    def _close(self, home: LogDirectory, broker_epoch: int) -> None:
        for log in home.logs.values():
            log.close()
        home.write_checkpoints(home.checkpoints())
        clean_shutdown.write(self.disk, home.path, broker_epoch)

    # ---- looking up

    def get(self, topic_partition: TopicPartition) -> Log | None:
        """The log, or None if there is none or its directory is offline."""
        return self._logs.get(topic_partition)

    def __iter__(self) -> Iterator[Log]:
        return iter(tuple(self._logs.values()))

    def __len__(self) -> int:
        return len(self._logs)

    def hosted(self) -> list[tuple[TopicPartition, Uuid]]:
        """Each partition that has a log here, with its topic's id; ZERO_UUID if a crash lost it."""
        return [(topic_partition, log.topic_id) for topic_partition, log in self._logs.items()]

    def log_config(self, overrides: Mapping[str, str]) -> LogConfig:
        """The settings of a topic with these overrides."""
        return LogConfig.from_overrides(overrides, self.defaults)

    def home_of(self, topic_partition: TopicPartition) -> LogDirectory | None:
        """The log directory of a partition; None if it is not here."""
        return self._homes.get(topic_partition)

    def directory_of(self, topic_partition: TopicPartition) -> str:
        """The log directory of a partition. Raises KeyError without one."""
        return self._homes[topic_partition].path

    def home_at(self, directory: str) -> LogDirectory:
        """The log directory with that path. Raises KeyError without one."""
        return self._directories[directory]

    @property
    def online(self) -> list[str]:
        """The working directories."""
        return [home.path for home in self._directories.values() if home.failure is None]

    @property
    def offline(self) -> dict[str, str]:
        """The failed directories, with reasons."""
        return {
            home.path: home.failure
            for home in self._directories.values()
            if home.failure is not None
        }

    # ---- creating and deleting

    def create(
        self,
        topic_partition: TopicPartition,
        topic_id: Uuid,
        config: LogConfig,
        directory: str | None = None,
    ) -> Log:
        """The log of a partition: a new one in `directory`, or in the one with the fewest logs.

        An existing one gets `config`. Raises LogDirFailure if no directory works.
        """
        existing = self._logs.get(topic_partition)
        if existing is not None:
            existing.config = config
            if existing.topic_id == ZERO_UUID:
                existing.topic_id = topic_id
                write_topic_id(self.disk, existing.directory, topic_id)
            return existing
        home = self._choose(topic_partition) if directory is None else self._directories[directory]
        if home.failure is not None:
            raise LogDirFailure(home.path, home.failure)
        try:
            log = self._opener.make(home, topic_partition, topic_id, config)
            self.adopt(log, home)
            home.names_taken_again([topic_partition])
        except OSError as error:
            self.fail(home.path, str(error))
            raise LogDirFailure(home.path, str(error)) from error
        return log

    async def create_ahead(self, wanted: Sequence[tuple[TopicPartition, Uuid, LogConfig]]) -> None:
        """Create logs in worker threads before `create` is called, since creating many files takes
        time.

        Failures are left to `create`, which raises the error.
        """
        counts = {p: len(h.logs) for p, h in self._directories.items() if h.failure is None}
        missing = [each for each in wanted if each[0] not in self._logs]
        if not counts or not missing:
            return
        planned: list[tuple[LogDirectory, tuple[TopicPartition, Uuid, LogConfig]]] = []
        for each in missing:
            path = self.moves.preferred.pop(each[0], "")
            if path not in counts:
                path = min(counts, key=counts.__getitem__)
            counts[path] += 1
            planned.append((self._directories[path], each))
        made: list[tuple[LogDirectory, Log]] = []

        def work() -> None:
            for home, each in planned:
                made.append((home, self._opener.make(home, *each)))

        try:
            await self.disk.offload(work)
        except OSError as error:
            self.fail(planned[len(made)][0].path, str(error))
        for home, log in made:
            if home.failure is None and log.topic_partition not in self._logs:
                self.adopt(log, home)
            else:
                log.let_go()
        for home in self._directories.values():
            if home.failure is None:
                try:
                    home.names_taken_again([log.topic_partition for at, log in made if at is home])
                except OSError as error:
                    self.fail(home.path, str(error))

    def _choose(self, topic_partition: TopicPartition) -> LogDirectory:
        preferred = self._directories.get(self.moves.preferred.pop(topic_partition, ""))
        if preferred is not None and preferred.failure is None:
            return preferred
        working = [home for home in self._directories.values() if home.failure is None]
        if not working:
            raise LogDirFailure(", ".join(self._directories), "no log directory is left")
        cordoned = self._cordoned()
        # If all are cordoned, the controller decided before it knew that.
        free = [home for home in working if home.path not in cordoned] or working
        return min(free, key=lambda home: len(home.logs))

    def delete(self, topic_partition: TopicPartition) -> None:
        """Stop using a log, and remove its files after file.delete.delay.ms.

        Its name is free at once. Raises KeyError if there is no such log.
        """
        log = self._logs[topic_partition]
        self.moves.abandon(topic_partition)
        self.doom(topic_partition, log.config.file_delete_delay_ms)

    def doom(self, topic_partition: TopicPartition, delay_ms: int) -> None:
        """Stop using a log, and remove its files later. Raises LogDirFailure."""
        path = self._set_aside(topic_partition, DELETED_SUFFIX)
        due_ms = self._clock.wall_ms() + delay_ms
        self._directories[path.rpartition("/")[0]].doomed.append((due_ms, path))

    def set_stray(self, topic_partition: TopicPartition) -> str:
        """Stop using a log, and keep its files under a name with the suffix -stray; return their
        path.

        For logs that are not in the metadata: an operator decides. Raises KeyError without such a
        log.
        """
        self.moves.abandon(topic_partition)
        return self._set_aside(topic_partition, STRAY_SUFFIX)

    def _set_aside(self, topic_partition: TopicPartition, suffix: str) -> str:
        log, home = self._logs.pop(topic_partition), self._homes.pop(topic_partition)
        del home.logs[topic_partition]
        log.let_go()
        try:
            return home.set_aside(topic_partition, suffix, self._dice)
        except OSError as error:
            self.fail(home.path, str(error))
            raise LogDirFailure(home.path, str(error)) from error

    # ---- periodic work

    async def housekeeping(
        self, now_ms: int, high_watermarks: Mapping[TopicPartition, int]
    ) -> list[str]:
        """Apply retention, remove pending files, flush closed segments.

        To be called every log.retention.check.interval.ms; returns messages.
        """
        said = await housekeeping.tidy_logs(
            self, now_ms, high_watermarks, self.producer_expiration_ms, self._clock
        )
        try:
            said += await housekeeping.remove_doomed(self.disk, self._directories.values(), now_ms)
        except OSError as error:
            said.append(f"files of deleted partitions could not be removed: {error}")
        return said

    async def flush_due(self, now_ms: int) -> int:
        """Flush the logs whose flush.ms has passed; to be called every
        log.flush.scheduler.interval.ms."""
        return await housekeeping.flush_due(self, now_ms)

    # ---- failures

    def log_failed(self, directory: str, error: OSError) -> None:
        """A read or write of a log failed: take its directory offline."""
        self.fail(directory, str(error))

    def corruption_found(self, topic_partition: TopicPartition, words: str) -> None:
        """Report a damaged batch, once for each position."""
        if words not in self._reported:
            self._reported.add(words)
            for listener in self.corruption_listeners:
                listener(topic_partition, words)

    def recovery_point_moved(self, topic_partition: TopicPartition) -> None:
        """Write the recovery points at once, before other records get these offsets."""
        home = self._homes.get(topic_partition)
        if home is not None and home.failure is None:
            home.write_checkpoints({RECOVERY_POINTS: home.current_recovery_points()})
            point = home.logs[topic_partition].recovery_point
            if home.cleaned_to.get(topic_partition, 0) > point:
                home.set_cleaned_to(topic_partition, point)

    def fail(self, directory: str, reason: str) -> None:
        """Take a directory offline: its logs refuse all use and are no longer found here."""
        home = self._directories[directory]
        if home.failure is not None:
            return
        home.failure = reason
        self.futures.directory_failed(home)
        for topic_partition, log in home.logs.items():
            self._logs.pop(topic_partition, None)
            log.health.failure = log.failure or reason
        for listener in self.failure_listeners:
            listener(home.path, reason)

    # ---- checkpoints

    def high_watermarks(self) -> dict[TopicPartition, int]:
        """The high watermarks in the previous process's checkpoint."""
        marks: dict[TopicPartition, int] = {}
        for home in self._directories.values():
            marks.update(home.high_watermarks)
        return marks

    async def checkpoint_high_watermarks(self, marks: Mapping[TopicPartition, int]) -> None:
        """Write the offsets up to which consumers may read right after a restart."""
        for home in self._directories.values():
            here = {tp: mark for tp, mark in marks.items() if tp in home.logs}
            await self._write(home, {HIGH_WATERMARKS: here})

    async def checkpoint(self) -> None:
        """Write recovery points and log start offsets."""
        for home in self._directories.values():
            await self._write(home, home.checkpoints())

    async def _write(
        self, home: LogDirectory, files: Mapping[str, Mapping[TopicPartition, int]]
    ) -> None:
        if home.failure is None:
            try:
                await self.disk.offload(partial(home.write_checkpoints, files))
            except OSError as error:
                self.fail(home.path, str(error))
