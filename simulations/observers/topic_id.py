"""The topic id of the log in a directory: partition.metadata (KIP-516).

A power loss may remove the file and leave the records. They may then belong to a deleted topic of
the same name, so they count as lost with the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from raftka.simulations.observers.partition_log import Key

_PATH: Final = re.compile(r".*/([^/]+)-(\d+)/partition\.metadata")


Lost = Callable[[str, Key, int], None]
"""Called with the host, the partition, and the number of batches known to be lost."""


def watch(lost: Lost, host: str, path: str) -> TopicIdFile | None:
    """The watcher for a new file, if it is one of these; `lost` is called when the file is lost."""
    return TopicIdFile(lost, host, path) if _PATH.fullmatch(path) else None


class TopicIdFile:
    """Watches one partition.metadata."""

    def __init__(self, lost: Lost, host: str, path: str) -> None:
        self._lost_log = lost
        self._host = host
        self._path = path
        self._size = 0

    def wrote(self, offset: int, data: bytes) -> None:
        self._size = offset + len(data)

    def truncated(self, size: int) -> None:
        """This does not happen."""

    def synced(self) -> None:
        """The file is durable from now on."""

    def replaced(self, data: bytes) -> None:
        if len(data) < self._size:
            self._lost()

    def renamed(self, path: str) -> None:
        self._path = path

    def removed(self) -> None:
        self._lost()

    def _lost(self) -> None:
        match = _PATH.fullmatch(self._path)
        if match is not None:
            self._lost_log(self._host, (match[1], int(match[2])), 0)
