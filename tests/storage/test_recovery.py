"""Recovery: whatever a crash leaves becomes a valid log, and the report names the damage."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

from raftka.model.ports import read_file
from raftka.model.record_batch import iter_batches
from raftka.model.records import iter_records
from raftka.simulations.machines.disk import SimDisk
from raftka.storage.config import LogConfig
from raftka.storage.leader_epochs import LeaderEpochCache
from raftka.storage.log import Log
from raftka.storage.producer_state import ProducerState
from tests.support.logs import (
    DIRECTORY,
    FIRST_LOG,
    NOW_MS,
    all_records,
    append,
    batch,
    new_disk,
    new_log,
    reopen,
)


def overwrite(disk: SimDisk, path: str, data: bytes) -> None:
    file = disk.open(path, create=True)
    file.truncate(0)
    file.write([data], 0)


def boundaries(data: bytes) -> list[tuple[int, int]]:
    """(position after it, offset after it) of each batch, from (0, 0) on."""
    found = [(0, 0)]
    for header, _ in iter_batches(data):
        found.append((found[-1][0] + header.size, header.next_offset))
    return found


def test_a_cut_at_any_byte_leaves_the_batches_before_it() -> None:
    disk = new_disk()
    log = new_log(disk, index_interval_bytes=100)
    for number in range(8):
        append(log, f"{number}", f"{number}")
    log.close()
    whole = read_file(disk, FIRST_LOG)
    ends = boundaries(whole)
    for cut in range(len(whole) + 1):
        overwrite(disk, FIRST_LOG, whole[:cut])
        log, report = reopen(disk, config=LogConfig(index_interval_bytes=100))
        position, end = max(entry for entry in ends if entry[0] <= cut)
        assert (log.size, log.log_end_offset) == (position, end)
        assert report.truncated_bytes == cut - position
        assert bool(report.messages) == (cut != position)
        assert not report.corrupt_middle
        assert dict(all_records(log)) == {o: f"{o // 2}" for o in range(end)}


@pytest.mark.parametrize("tail", [bytes(100), b"\xff" * 100, b"garbage" * 20])
def test_a_tail_of_anything_is_cut_and_appending_goes_on(tail: bytes) -> None:
    disk = new_disk()
    log = new_log(disk)
    append(log, "a")
    log.close()
    overwrite(disk, FIRST_LOG, read_file(disk, FIRST_LOG) + tail)
    log, report = reopen(disk)
    assert report.truncated_bytes == len(tail)
    assert "torn tail" in report.messages[0]
    assert "t-0" in report.messages[0]
    append(log, "b")
    log.close()
    log, report = reopen(disk)
    assert report.truncated_bytes == 0
    assert list(all_records(log)) == [(0, "a"), (1, "b")]


@pytest.mark.parametrize("field", ["payload", "length", "magic"])
def test_a_corrupt_middle_is_told_kept_aside_and_never_served(field: str) -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=600)
    for number in range(12):
        append(log, f"value {number}")
    log.close()
    damaged = read_file(disk, FIRST_LOG)
    position = boundaries(damaged)[3][0]
    at = {"payload": 80 - 5, "length": 9, "magic": 16}[field]
    disk.medium.flip_bit(FIRST_LOG, position + at, 4)
    before = read_file(disk, FIRST_LOG)
    log, report = reopen(disk, config=LogConfig(segment_bytes=600))
    assert report.corrupt_middle
    assert "CORRUPT MIDDLE" in report.messages[0]
    assert f"position {position}" in report.messages[0]
    assert dict(all_records(log)) == {n: f"value {n}" for n in range(3)}
    assert len(log.segments) == 1
    kept = [name for name in disk.list_dir(DIRECTORY) if name.endswith(".corrupt")]
    assert kept[0] in report.messages[0]
    assert read_file(disk, f"{DIRECTORY}/{kept[0]}") == before[position:]
    append(log, "again from 3")
    assert reopen(disk)[1].messages == []


def test_segments_before_the_recovery_point_are_not_scanned() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=300)
    for number in range(20):
        append(log, f"{number}")
    log.flush()
    bases = [segment.base_offset for segment in log.segments]
    _, report = reopen(disk, recovery_point=log.recovery_point)
    assert report.scanned_bytes == log.segments[-1].size
    _, report = reopen(disk, recovery_point=bases[2])
    assert report.scanned_bytes == sum(s.size for s in log.segments[2:])


def test_a_clean_shutdown_is_believed_unless_the_file_says_otherwise() -> None:
    disk = new_disk()
    log = new_log(disk)
    append(log, "a")
    append(log, "b")
    log.close()
    assert reopen(disk, clean=True)[1].scanned_bytes == 0
    data = read_file(disk, FIRST_LOG)
    overwrite(disk, FIRST_LOG, data[:-1])
    log, report = reopen(disk, clean=True)
    assert log.log_end_offset == 1
    assert len(report.messages) == 2


@pytest.mark.parametrize("suffix", [".index", ".timeindex"])
@pytest.mark.parametrize("damage", ["missing", "empty", "odd", "shuffled", "shifted", "zeros"])
@pytest.mark.parametrize("clean", [True, False])
def test_indexes_that_disagree_are_rebuilt(suffix: str, damage: str, clean: bool) -> None:
    disk = new_disk()
    settings = {"index_interval_bytes": 100, "segment_bytes": 1500}
    log = new_log(disk, **settings)
    for number in range(60):
        log.append_as_leader(batch(f"{number}", timestamp=NOW_MS + number), 0, NOW_MS)
    log.flush()
    log.close()
    path = FIRST_LOG.replace(".log", suffix)
    good = read_file(disk, path)
    entry = 8 if suffix == ".index" else 12
    entries = [good[at : at + entry] for at in range(0, len(good), entry)]
    disk.remove(path)
    bad = {
        "empty": b"",
        "odd": good[:-1],
        "shuffled": b"".join(entries[::-1]),
        "shifted": good[entry - 1 :] + bytes(entry - 1),
        "zeros": good + bytes(entry * 5),
    }
    if damage in bad:
        overwrite(disk, path, bad[damage])
    log, report = reopen(
        disk,
        clean=clean,
        recovery_point=60,
        config=LogConfig(**settings),  # type: ignore[arg-type]
    )
    assert report.truncated_bytes == 0
    assert [offset for offset, _ in all_records(log)] == list(range(60))
    for number in range(60):
        assert log.read(number, 1, 60).size > 0
        if suffix == ".index":
            found = log.offset_for_timestamp(NOW_MS + number)
            assert found == (NOW_MS + number, number, 0)


def test_leftovers_of_deletions_go() -> None:
    disk = new_disk()
    append(new_log(disk), "a")
    for name in ("00000000000000000000.log.deleted", "x.tmp", "00000000000000000007.index"):
        overwrite(disk, f"{DIRECTORY}/{name}", b"x")
    log, report = reopen(disk)
    assert log.log_end_offset == 1
    assert report.messages == ["t-0: removed 00000000000000000007.index, which has no log file"]
    assert disk.list_dir(DIRECTORY) == [
        "00000000000000000000.index",
        "00000000000000000000.log",
        "00000000000000000000.timeindex",
        "leader-epoch-checkpoint",
    ]


def test_a_corrupt_epoch_file_is_rebuilt_from_the_log() -> None:
    disk = new_disk()
    log = new_log(disk)
    for epoch in (1, 1, 3, 8):
        append(log, "x", epoch=epoch)
    log.close()
    for damage in (b"", b"0\n5\n1 0\n", b"0\n1\nx y\n", b"0\n2\n3 0\n1 5\n", b"\xff\xfe"):
        overwrite(disk, f"{DIRECTORY}/leader-epoch-checkpoint", damage)
        log, report = reopen(disk, clean=True)
        assert log.epochs.entries() == [(1, 0), (3, 2), (8, 3)]
        assert "leader epochs" in report.messages[0]


@pytest.mark.parametrize("clean", [False, True])
def test_an_epoch_without_records_is_forgotten_by_the_file_too(clean: bool) -> None:
    disk = new_disk()
    log, leader = new_log(disk), new_log()
    for each in (log, leader):
        append(each, "a", "b", epoch=0)
        append(each, "c", epoch=1)
    log.assign_epoch(2, 3)
    log.close()
    log, _ = reopen(disk, clean=clean)
    assert epochs_on_disk(disk) == log.epochs.entries() == [(0, 0), (1, 2)]
    # Its successor did not know epoch 2 yet when it wrote this.
    append(leader, "d", epoch=1)
    piece = leader.read(3, 1000, 4).pieces[0]
    log.append_as_follower(piece.file.read(piece.size, piece.offset))  # type: ignore[union-attr]
    assert epochs_on_disk(disk) == epochs_by_scan(disk, log)


@pytest.mark.parametrize("seed", range(8))
def test_epochs_that_a_killed_process_saved_become_durable_with_the_next_flush(seed: int) -> None:
    disk = new_disk(seed)
    append(new_log(disk), "a", epoch=1)
    log, _ = reopen(disk)
    log.flush()
    disk.medium.lose_power()
    assert epochs_on_disk(SimDisk(disk.medium)) == [(1, 0)]


class Story:
    """A broker's life on one disk with power losses, and what must be true after each."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.disk = new_disk(seed)
        self.settings = LogConfig(segment_bytes=700, index_interval_bytes=150)
        self.log = reopen(self.disk, config=self.settings)[0]
        self.written: list[str] = []
        """The value at each offset, as the log's present owner knows it."""
        self.cut: list[list[str]] = []
        """The same before each truncation that is not durable yet: a crash may undo it."""
        self.durable = 0
        self.epoch = 0
        self.sequences: dict[int, int] = {}

    def step(self) -> None:
        act = self.dice.choices(
            [self.append, self.flush, self.lead, self.rest, self.truncate, self.crash],
            [20, 3, 1, 1, 1, 2],
        )[0]
        act()

    def append(self) -> None:
        self.epoch += self.dice.random() < 0.1
        count = self.dice.randrange(1, 4)
        values = [f"{self.dice.randrange(1000)}" for _ in range(count)]
        producer = self.dice.randrange(3)
        entry = self.log.producer_state.producers.get(producer)
        sequence = entry.batches[-1].last_sequence + 1 if entry and entry.batches else 0
        data = batch(*values, producer_id=producer, base_sequence=sequence)
        self.log.append_as_leader(data, self.epoch, NOW_MS)
        self.written += values

    def flush(self) -> None:
        self.log.flush(NOW_MS)
        self.durable = self.log.recovery_point
        self.cut.clear()

    def lead(self) -> None:
        self.epoch += 1
        self.log.assign_epoch(self.epoch, self.log.log_end_offset)

    def rest(self) -> None:
        self.log.rest()

    def truncate(self) -> None:
        end = self.log.log_end_offset
        self.cut.append(self.written.copy())
        self.epoch += 1
        self.log.truncate_to(self.dice.randrange(max(0, end - 10), end + 1))
        del self.written[self.log.log_end_offset :]
        self.durable = min(self.durable, self.log.log_end_offset)

    def crash(self) -> None:
        power = self.dice.random() < 0.7
        if power:
            self.disk.medium.lose_power()
        self.disk = SimDisk(self.disk.medium)
        self.log, _ = reopen(self.disk, recovery_point=self.durable, config=self.settings)
        self.check(self.durable if power else len(self.written))
        self.durable = min(self.durable, self.log.log_end_offset)
        # The next leader may not know an epoch in which nothing was written.
        self.epoch = max(0, self.log.latest_epoch)

    def check(self, at_least: int) -> None:
        log = self.log
        assert log.log_end_offset >= at_least
        got = [value for _, value in all_records(log)]
        assert len(got) == log.log_end_offset
        lives = (self.written, *self.cut)
        assert got in [life[: len(got)] for life in lives]
        self.written = got
        for segment in log.segments:
            for key, position in segment.offset_index.entries():
                header = segment.header_at(position)
                assert header is not None
                assert header.last_offset == key
        assert log.epochs.entries() == epochs_by_scan(self.disk, log)
        on_disk = epochs_on_disk(self.disk)
        if not log.size:
            on_disk = []  # Its first batch will have the file written.
        assert on_disk == log.epochs.entries()
        assert producers_of(log.producer_state) == producers_of(producers_by_scan(log))


