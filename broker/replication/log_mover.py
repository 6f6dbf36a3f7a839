"""Moves replicas from one log directory of this broker to another (AlterReplicaLogDirs, KIP-113).

A future log follows the replica's log as a follower follows its leader: it is compared by leader
epoch, truncated where the log was truncated, and replaces the log once it has caught up. Each step
copies one chunk, so that clients are served in between, and no faster than
replica.alter.log.dirs.io.max.bytes.per.second.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from raftka.broker.quotas.rates import Windows
from raftka.broker.replication.replica import Replica
from raftka.broker.replication.replica_manager import ReplicaManager
from raftka.broker.replication.throttle import UNLIMITED, ReplicationThrottle
from raftka.broker.replication.truncation import NO_EPOCH_END, cut, divergence
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.logs import get_logger
from raftka.model.ports import Clock, bytes_of
from raftka.storage.failure import LogDirFailure
from raftka.storage.log import Log

log = get_logger(__name__)

_CHUNK: Final = 1 << 20
_IDLE_S: Final = 0.1
"""Seconds between checks while no move can copy anything."""


class LogMover:
    """Moves the replicas of one broker. `run` must be running."""

    def __init__(
        self, replicas: ReplicaManager, clock: Clock, windows: Windows, rate: Callable[[], int]
    ) -> None:
        """`rate` returns the current limit in bytes per second."""
        self._replicas = replicas
        self._logs = replicas.logs
        self._clock = clock
        self._rate = rate
        self._throttle = ReplicationThrottle(windows)
        self._alarm = clock.alarm()

    def move(self, target: TopicPartition, directory: str) -> None:
        """Start to move a replica; a replica that is not here yet will be created in that
        directory.

        Raises KafkaError: LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR, UNKNOWN_TOPIC_OR_PARTITION,
        REPLICA_NOT_AVAILABLE if it is not here.
        """
        if directory in self._logs.offline:
            raise LogDirFailure(directory, self._logs.offline[directory])
        if directory not in self._logs.online:
            words = f"{directory} is not one of the log directories of this broker."
            raise KafkaError(ErrorCode.LOG_DIR_NOT_FOUND, words)
        replica = self._replicas.get(*target)
        if replica is None:
            if self._replicas.index.has_failed(*target):
                self._replicas.find(target)  # Raises KAFKA_STORAGE_ERROR.
            if self._replicas.index.image.partition(*target) is None:
                words = f"There is no partition {target}."
                raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, words)
            self._logs.moves.preferred[target] = directory
            words = f"{target} is not on this broker; when it comes, it goes to {directory}."
            raise KafkaError(ErrorCode.REPLICA_NOT_AVAILABLE, words)
        former = self._logs.directory_of(target)
        if self._logs.moves.begin(replica.log, directory):
            log.info(f"{target} begins to move from {former} to {directory}")
        self._alarm.ring()

    async def run(self) -> None:
        """Move replicas until cancelled."""
        while True:
            if not len(self._logs.futures):
                await self._alarm.wait(math.inf)
            rate = self._rate()
            self._throttle.follow(rate, {})
            busy = False
            for target, future in self._logs.futures:
                if rate != UNLIMITED and self._throttle.wait_ms(self._now_ms()):
                    break
                replica = self._replicas.get(*target)
                if replica is not None and self._logs.futures.get(target) is future:
                    busy |= await self._attempt(replica, future.log)
                await self._clock.sleep(0)
            if not busy:
                await self._clock.sleep(_IDLE_S)

    async def _attempt(self, replica: Replica, future: Log) -> bool:
        try:
            return await self._step(replica, future)
        except LogDirFailure as error:
            log.error(f"{replica.topic_partition} does not move: {error}")
        except KafkaError as error:
            log.error(f"{replica.topic_partition} cannot be copied, and stays: {error}")
            self._logs.moves.abandon(replica.topic_partition)
        return False

    async def _step(self, replica: Replica, future: Log) -> bool:
        """Copy a chunk to the future log; return whether there was anything to do.

        Raises LogDirFailure; KafkaError for records that cannot be read.
        """
        current = replica.log
        if self._aligned(current, future):
            return True
        if future.log_end_offset < current.log_end_offset:
            return await self._copy(current, future)
        await future.flush_in_background()
        still = self._logs.futures.get(replica.topic_partition)
        complete = future.log_end_offset == replica.log.log_end_offset
        if not replica.hosted or still is None or still.log is not future or not complete:
            return True
        if self._aligned(replica.log, future):
            return True
        self._swap(replica, future)
        return True

    def _aligned(self, current: Log, future: Log) -> bool:
        """Truncate a future log where it diverges from the log; return whether it did."""
        end, epoch = future.log_end_offset, future.latest_epoch
        start = current.log_start_offset
        unrelated = epoch < 0 <= current.latest_epoch and end > start
        if end < start or unrelated:
            future.truncate_fully_and_start_at(start, self._clock.wall_ms())
            return True
        if epoch >= 0:
            leader = divergence(current, end, epoch)
            if leader is NO_EPOCH_END:
                future.truncate_fully_and_start_at(start, self._clock.wall_ms())
                return True
            if leader is not None:
                future.truncate_to(cut(future, leader, end, future.log_start_offset).offset)
                return future.log_end_offset < end
        return False

    async def _copy(self, current: Log, future: Log) -> bool:
        offset = future.log_end_offset
        found = current.read(offset, _CHUNK, current.log_end_offset, min_one=True)
        data = await self._logs.disk.offload(lambda: b"".join(map(bytes_of, found.pieces)))
        if not data or future.log_end_offset != offset:
            return False
        future.append_as_follower(data, self._clock.wall_ms())
        self._throttle.record(len(data), self._now_ms())
        return True

    def _swap(self, replica: Replica, future: Log) -> None:
        """The future log is complete and durable: replace the log with it."""
        current, target = replica.log, replica.topic_partition
        for epoch, start in current.epochs.entries():
            if epoch > future.latest_epoch:
                future.assign_epoch(epoch, start)
        if current.log_start_offset > future.log_start_offset:
            future.advance_log_start(current.log_start_offset)
        former = self._logs.directory_of(target)
        replica.log = self._logs.moves.finish(current)
        home = self._logs.directory_of(target)
        log.info(
            f"{target} has moved from {former} to {home}", log_end_offset=future.log_end_offset
        )
        if self._replicas.placements is not None:
            key = (replica.topic_id, replica.index)
            self._replicas.placements.placed(key, home, replica.state.view)

    def _now_ms(self) -> int:
        return int(self._clock.monotonic() * 1000)
