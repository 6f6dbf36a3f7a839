"""Aborted transactions in one log: found by reads, kept by restarts, cut by truncation."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

from raftka.model.errors import ErrorCode
from raftka.model.ports import FileRegion, read_file
from raftka.model.rules import Rule
from raftka.simulations.machines.disk import SimDisk
from raftka.storage.log import Log
from raftka.storage.producer_state import ProducerState
from raftka.storage.recovery import open_log
from raftka.storage.transaction_index import AbortedTransaction
from tests.support.logs import (
    DIRECTORY,
    NOW_MS,
    PARTITION,
    TOPIC_ID,
    append,
    new_disk,
    new_log,
    reopen,
)
from tests.support.transactional_logs import aborted, end, refused, send

INDEX = f"{DIRECTORY}/{0:020d}.txnindex"


# ---- aborted transactions


def two_aborted(disk: SimDisk | None = None, **settings: int) -> Log:
    """Producers 7 and 9 abort, 8 commits in between."""
    log = new_log(disk, **settings)
    for pid in (7, 8, 9):
        send(log, pid, count=2)
    end(log, 7, commit=False)
    end(log, 8, commit=True)
    end(log, 9, commit=False)
    append(log, "last")
    return log


ENTRIES = [AbortedTransaction(7, 0, 6, 2), AbortedTransaction(9, 4, 8, 9)]


def test_the_index_has_the_bytes_of_kafka() -> None:
    disk = new_disk()
    log = two_aborted(disk)
    assert aborted(log) == ENTRIES
    fields = [(0, 2), (7, 8), (0, 8), (6, 8), (2, 8), (0, 2), (9, 8), (4, 8), (8, 8), (9, 8)]
    assert read_file(disk, INDEX) == b"".join(
        value.to_bytes(size, "big", signed=True) for value, size in fields
    )


def test_there_is_no_file_without_an_aborted_transaction() -> None:
    disk = new_disk()
    log = new_log(disk)
    send(log, 7)
    end(log, 7, commit=True)
    log.close()
    assert not disk.exists(INDEX)


def test_a_read_is_told_of_the_aborted_transactions_that_it_touches() -> None:
    log = two_aborted()
    upper = log.log_end_offset

    def of(offset: int, max_bytes: int = 10_000) -> list[int]:
        found = log.read(offset, max_bytes, upper)
        return [each.producer_id for each in log.aborted_transactions(offset, found, upper)]

    assert of(0) == [7, 9]
    assert of(0, 1) == [7], "one batch is read, and 9 begins behind it"
    assert of(7) == [9]
    assert of(9) == []


@pytest.mark.parametrize("segment_bytes", [150, 300, 1 << 30])
def test_every_read_of_an_old_log_is_told_of_the_same(segment_bytes: int) -> None:
    disk = new_disk()
    log = two_aborted(disk, segment_bytes=segment_bytes, index_interval_bytes=1)
    log.close()
    log, _ = reopen(disk, clean=True, config=log.config)
    upper = log.log_end_offset
    for offset in range(upper):
        found = log.read(offset, 100, upper)
        said = {each.producer_id for each in log.aborted_transactions(offset, found, upper)}
        assert {7} <= said or offset > 6
        assert {9} <= said or offset < 4 or offset > 8
        assert said <= ({7} if offset <= 6 else set()) | ({9} if offset <= 8 else set())


@pytest.mark.parametrize("clean", [True, False])
def test_open_and_aborted_transactions_survive_a_restart(clean: bool) -> None:
    disk = new_disk()
    log = two_aborted(disk, segment_bytes=300)
    send(log, 10, epoch=4)
    if clean:
        log.close()
    else:
        log.flush()
    log, _ = reopen(disk, clean=clean, config=log.config, recovery_point=0)
    assert aborted(log) == ENTRIES
    assert log.stable_offset(11) == 10
    assert log.producer_state.producers[10].txn_first_offset == 10
    assert refused(partial(end, log, 7, commit=True, coordinator=0)) is (
        ErrorCode.TRANSACTION_COORDINATOR_FENCED
    )
    end(log, 10, commit=False, epoch=4)
    assert aborted(log)[-1] == AbortedTransaction(10, 10, 11, 12)


def test_an_open_transaction_outlives_its_records() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=300, retention_ms=1)
    send(log, 7)
    for _ in range(9):
        append(log, "x" * 100)
    log.delete_old_segments(NOW_MS + 10_000, log.log_end_offset)
    assert log.log_start_offset > 0
    log.close()
    log, _ = reopen(disk, clean=True, config=log.config, log_start_offset=log.log_start_offset)
    assert log.producer_state.producers[7].txn_first_offset == 0
    assert log.stable_offset(10) == log.log_start_offset
    end(log, 7, commit=False)
    assert log.stable_offset(log.log_end_offset) == log.log_end_offset


def test_an_index_that_cannot_be_right_is_made_again() -> None:
    for damage in (b"\0" * 33, b"\1" + b"\0" * 33, b"\0" * 68):
        disk = new_disk()
        log = two_aborted(disk, segment_bytes=300)
        log.close()
        name = next(segment for segment in log.segments if segment.transaction_index.entries)
        file = disk.open(name.transaction_index.path)
        file.truncate(0)
        file.write([damage], 0)
        log, report = reopen(disk, clean=True, config=log.config, recovery_point=log.log_end_offset)
        assert aborted(log) == ENTRIES
        assert any("transaction index is rebuilt" in words for words in report.messages)


def test_truncation_takes_entries_and_opens_transactions_again() -> None:
    log = two_aborted()
    log.truncate_to(8)
    assert aborted(log) == ENTRIES[:1]
    assert log.stable_offset(8) == 4
    log.truncate_to(5)
    assert aborted(log) == []
    assert log.stable_offset(4) == 0


def test_a_follower_knows_what_its_leader_knows() -> None:
    leader, follower = two_aborted(), new_log()
    send(leader, 10)
    region = leader.read(0, 10_000, leader.log_end_offset).pieces[0]
    assert isinstance(region, FileRegion)
    follower.append_as_follower(region.file.read(region.size, 0))
    assert aborted(follower) == ENTRIES
    end_offset = leader.log_end_offset
    assert follower.stable_offset(end_offset) == leader.stable_offset(end_offset) == 10


def test_followers_and_restarts_judge_nothing() -> None:
    """A follower stores whatever its leader has appended, even what this leader would refuse."""
    leader, _ = open_log(
        new_disk(), DIRECTORY, PARTITION, TOPIC_ID, new_log().config, now_ms=NOW_MS,
        verifies=lambda: False, rules_off={Rule.PRODUCER_EPOCH_FENCES},
    )  # fmt: skip
    send(leader, 7, epoch=3, asks=False)
    end(leader, 7, commit=False, epoch=1)
    follower = new_log()
    region = leader.read(0, 10_000, leader.log_end_offset).pieces[0]
    assert isinstance(region, FileRegion)
    follower.append_as_follower(region.file.read(region.size, 0))
    assert aborted(follower) == [AbortedTransaction(7, 0, 1, 2)]


# ---- a story with crashes


class Story:
    """A log with random transactions, and what a scan of it says at any time."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.disk = new_disk(seed)
        self.log = new_log(self.disk, segment_bytes=700)
        self.point = 0

    def step(self) -> None:
        dice, log = self.dice, self.log
        pid = dice.randrange(4)
        entry = log.producer_state.producers.get(pid)
        epoch = 0 if entry is None else entry.epoch
        choice = dice.random()
        if choice < 0.5:
            newest = entry.batches[-1].last_sequence if entry and entry.batches else -1
            send(log, pid, newest + 1, count=dice.randrange(1, 4), epoch=epoch)
        elif choice < 0.8:
            version = dice.choice((0, 2))
            end(
                log, pid, commit=dice.random() < 0.4, epoch=epoch + (version == 2),
                version=version,
            )  # fmt: skip
        elif choice < 0.85:
            log.truncate_to(dice.randrange(max(0, log.log_end_offset - 5), log.log_end_offset + 1))
        elif choice < 0.92:
            log.flush()
        elif choice < 0.95:
            log.rest()
        elif choice < 0.97:
            log.flush()
            log.close()
            self.reopen(clean=True, recovery_point=log.recovery_point)
        else:
            point = log.recovery_point
            self.disk.medium.lose_power()
            self.reopen(clean=False, recovery_point=point)

    def reopen(self, *, clean: bool, recovery_point: int) -> None:
        self.log, _ = reopen(
            self.disk, clean=clean, recovery_point=recovery_point, config=self.log.config
        )

    def check(self) -> None:
        state, expected = ProducerState(), []
        for segment in self.log.segments:
            for position, header in segment.headers():
                found = state.replay(header, partial(segment.batch_at, position, header))
                if found is not None:
                    expected.append(found)
        assert aborted(self.log) == expected
        for segment in self.log.segments:
            last = self.log.log_end_offset
            assert all(
                segment.base_offset <= each.last_offset < last
                for each in segment.transaction_index.entries
            )
        high_watermark = self.log.log_end_offset
        state.transactions.committed(high_watermark)
        stable = min(high_watermark, state.transactions.first_unstable)
        assert self.log.stable_offset(high_watermark) == stable
        assert {
            pid: (entry.epoch, entry.coordinator_epoch, entry.txn_first_offset)
            for pid, entry in self.log.producer_state.producers.items()
        } == {
            pid: (entry.epoch, entry.coordinator_epoch, entry.txn_first_offset)
            for pid, entry in state.producers.items()
        }


@pytest.mark.parametrize("seed", range(30))
def test_the_index_and_the_producers_are_always_those_of_the_log(seed: int) -> None:
    story = Story(seed)
    for _ in range(150):
        story.step()
        story.check()
