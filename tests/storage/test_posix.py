"""The real disk: short and vectored writes, deleted files still readable, locks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from raftka.storage.config import LogConfig
from raftka.storage.log import Log
from raftka.storage.posix import PosixDisk
from raftka.storage.recovery import RecoveryReport, open_log
from tests.support.logs import NOW_MS, PARTITION, TOPIC_ID, all_records, append


def test_writes_of_many_and_of_odd_buffers(tmp_path: Path) -> None:
    file = PosixDisk().open(str(tmp_path / "f"), create=True)
    parts = [bytes([n % 256]) * (n % 5) for n in range(3000)]
    whole = b"".join(parts)
    assert file.write(parts, 7) == len(whole)
    assert file.size() == len(whole) + 7
    assert file.read(len(whole) + 100, 7) == whole
    assert file.write([memoryview(b"abcdef")[2:], bytearray(b"gh")], 0) == 6
    assert file.read(6, 0) == b"cdefgh"
    file.close()
    file.close()


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite, pwritev = os.pwrite, os.pwritev
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, bytes(data)[:3], at))
    monkeypatch.setattr(os, "pwritev", lambda fd, parts, at: pwritev(fd, parts[:1], at))
    file = PosixDisk().open(str(tmp_path / "f"), create=True)
    assert file.write([b"0123456789"], 0) == 10
    assert file.write([b"abcde", b"", b"fghij"], 10) == 10
    assert file.read(100, 0) == b"0123456789abcdefghij"
    file.close()


def test_a_removed_file_stays_readable_while_referred_to(tmp_path: Path) -> None:
    disk = PosixDisk()
    path = str(tmp_path / "f")
    file = disk.open(path, create=True)
    file.write([b"still here"], 0)
    descriptor = file.fileno()
    disk.remove(path)
    assert file.read(100, 0) == b"still here"
    del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_lock_is_exclusive_and_ends(tmp_path: Path) -> None:
    disk = PosixDisk()
    path = str(tmp_path / ".lock")
    lock = disk.lock(path)
    with pytest.raises(BlockingIOError, match="lock"):
        disk.lock(path)
    lock.release()
    lock.release()
    disk.lock(path).release()


def test_missing_files_are_not_made_by_chance(tmp_path: Path) -> None:
    disk = PosixDisk()
    with pytest.raises(FileNotFoundError):
        disk.open(str(tmp_path / "none"))
    disk.make_dirs(str(tmp_path / "a" / "b"))
    disk.make_dirs(str(tmp_path / "a" / "b"))
    assert disk.is_dir(str(tmp_path / "a"))
    assert disk.list_dir(str(tmp_path)) == ["a"]
    disk.sync_dir(str(tmp_path))
    total, usable = disk.free_bytes(str(tmp_path))
    assert 0 < usable <= total
    disk.remove_tree(str(tmp_path / "a"))
    assert not disk.exists(str(tmp_path / "a"))


async def test_a_log_on_the_real_disk(tmp_path: Path) -> None:
    disk = PosixDisk()
    directory = str(tmp_path / "t-0")
    config = LogConfig(segment_bytes=500, index_interval_bytes=100)

    def opened() -> tuple[Log, RecoveryReport]:
        return open_log(disk, directory, PARTITION, TOPIC_ID, config, now_ms=NOW_MS)

    log, _ = opened()
    for number in range(50):
        append(log, f"{number}", epoch=number // 20)
    await log.flush_in_background(NOW_MS)
    assert log.recovery_point == 50
    log.close()
    log, report = opened()
    assert report.messages == []
    assert [value for _, value in all_records(log)] == [f"{n}" for n in range(50)]
    log.close()
    names = sorted(os.listdir(directory))
    assert f"{0:020d}.log" in names
    assert not any(name.endswith((".deleted", ".tmp")) for name in names)
