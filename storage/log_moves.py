"""Starts and finishes moves of logs between directories of a broker (KIP-113).

broker/replication/log_mover.py does the copying in between.
"""

from __future__ import annotations

import contextlib
from typing import Protocol

from raftka.model.ids import TopicPartition
from raftka.model.ports import Clock
from raftka.storage.failure import LogDirFailure
from raftka.storage.future_logs import FutureLogs
from raftka.storage.log import Log
from raftka.storage.log_directory import LogDirectory


class Logs(Protocol):
    """The part of a broker's log manager that moves need."""

    def get(self, topic_partition: TopicPartition) -> Log | None:
        """The log of a partition."""
        ...

    def directory_of(self, topic_partition: TopicPartition) -> str:
        """The log directory that a partition is in."""
        ...

    def home_at(self, directory: str) -> LogDirectory:
        """The log directory with that path."""
        ...

    def adopt(self, log: Log, home: LogDirectory) -> None:
        """Register a log that is in a directory."""
        ...

    def doom(self, topic_partition: TopicPartition, delay_ms: int) -> None:
        """Stop using a log and remove its files later."""
        ...

    def fail(self, directory: str, reason: str) -> None:
        """Take a directory offline."""
        ...


class LogMoves:
    """The moves of one broker's logs."""

    def __init__(self, logs: Logs, futures: FutureLogs, clock: Clock) -> None:
        self.preferred: dict[TopicPartition, str] = {}
        """Directories for replicas that are not here yet, as requested by an administrator."""
        self._logs = logs
        self._futures = futures
        self._clock = clock

    def begin(self, log: Log, directory: str) -> bool:
        """Start to move a log; return whether there is anything to do. It replaces an earlier move.

        Raises LogDirFailure if the directory fails.
        """
        target = log.topic_partition
        future = self._futures.get(target)
        if future is not None and future.home.path == directory:
            return False
        self.abandon(target)
        if self._logs.directory_of(target) == directory:
            return False
        try:
            self._futures.begin(log, self._logs.home_at(directory))
        except OSError as error:
            self._logs.fail(directory, str(error))
            raise LogDirFailure(directory, str(error)) from error
        return True

    def abandon(self, topic_partition: TopicPartition) -> None:
        """Abort a log's move, if there is one."""
        future = self._futures.get(topic_partition)
        if future is None:
            return
        try:
            self._futures.abandon(topic_partition, self._clock.wall_ms())
        except OSError as error:
            self._logs.fail(future.home.path, str(error))

    def finish(self, old: Log) -> Log:
        """Replace `old` with its durable and complete future log; return that.

        Raises LogDirFailure if its directory fails, KeyError without a future log.
        """
        target = old.topic_partition
        former = self._logs.home_at(self._logs.directory_of(target))
        to = self._futures.home_of(target)
        try:
            log, home = self._futures.take(target)
            mark = former.cleaned_to.get(target)
            self._replace(old)
            self._logs.adopt(log, home)
            if mark is not None:
                home.set_cleaned_to(target, mark)
        except OSError as error:
            self._logs.fail(to.path, str(error))
            raise LogDirFailure(to.path, str(error)) from error
        return log

    def _replace(self, old: Log) -> None:
        with contextlib.suppress(LogDirFailure):  # The next start finds the remaining files.
            self._logs.doom(old.topic_partition, old.config.file_delete_delay_ms)
