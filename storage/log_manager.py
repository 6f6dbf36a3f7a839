"""All logs of one broker: opened, made, deleted, kept tidy, and closed.

Everything that can wait for a disk is async and runs through `Disk.offload`; what the hot paths
and metadata changes need (`get`, `create`, `delete`) is not. When a disk fails, its directory goes
offline with every log in it, and stays offline until the process restarts (KIP-112).
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
"""Called with a directory that went offline, and why."""

CorruptionListener = Callable[[TopicPartition, str], None]
"""Called with a partition whose batch is corrupt on the disk and is not served, and a sentence."""

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
        """`cordoned` are the directories that get no new logs, as the settings have it now."""
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
        """The logs that are on their way to another directory."""
        self.moves = LogMoves(self, self.futures, clock)
        self._directories = {path: LogDirectory(disk, path) for path in directories}
        self._logs: dict[TopicPartition, Log] = {}
        self._homes: dict[TopicPartition, LogDirectory] = {}
        self._reported: set[str] = set()

    # ---- starting and stopping

    async def load(self) -> list[str]:
        """Open every log, recovering those that were not closed; sentences about what was found.

        A directory that cannot be read goes offline. Raises BadDirectory for one that another
        process has locked.
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
        """Take over a log that is in a directory."""
        home.logs[log.topic_partition] = log
        self._logs[log.topic_partition] = log
        self._homes[log.topic_partition] = home

    async def close(self, broker_epoch: int = NO_EPOCH) -> None:
        """Make everything durable and write that down, so that the next start need not scan.

        `broker_epoch` is what a later registration proves its clean shutdown with (KIP-966).
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
        """Flush every log, several at a time: the disk can join what it is asked together."""
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
        """The log, None when there is none or its directory is offline."""
        return self._logs.get(topic_partition)

    def __iter__(self) -> Iterator[Log]:
        return iter(tuple(self._logs.values()))

    def __len__(self) -> int:
        return len(self._logs)

    def hosted(self) -> list[tuple[TopicPartition, Uuid]]:
        """Each partition that has a log here, with its topic's id; ZERO_UUID where a crash has
        taken that."""
        return [(topic_partition, log.topic_id) for topic_partition, log in self._logs.items()]

    def log_config(self, overrides: Mapping[str, str]) -> LogConfig:
        """The settings of a topic with these overrides."""
        return LogConfig.from_overrides(overrides, self.defaults)

    def home_of(self, topic_partition: TopicPartition) -> LogDirectory | None:
        """The log directory that a partition is in; None for a partition that is not here."""
        return self._homes.get(topic_partition)

    def directory_of(self, topic_partition: TopicPartition) -> str:
        """The log directory that a partition is in. Raises KeyError without one."""
        return self._homes[topic_partition].path

    def home_at(self, directory: str) -> LogDirectory:
        """The log directory with that path. Raises KeyError without one."""
        return self._directories[directory]

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
        """Make logs beside the event loop, for `create` to find them: many files take their time.

        What cannot be made is left to `create`, which raises what is wrong.
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
        # Where all are cordoned, the controller has decided before it knew of it.
        free = [home for home in working if home.path not in cordoned] or working
        return min(free, key=lambda home: len(home.logs))

    def delete(self, topic_partition: TopicPartition) -> None:
        """Stop using a log and remove its files after file.delete.delay.ms.

        Its name is free at once. Raises KeyError when there is no such log.
        """
        log = self._logs[topic_partition]
        self.moves.abandon(topic_partition)
        self.doom(topic_partition, log.config.file_delete_delay_ms)

    def doom(self, topic_partition: TopicPartition, delay_ms: int) -> None:
        """Stop using a log and remove its files after a while. Raises LogDirFailure."""
        path = self._set_aside(topic_partition, DELETED_SUFFIX)
        due_ms = self._clock.wall_ms() + delay_ms
        self._directories[path.rpartition("/")[0]].doomed.append((due_ms, path))

    def set_stray(self, topic_partition: TopicPartition) -> str:
        """Stop using a log and keep its files under a name ending in -stray; their path.

        For what the metadata does not know: a person decides. Raises KeyError without such a log.
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

    # ---- from time to time

    async def housekeeping(
        self, now_ms: int, high_watermarks: Mapping[TopicPartition, int]
    ) -> list[str]:
        """Retention, files that were waiting to go, closed segments made durable.

        For every log.retention.check.interval.ms; sentences about what was done.
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
        """Flush the logs whose flush.ms is over, for every log.flush.scheduler.interval.ms."""
        return await housekeeping.flush_due(self, now_ms)

    # ---- failing

    def log_failed(self, directory: str, error: OSError) -> None:
        """A log could not read or write: its directory goes offline."""
        self.fail(directory, str(error))

    def corruption_found(self, topic_partition: TopicPartition, words: str) -> None:
        """Report a corrupt batch, once for each place."""
        if words not in self._reported:
            self._reported.add(words)
            for listener in self.corruption_listeners:
                listener(topic_partition, words)

    def recovery_point_lowered(self, topic_partition: TopicPartition) -> None:
        """Write the recovery points down at once, before other records take these offsets."""
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

    # ---- what is written down

    def high_watermarks(self) -> dict[TopicPartition, int]:
        """The high watermarks that the last process wrote down."""
        marks: dict[TopicPartition, int] = {}
        for home in self._directories.values():
            marks.update(home.high_watermarks)
        return marks

    async def checkpoint_high_watermarks(self, marks: Mapping[TopicPartition, int]) -> None:
        """Write down where consumers may read right after a restart."""
        for home in self._directories.values():
            here = {tp: mark for tp, mark in marks.items() if tp in home.logs}
            await self._write(home, {HIGH_WATERMARKS: here})

    async def checkpoint(self) -> None:
        """Write down what is durable and where logs begin: recovery points and log starts."""
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
