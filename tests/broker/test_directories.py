"""A node's directories at its start: which failures stop it, and which it tolerates."""

from __future__ import annotations

from pathlib import Path

import pytest

from raftka.broker.directories import open_directories
from raftka.model.ids import NO_EPOCH, Uuid
from raftka.model.settings.config import Config
from raftka.storage import clean_shutdown, meta_properties
from raftka.storage.meta_properties import BadDirectory, MetaProperties
from raftka.storage.posix import PosixDisk

DISK = PosixDisk()
NAMES = ("a", "b", "c")


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Three formatted directories of node 1, each closed in epoch 7."""
    found = [str(tmp_path / name) for name in NAMES]
    for number, path in enumerate(found):
        meta_properties.write(DISK, path, MetaProperties("cluster", 1, Uuid(bytes([number] * 16))))
        clean_shutdown.write(DISK, path, 7)
    return found


def config(paths: list[str]) -> Config:
    return Config({}, {}, {}, hostname=lambda: "h", values={"log.dirs": tuple(paths), "node.id": 1})


def break_disk(path: str) -> None:
    """The path is no longer a directory, which is how root sees an unreadable disk."""
    Path(path).rename(f"{path}.before")
    Path(path).write_text("")


def test_all_directories_have_their_places(paths: list[str]) -> None:
    found = open_directories(DISK, config(paths))
    assert found.directory_ids == tuple(bytes([number] * 16) for number in range(3))
    assert (found.failed, found.previous_broker_epoch) == ({}, 7)
    found.release()


def test_an_unreadable_one_is_offline_and_the_others_are_served(paths: list[str]) -> None:
    break_disk(paths[1])
    found = open_directories(DISK, config(paths))
    assert list(found.failed) == [paths[1]]
    assert found.directory_ids == (bytes(16), bytes([2] * 16))
    assert found.ids_of(paths) == found.directory_ids
    # Logs may be missing: the controller must not take the shutdown for a clean one.
    assert found.previous_broker_epoch == NO_EPOCH
    found.release()


def test_nothing_starts_without_the_metadata_log(paths: list[str]) -> None:
    break_disk(paths[0])
    with pytest.raises(BadDirectory, match="which has the metadata log, cannot be used"):
        open_directories(DISK, config(paths))


def test_one_that_was_never_formatted_stops_the_start(paths: list[str]) -> None:
    """As on Apache Kafka: it may be a disk that was not mounted."""
    (Path(paths[2]) / "meta.properties").unlink()
    with pytest.raises(BadDirectory, match="is not formatted"):
        open_directories(DISK, config(paths))
    # Those that were locked before are free again.
    for path in paths[:2]:
        DISK.lock(f"{path}/.lock").release()
