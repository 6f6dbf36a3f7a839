"""The simulated disk: kills keep the page cache, power losses keep what was synced."""

from __future__ import annotations

import random

import pytest

from raftka.model.ports import read_file, write_atomically
from raftka.model.records import Record, encode_batch
from raftka.simulations.faults.disk import newest_segments
from raftka.simulations.machines.disk import SimDisk, SimFile
from raftka.simulations.machines.life import Killed
from raftka.simulations.machines.medium import Medium
from raftka.simulations.observers.partition_log import PartitionLogs


def machine(seed: int = 0) -> tuple[Medium, SimDisk]:
    medium = Medium(random.Random(seed))
    return medium, SimDisk(medium)


def test_a_killed_process_leaves_what_it_wrote_and_can_write_no_more() -> None:
    medium, disk = machine()
    disk.make_dirs("/data")
    file = disk.open("/data/a", create=True)
    file.write([b"hello"], 0)
    disk.kill()
    with pytest.raises(Killed):
        file.write([b"ghost"], 5)
    assert read_file(SimDisk(medium), "/data/a") == b"hello"


@pytest.mark.parametrize("seed", range(50))
def test_a_power_loss_keeps_what_was_synced_and_a_prefix_of_the_rest(seed: int) -> None:
    medium, disk = machine(seed)
    file = disk.open("/a", create=True)
    file.write([b"0123456789"], 0)
    file.sync()
    states = [b"0123456789"]
    for change in (b"abc", b"defg", b"hi"):
        file.write([change], file.size())
        states.append(bytes(file.read(100, 0)))
    file.truncate(4)
    states.append(b"0123")
    disk.kill()
    medium.lose_power()
    found = read_file(SimDisk(medium), "/a")
    whole = found in states
    torn = any(s.startswith(found) and found.startswith(b"0123456789") for s in states)
    assert whole or torn


@pytest.mark.parametrize("seed", range(20))
def test_an_atomic_replacement_is_old_or_new_after_a_power_loss(seed: int) -> None:
    medium, disk = machine(seed)
    disk.make_dirs("/d")
    write_atomically(disk, "/d/f", b"old")
    file = disk.open("/d/f.tmp", create=True)
    file.write([b"new"], 0)
    file.sync()
    disk.rename("/d/f.tmp", "/d/f")
    disk.kill()
    medium.lose_power()
    assert read_file(SimDisk(medium), "/d/f") in (b"old", b"new")


def test_the_lock_of_a_dead_process_is_free_again() -> None:
    medium, disk = machine()
    disk.lock("/.lock")
    with pytest.raises(BlockingIOError):
        SimDisk(medium).lock("/.lock")
    disk.kill()
    SimDisk(medium).lock("/.lock").release()


def test_corruption_spares_what_is_older_than_the_newest_segment() -> None:
    sizes = {
        "/data/t-0/00000000000000000000.log": 500,
        "/data/t-0/00000000000000000007.log": 0,
        "/data/u-1/00000000000000000000.log": 500,
        "/data/u-1/00000000000000000009.log": 90,
        "/data/u-1/00000000000000000009.index": 8,
        "/data/v-1.f00-delete/00000000000000000000.log": 500,
    }
    assert newest_segments(sizes) == ["/data/u-1/00000000000000000009.log"]


def test_what_was_cut_comes_back_in_the_place_of_what_was_written_since() -> None:
    """Seed 50000394: as many batches as before, and yet one of them is lost."""
    logs = PartitionLogs()
    lost: list[int] = []
    logs.on_loss = lambda mirror, batches: lost.extend(each.epoch for each in batches)
    watcher = logs.watch("n1", "/data/t-0/00000000000000000000.log")
    assert watcher is not None
    first, old, new = (
        encode_batch([Record(0, 1, None, b"a")], base_offset=offset, leader_epoch=epoch)
        for offset, epoch in ((0, 1), (1, 1), (1, 2))
    )
    watcher.wrote(0, first + old)
    watcher.truncated(len(first))
    watcher.wrote(len(first), new)
    watcher.replaced(first + old)
    assert lost == [2]