def epochs_by_scan(disk: SimDisk, log: Log) -> list[tuple[int, int]]:
    cache = LeaderEpochCache(disk, "/unused")
    for segment in log.segments:
        for _, header in segment.headers():
            cache.assign(header.leader_epoch, header.base_offset)
    return cache.entries()


def epochs_on_disk(disk: SimDisk) -> list[tuple[int, int]]:
    cache = LeaderEpochCache(disk, DIRECTORY)
    cache.load()
    return cache.entries()


def producers_by_scan(log: Log) -> ProducerState:
    state = ProducerState()
    for segment in log.segments:
        for position, header in segment.headers():
            state.replay(header, partial(segment.batch_at, position, header))
    return state


def producers_of(state: ProducerState) -> dict[int, tuple[int, list[tuple[int, ...]]]]:
    return {
        producer_id: (entry.epoch, [tuple(b) for b in entry.batches])
        for producer_id, entry in sorted(state.producers.items())
    }


@pytest.mark.parametrize("seed", range(60))
def test_power_losses_leave_a_valid_prefix(seed: int) -> None:
    story = Story(seed)
    for _ in range(120):
        story.step()


def test_the_records_of_a_recovered_log_are_readable_one_by_one() -> None:
    disk = new_disk()
    log = new_log(disk, compression_type="zstd")
    append(log, "a", "b", "c")
    log, _ = reopen(disk)
    piece = log.read(1, 1000, 3).pieces[0]
    data = piece.file.read(piece.size, piece.offset)  # type: ignore[union-attr]
    assert [record.value for record in iter_records(data)] == [b"a", b"b", b"c"]
