"""A crash at every disk operation of a cleaning: no loss, and the next cleaning succeeds."""

from __future__ import annotations

import copy

import pytest

from raftka.model.records import Record, encode_batch
from raftka.simulations.machines.disk import SimDisk
from raftka.simulations.machines.medium import Medium
from raftka.storage.cleaning import swap
from raftka.storage.log import Log
from tests.support.cleaning import CompactedBroker, contents, latest, put
from tests.support.logs import DIRECTORY, NOW_MS, PARTITION


class Crash(BaseException):
    """The process ends here."""


class CrashingDisk(SimDisk):
    """Ends its process at the n-th operation."""

    def __init__(self, medium: Medium, operations: int) -> None:
        super().__init__(medium)
        self.left = operations

    def check_alive(self) -> None:
        if self.left == 0:
            raise Crash
        self.left -= 1


Pairs = list[tuple[int, str, str | None]]


async def prepared(*, durable: bool = True) -> tuple[Medium, Pairs]:
    """The disk of a broker that ends without a shutdown, with a log that was cleaned once."""
    broker = CompactedBroker()
    log = await broker.start()
    for number in range(8):
        put(log, ("a", f"{number}"), (f"b{number % 3}", f"{number}"), epoch=number // 4)
    log.roll(NOW_MS)
    put(log, ("gone", "1"), ("a", "8"), epoch=2)
    await broker.clean()
    put(log, ("gone", None), ("a", "9"), epoch=2)
    for number in range(10, 14):
        put(log, ("a", f"{number}"), epoch=2)
    log.roll(NOW_MS)
    put(log, ("a", "active"), epoch=3)
    if durable:
        log.flush()
        await broker.logs.checkpoint()
    return broker.disk.medium, contents(log)


async def opened(medium: Medium) -> tuple[CompactedBroker, Log]:
    broker = CompactedBroker(SimDisk(medium))
    log = await broker.start()
    return broker, log


def check(log: Log, before: Pairs) -> None:
    """The last value of each key is there, at its offset, and no other record is new."""
    after = contents(log)
    assert latest(after) == latest(before)
    assert set(after) <= set(before)
    assert log.log_end_offset == before[-1][0] + 1
    assert [offset for offset, _, _ in after] == sorted({offset for offset, _, _ in after})


@pytest.mark.parametrize("power", [False, True])
async def test_a_crash_at_any_operation_loses_nothing(power: bool) -> None:
    medium, before = await prepared(durable=power)
    operations = crashes = 0
    while True:
        found = copy.deepcopy(medium)
        found.dice.seed(operations)
        broker = CompactedBroker(CrashingDisk(found, 10**6))
        await broker.start()
        assert isinstance(broker.disk, CrashingDisk)
        broker.disk.left = operations
        try:
            said = await broker.clean()
            assert "cleaned t-0" in said[0]
            break
        except Crash:
            crashes += 1
        if power:
            found.lose_power()
        found.locks.clear()
        again, log = await opened(found)
        assert not [line for line in again.said if "CORRUPT" in line or "torn" in line]
        check(log, before)
        names = again.disk.list_dir(DIRECTORY)
        assert not [name for name in names if name.endswith((".swap", ".cleaned", ".deleted"))]
        said = await again.clean()
        check(log, before)
        assert len(contents(log)) < len(before)
        operations += 1
    assert crashes > 100


async def test_a_crash_while_a_start_finishes_a_swap_loses_nothing() -> None:
    medium, before = await prepared()
    broker, log = await opened(medium)
    prepare = log.replace_segments
    log.replace_segments = lambda bases, now_ms: False
    await broker.clean()
    log.replace_segments = prepare
    assert [name for name in broker.disk.list_dir(DIRECTORY) if name.endswith(".swap")]
    operations = 0
    while True:
        found = copy.deepcopy(medium)
        disk = CrashingDisk(found, operations)
        try:
            said = swap.recover(disk, DIRECTORY)
            assert "put the cleaned segment" in said[0]
            break
        except Crash:
            pass
        found.dice.seed(operations)
        if operations % 2:
            found.lose_power()
        check((await opened(found))[1], before)
        operations += 1
    assert operations > 10


async def test_a_swap_of_which_cleaned_files_are_left_is_taken_back() -> None:
    """As in Apache Kafka: all old segments are still there."""
    medium, before = await prepared()
    broker, _ = await opened(medium)
    for ending in (".log.cleaned", ".index.swap", ".timeindex.swap"):
        broker.disk.open(f"{DIRECTORY}/{0:020d}{ending}", create=True).write([b"partial"], 0)
    again, log = await opened(medium)
    check(log, before)
    assert not [n for n in again.disk.list_dir(DIRECTORY) if n.endswith((".swap", ".cleaned"))]


async def test_a_cleaned_log_is_not_taken_for_one_that_lost_its_end() -> None:
    medium, before = await prepared()
    broker, log = await opened(medium)
    await broker.clean()
    ends = [segment.base_offset for segment in log.segments]
    home = broker.logs.home_of(PARTITION)
    assert home is not None and home.cleaned_to[PARTITION] == ends[-1]
    # Of a directory whose recovery points are lost, the cleaner's checkpoint is believed.
    medium.files.pop("/data/recovery-point-offset-checkpoint")
    broker, log = await opened(medium)
    check(log, before)
    assert broker.said == ["/data was not closed cleanly: 1 logs recovered"]


async def test_a_truncation_takes_the_checkpoint_back() -> None:
    medium, _ = await prepared()
    broker, log = await opened(medium)
    await broker.clean()
    log.truncate_to(5)
    home = broker.logs.home_of(PARTITION)
    assert home is not None and home.cleaned_to[PARTITION] == log.log_end_offset
    again, _ = await opened(medium)
    home = again.logs.home_of(PARTITION)
    assert home is not None and home.cleaned_to[PARTITION] <= 5


@pytest.mark.parametrize("offset", [5, 11])
async def test_a_log_cut_within_what_was_cleaned_keeps_its_end(offset: int) -> None:
    """Where no batch reaches the cut, only the name of a segment can say where the log ends."""
    broker = CompactedBroker()
    log = await broker.start()
    for number in range(10):
        put(log, ("a" if number else "first", f"{number}"))
    log.roll(NOW_MS)
    for number in range(10, 13):
        put(log, ("a", f"{number}"))
    log.roll(NOW_MS)
    put(log, ("a", "last"))
    await broker.clean()
    log.flush()
    await broker.logs.checkpoint()
    log.truncate_to(offset)
    assert log.log_end_offset == offset
    _, again = await opened(broker.disk.medium)
    assert again.log_end_offset == offset, "after a crash"
    assert put(again, ("b", "1"), epoch=1) == offset
    again.flush()
    _, third = await opened(broker.disk.medium)
    assert contents(third)[-1] == (offset, "b", "1")
    assert [key for _, key, _ in contents(third)] == ["first", "b"]


async def test_a_follower_cut_within_a_gap_that_it_fetched_keeps_what_comes_after() -> None:
    """It cleaned nothing itself, and had flushed nothing: only its recovery point vouches."""
    broker = CompactedBroker()
    log = await broker.start()
    first, far = (Record(0, NOW_MS, key, b"v") for key in (b"a", b"b"))
    log.append_as_follower(encode_batch([first]) + encode_batch([far], base_offset=10))
    await broker.logs.checkpoint()
    log.truncate_to(5)
    assert log.log_end_offset == 5
    assert put(log, ("c", "1"), epoch=1) == 5
    _, again = await opened(broker.disk.medium)
    assert again.log_end_offset == 6
    assert contents(again)[-1] == (5, "c", "1")


async def test_a_new_log_of_the_same_name_was_never_cleaned() -> None:
    medium, _ = await prepared()
    broker, log = await opened(medium)
    broker.logs.delete(PARTITION)
    broker.logs.create(PARTITION, log.topic_id, broker.config)
    home = broker.logs.home_of(PARTITION)
    assert home is not None and home.cleaned_to == {}
