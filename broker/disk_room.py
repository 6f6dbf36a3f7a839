"""How much room the volumes of log directories have: a warning first, then producers are refused.

A write for which there is no room takes its directory offline, and with the last one the broker
ends. So producers are refused while a reserve is left, which metadata, offsets, replicas and a
restart need; once retention or an operator has made room, they are served again.

A fast producer fills what is left of a small volume between two looks by the clock, so what
producers send is counted: after half of the room that was seen, this looks again.
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
"""As the reserve: a fiftieth of the volume, and at most so much:"""
_MOST_RESERVED: Final = 256 * 1024 * 1024
_UNKNOWN: Final = 1 << 62
"""Room until the first look, and where no directory says how much it has."""
_ENOUGH: Final = 1.5
"""So many times the reserve must be free before a directory takes records again."""


class DiskRoom:
    """What is known of each log directory's volume since the last look."""

    def __init__(self, disk: Disk, reserve: Callable[[], int]) -> None:
        """`reserve` is raftka.log.dirs.reserve.bytes as the settings have it now."""
        self._disk = disk
        self._reserve = reserve
        self._warned: set[str] = set()
        self.full: dict[str, str] = {}
        """By directory that takes no records of producers, why, in words."""
        self.unseen = _UNKNOWN
        """Bytes that producers may still write before `check` has to look again: who appends
        subtracts what it appends, and calls `check` below 0 and where a directory is full."""
        self._watched: tuple[str, ...] = ()

    def check(self, directory: str) -> None:
        """Raise KafkaError KAFKA_STORAGE_ERROR where records are no longer taken."""
        if self.unseen < 0:
            self.look(self._watched)
        if (words := self.full.get(directory)) is not None:
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, words)

    def look(self, directories: Iterable[str]) -> None:
        """Ask the system about each; cheap enough for every second."""
        self._watched = tuple(directories)
        rooms = []
        for path in self._watched:
            try:
                total, usable = self._disk.free_bytes(path)
            except OSError as error:
                # What is wrong with it shows at the next write, which takes it offline.
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
