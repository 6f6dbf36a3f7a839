"""A volume that fills up is warned about once, and again after it was emptier."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from raftka.broker.housekeeping import _DiskWatch
from raftka.model.logs import captured


class Disk:
    def __init__(self) -> None:
        self.usable: int | None = 50

    def free_bytes(self, path: str) -> tuple[int, int]:
        if self.usable is None:
            raise OSError("Input/output error")
        return 100, self.usable


def test_a_full_volume_is_warned_about_once() -> None:
    disk = Disk()
    node: Any = SimpleNamespace(logs=SimpleNamespace(online=["/data"]), disk=disk)
    watch = _DiskWatch(node)
    with captured() as lines:
        for usable in (50, 9, 8, 30, 5, None):
            disk.usable = usable
            watch.look()
    words = [line.words for line in lines]
    assert len(words) == 3
    assert "91% full: shorten retention" in words[0]
    assert "95% full" in words[1]
    assert "does not say how full" in words[2]
