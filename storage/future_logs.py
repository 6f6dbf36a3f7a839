"""Logs that move to another directory: `<topic>-<partition>.<32 hex digits>-future` (KIP-113).

A future log is a copy of a partition's log in another directory of the same broker. Once it has
caught up, it replaces the log: its directory gets the partition's name, and the other one is
deleted. A future log is never served before that, so a crash loses nothing: copying resumes after a
restart, since a future log is recovered and compared like a follower's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from raftka.model.ids import TopicPartition
from raftka.model.named_tuple import NamedTuple
from raftka.model.ports import Dice, Disk
from raftka.storage.config import LogConfig
from raftka.storage.log import Log
from raftka.storage.log_directory import DELETED_SUFFIX, FUTURE_SUFFIX, LogDirectory, parse_name
from raftka.storage.log_opening import LogOpener
from raftka.storage.partition_metadata import read_topic_id

_NAME: Final = re.compile(r"(.+)\.[0-9a-f]{32}" + FUTURE_SUFFIX)
_MAX_NAME: Final = 255


class Future(NamedTuple):
    """A future log, and its log directory."""

    log: Log
    home: LogDirectory


class FutureLogs:
    """The future logs of one broker, by partition. Raises OSError if the disk does."""

    def __init__(self, disk: Disk, opener: LogOpener, dice: Dice) -> None:
        self._disk = disk
        self._opener = opener
        self._dice = dice
        self._futures: dict[TopicPartition, Future] = {}

    def __iter__(self) -> Iterator[tuple[TopicPartition, Future]]:
        return iter(tuple(self._futures.items()))

    def __len__(self) -> int:
        return len(self._futures)

    def get(self, topic_partition: TopicPartition) -> Future | None:
        """The future log of a partition, or None if it does not move."""
        return self._futures.get(topic_partition)

    def home_of(self, topic_partition: TopicPartition) -> LogDirectory:
        """The directory that a partition moves to. Raises KeyError if it does not move."""
        return self._futures[topic_partition].home

    def load(self, home: LogDirectory, config: LogConfig) -> list[str]:
        """Open the previous process's future logs in a directory; return messages about them."""
        said = []
        for name in self._disk.list_dir(home.path):
            matched = _NAME.fullmatch(name)
            target = parse_name(matched[1]) if matched is not None else None
            if target is None:
                continue
            path = f"{home.path}/{name}"
            if target in self._futures:
                home.doomed.append((0, self._renamed(path, target, DELETED_SUFFIX)))
                continue
            log = self._opener.open_at(path, target, read_topic_id(self._disk, path), config)
            self._futures[target] = Future(log, home)
            said.append(f"{target} goes on moving to {home.path} from offset {log.log_end_offset}")
        return said

    def begin(self, current: Log, home: LogDirectory) -> Log:
        """Create an empty future log for `current` in another directory."""
        target = current.topic_partition
        ending = f".{self._dice.randbytes(16).hex()}{FUTURE_SUFFIX}"
        path = f"{home.path}/{str(target)[: _MAX_NAME - len(ending)]}{ending}"
        log = self._opener.make_at(path, target, current.topic_id, current.config)
        self._futures[target] = Future(log, home)
        return log

    def abandon(self, topic_partition: TopicPartition, due_ms: int) -> None:
        """Abort a move, if there is one; its files are removed at `due_ms`."""
        future = self._futures.pop(topic_partition, None)
        if future is None:
            return
        future.log.let_go()
        if future.home.failure is None:
            path = self._renamed(future.log.directory, topic_partition, DELETED_SUFFIX)
            future.home.doomed.append((due_ms, path))

    def take(self, topic_partition: TopicPartition) -> Future:
        """Close a complete, durable future log, and give it the partition's name.

        Returns the log, opened again from there; raises KeyError without a future log.
        """
        future, home = self._futures.pop(topic_partition)
        durable_to, start = future.recovery_point, future.log_start_offset
        future.close()
        home.names_taken_again([topic_partition])
        path = home.log_path(topic_partition)
        self._disk.rename(future.directory, path)
        self._disk.sync_dir(home.path)
        log = self._opener.open_at(
            path,
            topic_partition,
            future.topic_id,
            future.config,
            durable_to=durable_to,
            log_start_offset=start,
        )
        return Future(log, home)

    def directory_failed(self, home: LogDirectory) -> None:
        """Abort the moves to a failed directory."""
        for target, future in self:
            if future.home is home:
                del self._futures[target]

    def close(self) -> None:
        """Write buffered data, and close."""
        for _, future in self:
            if future.home.failure is None:
                future.log.close()

    def _renamed(self, path: str, target: TopicPartition, suffix: str) -> str:
        ending = f".{self._dice.randbytes(16).hex()}{suffix}"
        home = path.rpartition("/")[0]
        new = f"{home}/{str(target)[: _MAX_NAME - len(ending)]}{ending}"
        self._disk.rename(path, new)
        return new
