"""The journal on disk: what survives, what is truncated, what is refused."""

from __future__ import annotations

from random import Random

import pytest

from raftka.kraft.raft import records
from raftka.kraft.raft.journal import CorruptJournal, Journal
from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.port import ReplicaKey
from raftka.kraft.raft.snapshots import Snapshot
from raftka.kraft.raft.store import Store
from raftka.model.ports import read_file
from raftka.simulations.machines.disk import SimDisk
from raftka.simulations.machines.medium import Medium

DIRECTORY = "/log"


def new_disk(seed: int = 1) -> SimDisk:
    disk = SimDisk(Medium(Random(seed)))
    disk.make_dirs(DIRECTORY)
    disk.sync_dir("/")
    return disk


def filled(disk: SimDisk, entries: int = 20, **settings: int) -> Journal:
    journal = Journal(disk, DIRECTORY, **settings)
    for index in range(1, entries + 1):
        journal.add(b"\x00entry %d" % index, index, 1 + index // 8)
        journal.sync()
    return journal


def contents(journal: Journal) -> list[tuple[bytes, int, int]]:
    return journal.entries(1, journal.last_index + 1)


def test_everything_is_there_after_a_start() -> None:
    disk = new_disk()
    journal = filled(disk)
    journal.setCurrentTerm(7, ReplicaKey(3, b"d" * 16))
    journal.setRaftCommitIndex(11)
    journal.sync()
    again = Journal(disk, DIRECTORY)
    assert contents(again) == contents(journal)
    assert again.getCurrentTerm() == 7
    assert again.getVotedForNodeId() == ReplicaKey(3, b"d" * 16)
    assert again.getRaftCommitIndex() == 11
    assert again.durable_index == 20


def test_a_truncation_is_remembered_across_files() -> None:
    disk = new_disk()
    journal = filled(disk, segment_bytes=200)
    journal.truncate_from(5)
    assert journal.durable_index == 4
    journal.add(b"\x00other", 5, 9)
    journal.sync()
    assert contents(Journal(disk, DIRECTORY)) == contents(journal)
    assert len(disk.list_dir(DIRECTORY)) > 2


def test_what_was_not_synced_is_not_durable() -> None:
    disk = new_disk()
    journal = filled(disk, 3)
    journal.add(b"\x00lost", 4, 2)
    assert journal.dirty and journal.durable_index == 3
    assert Journal(disk, DIRECTORY).last_index == 3


@pytest.mark.parametrize("seed", range(30))
def test_a_write_that_power_loss_tore_is_cut(seed: int) -> None:
    """Whatever part of the last write reached the disk, all before it is there."""
    disk = new_disk(seed)
    journal = filled(disk, 5)
    dice = Random(seed)
    name = f"{DIRECTORY}/{disk.list_dir(DIRECTORY)[0]}"
    durable = len(read_file(disk, name))
    for index in range(6, 6 + dice.randrange(1, 5)):
        journal.add(b"\x00" + dice.randbytes(dice.randrange(900)), index, 2)
    journal.sync()
    whole = read_file(disk, name)
    file = disk.open(name)
    file.truncate(dice.randrange(durable, len(whole)))
    again = Journal(disk, DIRECTORY)
    assert again.last_index >= 5
    again.add(b"\x00next", again.last_index + 1, 3)
    again.sync()
    assert contents(Journal(disk, DIRECTORY)) == contents(again)


@pytest.mark.parametrize("seed", range(40))
def test_a_changed_bit_before_the_last_write_is_refused(seed: int) -> None:
    disk = new_disk()
    filled(disk, 12)
    dice = Random(seed)
    name = f"{DIRECTORY}/{disk.list_dir(DIRECTORY)[0]}"
    data = read_file(disk, name)
    last = records.scan(data).records[-1].write
    start_of_last = next(
        offset
        for offset in range(len(data))
        if (found := records.decode(memoryview(data), offset)) and found[0].write == last
    )
    disk.medium.flip_bit(name, dice.randrange(start_of_last), dice.randrange(8))
    with pytest.raises(CorruptJournal, match=r"damaged at byte \d+ of \d+"):
        Journal(disk, DIRECTORY)


def test_a_damaged_file_before_the_last_is_refused() -> None:
    disk = new_disk()
    filled(disk, 20, segment_bytes=300)
    name = f"{DIRECTORY}/{disk.list_dir(DIRECTORY)[0]}"
    disk.open(name).truncate(len(read_file(disk, name)) - 3)
    with pytest.raises(CorruptJournal, match="damaged"):
        Journal(disk, DIRECTORY)


def test_a_newer_format_is_refused_with_its_number() -> None:
    disk = new_disk()
    file = disk.open(f"{DIRECTORY}/{1:020d}.journal", create=True)
    file.write([records.encode(1, records.Kind.FILE, records.VERSION.pack(9))], 0)
    with pytest.raises(CorruptJournal, match="format 9"):
        Journal(disk, DIRECTORY)


def test_files_go_once_a_snapshot_covers_them() -> None:
    disk = new_disk()
    store = Store(disk, DIRECTORY, segment_bytes=300, retained_bytes=40)
    for index in range(1, 41):
        store.journal.add(b"\x00entry %02d" % index, index, 1)
        store.sync()
    files = len(disk.list_dir(DIRECTORY))
    snapshot = Snapshot(36, 1, VoterSet(), b"state")
    store.write_snapshot(snapshot)
    store.adopt(snapshot)
    store.sync()
    assert len(disk.list_dir(DIRECTORY)) < files / 2
    assert store.journal.base_index == 32, "a few entries stay for followers a little behind"
    again = Store(disk, DIRECTORY)
    assert again.loaded == snapshot
    assert again.journal.last_index == 40
    assert again.journal.base_index <= 32


def test_a_log_is_cut_at_snapshots_although_its_files_may_be_large() -> None:
    disk = new_disk()
    journal = Journal(disk, DIRECTORY, segment_bytes=1 << 30)
    for index in range(1, 101):
        journal.add(b"\x00" * 100, index, 1)
        journal.sync()
        if index % 10 == 0:
            journal.drop_before(index)
    assert sum(len(read_file(disk, f"{DIRECTORY}/{name}")) for name in disk.list_dir(DIRECTORY)) < (
        30 * 150
    )
    assert journal.base_index == 100


def test_a_leaders_snapshot_replaces_the_log_in_one_go() -> None:
    disk = new_disk()
    store = Store(disk, DIRECTORY)
    store.journal.add(b"\x00divergent", 1, 1)
    store.sync()
    store.install(Snapshot(50, 3, VoterSet(), b"state"))
    assert store.dirty and store.journal.last_index == 50
    unfinished = Store(SimDisk(disk.medium), DIRECTORY)
    assert unfinished.loaded is None and unfinished.journal.last_index == 1
    store.sync()
    again = Store(disk, DIRECTORY)
    assert again.loaded is not None and again.loaded.payload == b"state"
    assert (again.journal.base_index, again.journal.last_index) == (50, 50)
    assert again.journal.getRaftCommitIndex() == 50


def test_a_log_whose_snapshot_is_gone_is_refused() -> None:
    disk = new_disk()
    store = Store(disk, DIRECTORY)
    store.install(Snapshot(50, 3, VoterSet(), b"state"))
    store.sync()
    name = f"{DIRECTORY}/{store.snapshot.name if store.snapshot else ''}"
    disk.medium.flip_bit(name, 20, 2)
    with pytest.raises(CorruptJournal, match=r"starts after entry 50.*checksum does not match"):
        Store(disk, DIRECTORY)
