"""The error of the storage layer when a disk fails: the log directory goes offline."""

from __future__ import annotations

from raftka.model.errors import ErrorCode, KafkaError


class LogDirFailure(KafkaError):
    """An operation on a log directory failed; from now on the directory cannot be trusted.

    The first exception has the OSError as its cause; every later use of a log in that directory
    raises one too. Its code is KAFKA_STORAGE_ERROR, so that handlers need no special case. Source:
    KIP-112.
    """

    def __init__(self, directory: str, what: str) -> None:
        super().__init__(
            ErrorCode.KAFKA_STORAGE_ERROR, f"The log directory {directory} is offline: {what}"
        )
        self.directory = directory