def test_a_log_full_of_rubbish_has_no_more_batches() -> None:
    """Seed 50000077: a write in the wrong place left a batch with a negative size."""
    logs = PartitionLogs()
    watcher = logs.watch("n1", "/data/t-0/00000000000000000000.log")
    assert watcher is not None
    whole = encode_batch([Record(0, 1, None, b"a")])
    for size in (-1000, -1, 0, 10, 1 << 30):
        rubbish = bytearray(whole)
        rubbish[8:12] = size.to_bytes(4, "big", signed=True)
        watcher.replaced(whole + rubbish)
        mirror = logs.replica("n1", ("t", 0))
        assert mirror is not None
        assert mirror.end_offset == 1


def test_an_overwrite_in_the_middle_is_no_truncation() -> None:
    """A mirror that dropped the bytes after it saw damaged batches that no process had written."""
    logs = PartitionLogs()
    cut: list[int] = []
    corrupt: list[int] = []
    logs.on_truncate.append(
        lambda mirror, batches: cut.extend(each.base_offset for each in batches)
    )
    logs.on_corrupt = lambda mirror, batches: corrupt.extend(each.base_offset for each in batches)
    watcher = logs.watch("n1", "/data/t-0/00000000000000000000.log")
    assert watcher is not None
    first, second, third = (
        bytes(encode_batch([Record(0, 1, None, b"a")], base_offset=offset, leader_epoch=1))
        for offset in range(3)
    )
    watcher.wrote(0, first + second)
    watcher.wrote(len(first), second[:8])
    watcher.wrote(len(first + second), third)
    mirror = logs.replica("n1", ("t", 0))
    assert mirror is not None
    assert [each.base_offset for each in mirror.batches()] == [0, 1, 2]
    assert (cut, corrupt) == ([], [])
    other = bytes(encode_batch([Record(0, 1, None, b"b")], base_offset=1, leader_epoch=2))
    watcher.wrote(len(first), other)
    assert [each.epoch for each in mirror.batches()] == [1, 2, 1]
    assert cut == [1]


def torn(medium: Medium, disk: SimDisk) -> SimFile:
    """A file with 4 bytes that are durable and 4 that a failed sync has lost."""
    file = disk.open("/a", create=True)
    file.write([b"kept"], 0)
    file.sync()
    file.write([b"lost"], 4)
    medium.faults.sync_error_rate, medium.faults.loses_pages = 1.0, True
    with pytest.raises(OSError, match="fsync failed"):
        file.sync()
    medium.faults.sync_error_rate = 0.0
    return file


def test_pages_that_a_failed_sync_has_lost_are_seen_until_the_process_ends() -> None:
    medium, disk = machine()
    file = torn(medium, disk)
    file.sync()  # It succeeds without effect.
    assert file.read(100, 0) == b"keptlost"
    disk.kill()
    medium.process_ended()
    assert read_file(SimDisk(medium), "/a") == b"kept"


def test_what_is_synced_after_lost_pages_is_there_behind_a_hole() -> None:
    medium, disk = machine()
    file = torn(medium, disk)
    file.write([b"more"], 8)
    file.sync()
    disk.kill()
    medium.lose_power()
    assert read_file(SimDisk(medium), "/a") == b"kept\0\0\0\0more"


def test_nobody_is_told_that_lost_pages_are_durable() -> None:
    medium, disk = machine()
    told: list[str] = []

    class Watch(PartitionLogs):
        def synced(self) -> None:
            told.append("synced")

        def wrote(self, offset: int, data: bytes) -> None:
            """Nothing to observe here."""

        def replaced(self, data: bytes) -> None:
            told.append(bytes(data).decode())

    medium.watch = lambda path: Watch()  # type: ignore[assignment, return-value]
    errors: list[str] = []
    medium.on_error = errors.append
    file = torn(medium, disk)
    file.sync()
    medium.process_ended()
    assert told == ["synced", "kept"]
    assert errors == ["/a"]
