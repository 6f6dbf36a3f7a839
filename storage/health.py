"""Whether one log can be used, and how it fails.

After an OSError the state of a file is unknown. The log has then failed permanently: every later
use raises LogDirFailure until a restart, which recovers from the disk's contents.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from raftka.model.ids import TopicPartition
from raftka.storage.failure import LogDirFailure


class LogOwner(Protocol):
    """The owner of a log's directory (storage/log_manager.py)."""

    def log_failed(self, directory: str, error: OSError) -> None:
        """A read or write in that log directory failed."""
        ...

    def corruption_found(self, topic_partition: TopicPartition, words: str) -> None:
        """A batch that was read for the first time since the start is damaged."""
        ...

    def recovery_point_moved(self, topic_partition: TopicPartition) -> None:
        """A truncation went below the recovery point on disk: write the new one there."""
        ...


class Health:
    """One log's failure state, shared by all its components."""

    __slots__ = ("directory", "failure", "owner", "topic_partition")

    def __init__(
        self, directory: str, topic_partition: TopicPartition, owner: LogOwner | None
    ) -> None:
        self.directory = directory
        """The log's own directory; its parent is the log directory that fails with it."""
        self.topic_partition = topic_partition
        self.owner = owner
        self.failure: str | None = None
        """Why the log cannot be used any longer; None if it can."""

    @property
    def home(self) -> str:
        """The log directory that contains the log."""
        return self.directory.rpartition("/")[0]

    def refusal(self) -> LogDirFailure:
        """The exception for any use of a failed log."""
        return LogDirFailure(self.home, self.failure or "")

    def fail(self, error: OSError, doing: str) -> LogDirFailure:
        """Mark the log as failed after `error`; return the exception to raise."""
        if self.failure is not None:
            # Deleted or closed while an operation was running: its files may be gone.
            return self.refusal()
        self.failure = f"{doing} {self.topic_partition} failed: {error}"
        if self.owner is not None:
            self.owner.log_failed(self.home, error)
        return LogDirFailure(self.home, self.failure)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Wrap an operation on files. Raises LogDirFailure if the log has failed or fails now."""
        if self.failure is not None:
            raise self.refusal()
        try:
            yield
        except OSError as error:
            raise self.fail(error, what) from error
