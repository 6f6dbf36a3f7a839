"""Whether one log can be used, and what ends that.

Nothing is known of a file after an OSError from it. The log has then failed for good: every later
use raises LogDirFailure, and only a restart, which recovers from what is on the disk, ends that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from raftka.model.ids import TopicPartition
from raftka.storage.failure import LogDirFailure


class LogOwner(Protocol):
    """The keeper of the directory that a log is in (storage/log_manager.py)."""

    def log_failed(self, directory: str, error: OSError) -> None:
        """Something in that log directory could not be read or written."""
        ...

    def corruption_found(self, topic_partition: TopicPartition, words: str) -> None:
        """A batch that was read for the first time since the start is not what was written."""
        ...

    def recovery_point_lowered(self, topic_partition: TopicPartition) -> None:
        """A truncation reached below the recovery point on the disk: write the new one there."""
        ...


class Health:
    """One log's failure, shared by everything that the log is composed of."""

    __slots__ = ("directory", "failure", "owner", "topic_partition")

    def __init__(
        self, directory: str, topic_partition: TopicPartition, owner: LogOwner | None
    ) -> None:
        self.directory = directory
        """The log's own directory; its parent is the log directory that fails with it."""
        self.topic_partition = topic_partition
        self.owner = owner
        self.failure: str | None = None
        """Why the log cannot be used any longer; None while it can."""

    @property
    def home(self) -> str:
        """The log directory that the log is in."""
        return self.directory.rpartition("/")[0]

    def refusal(self) -> LogDirFailure:
        """The exception for any use of a log that has failed."""
        return LogDirFailure(self.home, self.failure or "")

    def fail(self, error: OSError, doing: str) -> LogDirFailure:
        """Give up on this log after `error`; the exception to raise."""
        if self.failure is not None:
            # Deleted or closed while work was under way: its files may well be gone.
            return self.refusal()
        self.failure = f"{doing} {self.topic_partition} failed: {error}"
        if self.owner is not None:
            self.owner.log_failed(self.home, error)
        return LogDirFailure(self.home, self.failure)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Work on the files. Raises LogDirFailure when the log has failed, or fails in it."""
        if self.failure is not None:
            raise self.refusal()
        try:
            yield
        except OSError as error:
            raise self.fail(error, what) from error
