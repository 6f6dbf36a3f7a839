"""Moves of logs from one directory of a broker to another: their beginnings and ends (KIP-113).

What is between, the copying, is broker/replication/log_mover.py's.
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
    """What a broker's log manager does for moves."""

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
        """Take over a log that is in a directory."""
        ...

    def doom(self, topic_partition: TopicPartition, delay_ms: int) -> None:
        """Stop using a log and remove its files after a while."""
        ...

    def fail(self, directory: str, reason: str) -> None:
        """Take a directory offline."""
        ...


class LogMoves:
    """The moves of one broker's logs."""

    def __init__(self, logs: Logs, futures: FutureLogs, clock: Clock) -> None:
        self.preferred: dict[TopicPartition, str] = {}
        """Where replicas go that are not here yet, as an administrator asked for."""
        self._logs = logs
        self._futures = futures
        self._clock = clock

    def begin(self, log: Log, directory: str) -> bool:
        """Begin to move a log; whether there is anything to do. A move elsewhere ends.

        Raises LogDirFailure when the directory fails.
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
        """Stop moving a log, if it moves."""
        future = self._futures.get(topic_partition)
        if future is None:
            return
        try:
            self._futures.abandon(topic_partition, self._clock.wall_ms())
        except OSError as error:
            self._logs.fail(future.home.path, str(error))

    def finish(self, old: Log) -> Log:
        """Put a future log that is durable and complete in the place of `old`; the new one.

        Raises LogDirFailure when the directory that it is in fails, KeyError without a future log.
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
        with contextlib.suppress(LogDirFailure):  # What it leaves behind is found at a start.
            self._logs.doom(old.topic_partition, old.config.file_delete_delay_ms)
