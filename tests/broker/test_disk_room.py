"""A volume that fills up: a warning, then producers are refused, until there is room again."""

from __future__ import annotations

from typing import Any

import pytest

from raftka.broker.disk_room import BY_THE_VOLUME, DiskRoom
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import captured

GB = 1 << 30


class Disk:
    def __init__(self, total: int = 100) -> None:
        self.total = total
        self.usable: int | None = total // 2

    def free_bytes(self, path: str) -> tuple[int, int]:
        if self.usable is None:
            raise OSError("Input/output error")
        return self.total, self.usable


def room(disk: Any, reserve: int = BY_THE_VOLUME) -> DiskRoom:
    return DiskRoom(disk, lambda: reserve)


def test_a_full_volume_is_warned_about_once() -> None:
    disk = Disk()
    watch = room(disk)
    with captured() as lines:
        for usable in (50, 9, 8, 30, 5, None):
            disk.usable = usable
            watch.look(["/data"])
    words = [line.words for line in lines]
    assert len(words) == 3
    assert "91% full: shorten retention" in words[0]
    assert "95% full" in words[1]
    assert "does not say how full" in words[2]
    assert watch.full == {}


@pytest.mark.parametrize(
    ("total", "reserve", "least"),
    [
        (100 * GB, BY_THE_VOLUME, 256 << 20),
        (GB, BY_THE_VOLUME, GB // 50),
        (GB, 1000, 1000),
    ],
)
def test_nothing_is_taken_from_producers_once_only_the_reserve_is_left(
    total: int, reserve: int, least: int
) -> None:
    disk = Disk(total)
    watch = room(disk, reserve)
    with captured() as lines:
        disk.usable = least
        watch.look(["/data"])
        watch.check("/data")
        disk.usable = least - 1
        watch.look(["/data", "/data"])
        with pytest.raises(KafkaError, match="takes no records until there is room") as caught:
            watch.check("/data")
        assert caught.value.code is ErrorCode.KAFKA_STORAGE_ERROR
        watch.check("/other")
        # Not at every small change.
        disk.usable = least + 1
        watch.look(["/data"])
        assert watch.full
        disk.usable = 2 * least
        watch.look(["/data"])
        watch.check("/data")
    said = [line.words for line in lines if "90%" not in line.words and "full:" not in line.words]
    assert [words for words in said if "has room again" in words] != []


def test_a_reserve_of_nothing_refuses_nobody() -> None:
    disk = Disk()
    disk.usable = 0
    watch = room(disk, 0)
    watch.look(["/data"])
    assert watch.full == {}


def test_a_producer_that_is_faster_than_the_looks_by_the_clock_does_not_get_at_the_reserve() -> (
    None
):
    disk = Disk(1000)
    watch = room(disk, 100)
    disk.usable = 1000
    watch.look(["/data"])
    taken, looks = 0, 0
    with pytest.raises(KafkaError, match="takes no records until there is room"):
        while True:
            watch.unseen -= 10
            if watch.unseen < 0:
                looks += 1
                watch.check("/data")
            disk.usable -= 10
            taken += 10
    # One write may cross the line: those before it did not.
    assert 900 <= taken <= 910
    assert looks < 15


def test_full_directories_and_unknown_ones_do_not_bound_what_others_take() -> None:
    disk = Disk(1000)
    watch = room(disk, 100)
    disk.usable = 50
    watch.look(["/data"])
    assert watch.full and watch.unseen > 1 << 60
    disk.usable = None
    watch.look(["/data"])
    assert watch.unseen > 1 << 60
