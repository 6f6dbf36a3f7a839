"""The free space of the log directories' volumes: when it runs low, a warning, then producers are
refused.

A write that fails for lack of space takes its directory offline, and with the last directory the
broker shuts down. So producers are refused while a reserve is left for metadata, offsets,
replication and a restart; once retention or an operator has freed space, they are served again.

A fast producer can fill a small volume between two periodic checks, so produced bytes are counted:
after half of the free space seen last, the next check follows at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import get_logger
from raftka.model.ports import Disk

log = get_logger(__name__)

_NEARLY_FULL: Final = 0.9
BY_THE_VOLUME: Final = -1
"""Stands for a reserve of a fiftieth of the volume, at most `_MOST_RESERVED`."""
_MOST_RESERVED: Final = 256 * 1024 * 1024
_UNKNOWN: Final = 1 << 62
"""The free space before the first check, and if no directory reports any."""
_ENOUGH: Final = 1.5
"""The multiple of the reserve that must be free before a directory accepts records again."""


class DiskRoom:
    """The state of each log directory's volume as of the last check."""

    def __init__(self, disk: Disk, reserve: Callable[[], int]) -> None:
        """`reserve` returns the current raftka.log.dirs.reserve.bytes."""
        self._disk = disk
        self._reserve = reserve
        self._warned: set[str] = set()
        self.full: dict[str, str] = {}
        """The directories that refuse producers' records, and the reasons."""
        self.unseen = _UNKNOWN
        """Bytes that producers may still write before `check` must look again: the appender
        subtracts the bytes that it appends, and calls `check` if this is below 0 or a directory is
        full."""
        self._watched: tuple[str, ...] = ()

    def check(self, directory: str) -> None:
        """Raise KafkaError KAFKA_STORAGE_ERROR if the directory accepts no records."""
        if self.unseen < 0:
            self.look(self._watched)
        if (words := self.full.get(directory)) is not None:
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, words)

    def look(self, directories: Iterable[str]) -> None:
        """Ask the operating system for the free space of each; cheap enough for every second."""
        self._watched = tuple(directories)
        rooms = []
        for path in self._watched:
            try:
                total, usable = self._disk.free_bytes(path)
            except OSError as error:
                # The next write will show the error, and take the directory offline.
                log.warning(f"log directory {path} does not say how full it is: {error}")
                continue
            self._warn(path, total, usable)
            left = self._reserved(path, total, usable)
            if path not in self.full:
                rooms.append(left)
        self.unseen = min(rooms, default=_UNKNOWN) // 2

    def _warn(self, path: str, total: int, usable: int) -> None:
        share = 1 - usable / total if total > 0 else 0.0
        if share < _NEARLY_FULL:
            self._warned.discard(path)
        elif path not in self._warned:
            self._warned.add(path)
            log.warning(
                f"log directory {path} is on a volume that is {share:.0%} full: shorten"
                " retention, move replicas away or add room; when only the reserve is left"
                " (raftka.log.dirs.reserve.bytes), producers are refused",
                usable_bytes=usable,
            )

    def _reserved(self, path: str, total: int, usable: int) -> int:
        """Bytes that producers may write until only the reserve is left."""
        reserve = self._reserve()
        if reserve == BY_THE_VOLUME:
            reserve = min(total // 50, _MOST_RESERVED)
        if usable < reserve and path not in self.full:
            self.full[path] = (
                f"log directory {path} has {usable} bytes left, fewer than the {reserve} in reserve"
                " (raftka.log.dirs.reserve.bytes): it takes no records until there is room again."
                " Shorten retention, move replicas away, or add room"
            )
            log.error(self.full[path])
        elif path in self.full and usable >= reserve * _ENOUGH:
            del self.full[path]
            log.info(f"log directory {path} has room again and takes records", usable_bytes=usable)
        return max(0, usable - reserve)
