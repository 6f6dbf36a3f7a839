"""One of log.dirs: its partition directories, checkpoints and lock, and whether it has failed."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from raftka.model.ids import TopicPartition
from raftka.model.ports import Dice, Disk, FileLock
from raftka.storage import clean_shutdown
from raftka.storage.checkpoints import CheckpointCorrupt, read_offsets, write_offsets
from raftka.storage.log import Log
from raftka.storage.meta_properties import BadDirectory

RECOVERY_POINTS: Final = "recovery-point-offset-checkpoint"
LOG_STARTS: Final = "log-start-offset-checkpoint"
HIGH_WATERMARKS: Final = "replication-offset-checkpoint"
CLEANED_TO: Final = "cleaner-offset-checkpoint"
LOCK: Final = ".lock"

DELETED_SUFFIX: Final = "-delete"
STRAY_SUFFIX: Final = "-stray"
FUTURE_SUFFIX: Final = "-future"
METADATA_TOPIC: Final = "__cluster_metadata"

_PARTITION: Final = re.compile(r"([A-Za-z0-9._-]{1,249})-(\d+)")
_MAX_NAME: Final = 255


def parse_name(name: str) -> TopicPartition | None:
    """The partition of a log directory's name, None for any other name."""
    matched = _PARTITION.fullmatch(name)
    if matched is None or matched[1] == METADATA_TOPIC:
        return None
    return TopicPartition(matched[1], int(matched[2]))


class LogDirectory:
    """One directory and the logs in it."""

    def __init__(self, disk: Disk, path: str) -> None:
        self.path = path
        self.failure: str | None = None
        """Why it is offline, None if it works."""
        self.logs: dict[TopicPartition, Log] = {}
        self.was_clean = False
        self.recovery_points: dict[TopicPartition, int] = {}
        self.log_starts: dict[TopicPartition, int] = {}
        self.high_watermarks: dict[TopicPartition, int] = {}
        self.cleaned_to: dict[TopicPartition, int] = {}
        """The offset up to which each compacted log was cleaned."""
        self.doomed: list[tuple[int, str]] = []
        """(time of removal, path) of deleted partitions' directories."""
        self._disk = disk
        self._lock: FileLock | None = None

    def acquire(self) -> None:
        """Take the lock file. Raises BadDirectory if another process holds it."""
        self._disk.make_dirs(self.path)
        try:
            self._lock = self._disk.lock(f"{self.path}/{LOCK}")
        except BlockingIOError as error:
            raise BadDirectory(
                f"Failed to acquire lock on file {LOCK} in {self.path}. A node in another process "
                f"or thread is using this directory."
            ) from error

    def release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def read_checkpoints(self) -> list[str]:
        """Read the previous process's checkpoints; return a message for each unreadable file."""
        problems: list[str] = []

        def offsets(name: str) -> dict[TopicPartition, int]:
            try:
                return read_offsets(self._disk, f"{self.path}/{name}")
            except CheckpointCorrupt as error:
                problems.append(f"{error}; it is ignored")
                return {}

        self.was_clean = clean_shutdown.exists(self._disk, self.path)
        self.recovery_points = offsets(RECOVERY_POINTS)
        self.log_starts = offsets(LOG_STARTS)
        self.high_watermarks = offsets(HIGH_WATERMARKS)
        self.cleaned_to = offsets(CLEANED_TO)
        return problems

    def checkpoints(self) -> dict[str, dict[TopicPartition, int]]:
        """Recovery points and log start offsets, by checkpoint file."""
        return {
            RECOVERY_POINTS: self.current_recovery_points(),
            LOG_STARTS: {
                topic_partition: log.log_start_offset
                for topic_partition, log in self.logs.items()
                if log.log_start_offset > log.segments[0].base_offset
            },
        }

    def current_recovery_points(self) -> dict[TopicPartition, int]:
        return {topic_partition: log.recovery_point for topic_partition, log in self.logs.items()}

    def set_cleaned_to(self, topic_partition: TopicPartition, offset: int | None) -> None:
        """Write how far a log was cleaned, durably; None to remove its entry."""
        marks = {each: mark for each, mark in self.cleaned_to.items() if each in self.logs}
        marks.pop(topic_partition, None)
        if offset is not None:
            marks[topic_partition] = offset
        self.cleaned_to = marks
        write_offsets(self._disk, f"{self.path}/{CLEANED_TO}", marks)

    def write_checkpoints(self, files: Mapping[str, Mapping[TopicPartition, int]]) -> None:
        """Replace checkpoint files, by name, durably."""
        for name, offsets in files.items():
            write_offsets(self._disk, f"{self.path}/{name}", offsets)
            if name == RECOVERY_POINTS:
                self.recovery_points = dict(offsets)
            elif name == LOG_STARTS:
                self.log_starts = dict(offsets)

    def names_taken_again(self, topic_partitions: Collection[TopicPartition]) -> None:
        """Remove the checkpoint entries of earlier logs with the names of new ones, since a
        recovery after a crash would trust them."""
        if any(
            self.recovery_points.get(each, 0) > 0 or self.log_starts.get(each, 0) > 0
            for each in topic_partitions
        ):
            self.write_checkpoints(self.checkpoints())
        for each in topic_partitions:
            if each in self.cleaned_to:
                self.set_cleaned_to(each, None)

    def partitions(self) -> list[TopicPartition]:
        """The partitions that have a log here; schedules those deleted earlier for removal."""
        found = []
        for name in self._disk.list_dir(self.path):
            if name.endswith(DELETED_SUFFIX):
                self.doomed.append((0, f"{self.path}/{name}"))
            elif (
                not name.endswith((STRAY_SUFFIX, FUTURE_SUFFIX))
                and (topic_partition := parse_name(name)) is not None
                and self._disk.is_dir(f"{self.path}/{name}")
            ):
                found.append(topic_partition)
        return found

    def log_path(self, topic_partition: TopicPartition) -> str:
        return f"{self.path}/{topic_partition}"

    def set_aside(self, topic_partition: TopicPartition, suffix: str, dice: Dice) -> str:
        """Rename a partition's directory so that its name is free; return the new path.

        The name is `<topic>-<partition>.<32 hex digits><suffix>`, truncated to the file system's
        limit.
        """
        ending = f".{dice.randbytes(16).hex()}{suffix}"
        target = f"{self.path}/{str(topic_partition)[: _MAX_NAME - len(ending)]}{ending}"
        self._disk.rename(self.log_path(topic_partition), target)
        return target

    def remove_doomed(self, now_ms: int) -> list[str]:
        """Remove the directories whose delay has passed; return their paths."""
        due = [path for due_ms, path in self.doomed if due_ms <= now_ms]
        self.doomed = [entry for entry in self.doomed if entry[0] > now_ms]
        for path in due:
            self._disk.remove_tree(path)
        return due
