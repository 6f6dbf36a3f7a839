"""All logs of a broker: started, stopped, created, deleted, and lost with a broken disk."""

from __future__ import annotations

from random import Random

import pytest
import trio.lowlevel
import trio.testing

from raftka.model.errors import KafkaError
from raftka.model.ids import ZERO_UUID, TopicPartition, Uuid
from raftka.model.ports import Alarm, read_file
from raftka.net.clock import TrioAlarm
from raftka.simulations.machines.disk import SimDisk
from raftka.storage import clean_shutdown
from raftka.storage.config import LogConfig
from raftka.storage.failure import LogDirFailure
from raftka.storage.log import Log
from raftka.storage.log_directory import parse_name
from raftka.storage.log_manager import LogManager
from raftka.storage.meta_properties import BadDirectory, MetaProperties, check, decode, read, write
from tests.support.logs import NOW_MS, TOPIC_ID, all_records, append, new_disk

A0, A1, B0 = TopicPartition("a", 0), TopicPartition("a", 1), TopicPartition("b.c-d", 0)


class StillClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def monotonic(self) -> float:
        return self.now_ms / 1000

    def wall_ms(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        await trio.lowlevel.checkpoint()

    def within(self, seconds: float) -> trio.CancelScope:
        return trio.move_on_after(max(0.0, seconds))

    def alarm(self) -> Alarm:
        return TrioAlarm(self.monotonic)


def manager(disk: SimDisk, *directories: str, clock: StillClock | None = None) -> LogManager:
    return LogManager(disk, directories or ("/d1",), clock or StillClock(), Random(1))


async def started(disk: SimDisk, *directories: str) -> LogManager:
    logs = manager(disk, *directories)
    assert await logs.load() == []
    return logs


async def nine_records(logs: LogManager) -> Log:
    """A log of several segments, all of it durable."""
    log = logs.create(A0, TOPIC_ID, LogConfig(segment_bytes=150))
    for number in range(9):
        append(log, f"{number}")
    await log.flush_in_background()
    return log


async def test_a_clean_life(autojump_clock: trio.testing.MockClock) -> None:
    disk = new_disk()
    logs = await started(disk)
    log = logs.create(A0, TOPIC_ID, LogConfig())
    append(log, "one")
    assert logs.get(A0) is log
    assert logs.create(A0, TOPIC_ID, LogConfig(retention_ms=5)) is log
    assert log.config.retention_ms == 5
    await logs.checkpoint_high_watermarks({A0: 1})
    await logs.close(broker_epoch=42)
    disk.medium.lose_power()
    assert clean_shutdown.read_broker_epoch(disk, "/d1") == 42
    logs = await started(SimDisk(disk.medium))
    assert logs.hosted() == [(A0, TOPIC_ID)]
    assert logs.high_watermarks() == {A0: 1}
    again = logs.get(A0)
    assert again is not None
    assert list(all_records(again)) == [(0, "one")]
    assert not clean_shutdown.exists(disk, "/d1")


@pytest.mark.parametrize("start_at", [6, 0])
async def test_what_was_cut_stays_away_after_a_clean_stop(
    autojump_clock: trio.testing.MockClock, start_at: int
) -> None:
    """The whole log is flushed, but the truncation is not: no truncated record may come back."""
    for seed in range(20):
        disk = new_disk(seed)
        logs = await started(disk)
        log = await nine_records(logs)
        if start_at:
            log.truncate_to(6)
        else:
            log.truncate_fully_and_start_at(20)
        end = log.log_end_offset
        await logs.close()
        disk.medium.lose_power()
        logs = manager(SimDisk(disk.medium))
        await logs.load()  # Snapshots of producers may be lost: they are rebuilt.
        again = logs.get(A0)
        assert again is not None
        assert again.log_end_offset == end
        assert all(offset < end for offset, _ in all_records(again))


async def test_after_a_kill_it_says_what_it_did(autojump_clock: trio.testing.MockClock) -> None:
    disk = new_disk()
    logs = await started(disk)
    append(logs.create(A0, TOPIC_ID, LogConfig()), "one")
    path = f"/d1/a-0/{0:020d}.log"
    file = disk.open(path)
    file.write([b"torn"], file.size())
    disk.kill()
    logs = manager(SimDisk(disk.medium))
    said = await logs.load()
    assert "a-0: cut a torn tail of 4 bytes" in said[0]
    assert said[1] == "/d1 was not closed cleanly: 1 logs recovered"


async def test_checkpoints_spare_the_next_start_work(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = new_disk()
    logs = await started(disk)
    log = await nine_records(logs)
    log.advance_log_start(4)
    await logs.checkpoint()
    assert read_file(disk, "/d1/recovery-point-offset-checkpoint") == b"0\n1\na 0 9\n"
    assert read_file(disk, "/d1/log-start-offset-checkpoint") == b"0\n1\na 0 4\n"
    disk.kill()
    disk = SimDisk(disk.medium)
    logs = manager(disk)
    await logs.load()
    again = logs.get(A0)
    assert again is not None
    assert (again.log_start_offset, again.recovery_point) == (4, 9)
    again.truncate_to(6)
    assert read_file(disk, "/d1/recovery-point-offset-checkpoint") == b"0\n1\na 0 6\n"


async def test_a_recovery_that_loses_records_takes_its_checkpoint_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = new_disk()
    logs = await started(disk)
    await nine_records(logs)
    await logs.checkpoint()
    disk.kill()
    # The disk loses a batch that it had reported as durable: the last one.
    files = disk.medium.files
    last = max(name for name in files if name.endswith(".log") and len(files[name].data))
    disk.medium.flip_bit(last, len(files[last].data) - 1, 1)
    disk = SimDisk(disk.medium)
    logs = manager(disk)
    await logs.load()
    again = logs.get(A0)
    assert again is not None
    end = again.log_end_offset
    assert end < 9
    expected = f"0\n1\na 0 {end}\n".encode()
    assert read_file(disk, "/d1/recovery-point-offset-checkpoint") == expected


async def test_a_new_log_does_not_inherit_what_checkpoints_say_of_the_old_one(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = new_disk()
    logs = await started(disk)
    log = await nine_records(logs)
    log.advance_log_start(4)
    await logs.checkpoint()
    logs.delete(A0)
    again = logs.create(A0, TOPIC_ID, LogConfig(segment_bytes=150))
    append(again, "again")
    disk.kill()
    disk = SimDisk(disk.medium)
    logs = manager(disk)
    await logs.load()
    found = logs.get(A0)
    assert found is not None
    assert (found.log_start_offset, found.recovery_point) == (0, 0)
    assert list(all_records(found)) == [(0, "again")]


async def test_new_logs_go_where_the_fewest_are(autojump_clock: trio.testing.MockClock) -> None:
    logs = await started(new_disk(), "/d1", "/d2")
    for topic_partition in (A0, A1, B0):
        logs.create(topic_partition, TOPIC_ID, LogConfig())
    homes = [logs.directory_of(tp) for tp in (A0, A1, B0)]
    assert sorted(homes) in (["/d1", "/d1", "/d2"], ["/d1", "/d2", "/d2"])
    named = logs.create(TopicPartition("x", 0), TOPIC_ID, LogConfig(), "/d2")
    assert named.directory == "/d2/x-0"


async def test_a_deleted_partition_frees_its_name_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = new_disk()
    clock = StillClock()
    logs = manager(disk, clock=clock)
    await logs.load()
    append(logs.create(A0, TOPIC_ID, LogConfig()), "old")
    logs.delete(A0)
    assert logs.get(A0) is None
    other = Uuid(bytes(range(1, 17)))
    log = logs.create(A0, other, LogConfig())
    assert log.log_end_offset == 0
    doomed = [name for name in disk.list_dir("/d1") if name.endswith("-delete")]
    assert len(doomed) == 1
    assert doomed[0].startswith("a-0.")
    assert parse_name(doomed[0]) is None
    assert await logs.housekeeping(NOW_MS + 59_999, {}) == []
    assert await logs.housekeeping(NOW_MS + 60_000, {}) == [f"removed /d1/{doomed[0]}"]
    assert doomed[0] not in disk.list_dir("/d1")


async def test_strays_are_kept_and_deletions_resumed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = new_disk()
    logs = await started(disk)
    logs.create(A0, TOPIC_ID, LogConfig())
    logs.create(A1, TOPIC_ID, LogConfig())
    stray = logs.set_stray(A0)
    logs.delete(A1)
    await logs.close()
    logs = await started(SimDisk(disk.medium))
    assert len(logs) == 0
    assert len(await logs.housekeeping(NOW_MS, {})) == 1
    names = disk.list_dir("/d1")
    assert stray.rpartition("/")[2] in names
    assert not any(name.endswith("-delete") for name in names)


async def test_a_write_error_takes_only_its_directory_offline(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = new_disk()
    logs = await started(disk, "/d1", "/d2")
    one = logs.create(A0, TOPIC_ID, LogConfig(), "/d1")
    beside = logs.create(A1, TOPIC_ID, LogConfig(), "/d1")
    other = logs.create(B0, TOPIC_ID, LogConfig(), "/d2")
    heard: list[tuple[str, str]] = []
    logs.failure_listeners.append(lambda path, reason: heard.append((path, reason)))
    disk.medium.faults.full = True
    with pytest.raises(LogDirFailure):
        append(one, "x")
    disk.medium.faults.full = False
    assert [path for path, _ in heard] == ["/d1"]
    assert logs.online == ["/d2"]
    assert list(logs.offline) == ["/d1"]
    assert logs.get(A0) is None
    with pytest.raises(LogDirFailure):
        append(beside, "x")
    append(other, "still works")
    assert logs.directory_of(A0) == "/d1"
    with pytest.raises(LogDirFailure):
        logs.create(TopicPartition("new", 0), TOPIC_ID, LogConfig(), "/d1")
    assert logs.create(TopicPartition("new", 0), TOPIC_ID, LogConfig()).directory == "/d2/new-0"
    await logs.close(7)
    assert not clean_shutdown.exists(disk, "/d1")
    assert clean_shutdown.exists(disk, "/d2")


async def test_corruption_that_a_reader_finds_is_told_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = new_disk()
    logs = await started(disk)
    append(logs.create(A0, TOPIC_ID, LogConfig()), "x")
    await logs.close()
    disk.medium.flip_bit(f"/d1/a-0/{0:020d}.log", 65, 0)
    logs = await started(SimDisk(disk.medium))
    heard: list[tuple[TopicPartition, str]] = []
    logs.corruption_listeners.append(lambda at, words: heard.append((at, words)))
    log = logs.get(A0)
    assert log is not None
    for _ in range(2):
        with pytest.raises(KafkaError, match="corrupt at position 0"):
            log.read(0, 1000, 1)
    assert [at for at, _ in heard] == [A0]


async def test_housekeeping_applies_retention_and_flushes_closed_segments(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = new_disk()
    logs = await started(disk)
    log = logs.create(A0, TOPIC_ID, LogConfig(segment_bytes=150, retention_bytes=200))
    for number in range(6):
        append(log, f"{number}")
    said = await logs.housekeeping(NOW_MS, {A0: 6})
    assert said == ["retention deleted 1 segments of a-0, which begins at offset 2 now"]
    assert log.recovery_point == 4
    assert await logs.housekeeping(NOW_MS, {}) == []
    for offset in range(2, 6):
        assert log.read(offset, 1, 6).size


async def test_a_locked_directory_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    disk = new_disk()
    await started(disk)
    with pytest.raises(BadDirectory, match=r"lock.*/d1"):
        await manager(disk).load()


async def test_a_missing_topic_id_is_learned(autojump_clock: trio.testing.MockClock) -> None:
    disk = new_disk()
    logs = await started(disk)
    append(logs.create(A0, TOPIC_ID, LogConfig()), "x")
    await logs.close()
    disk.remove("/d1/a-0/partition.metadata")
    logs = await started(SimDisk(disk.medium))
    assert logs.hosted() == [(A0, ZERO_UUID)]
    assert logs.create(A0, TOPIC_ID, LogConfig()).log_end_offset == 1
    assert logs.hosted() == [(A0, TOPIC_ID)]


def test_names_of_directories() -> None:
    assert parse_name("a-0") == A0
    assert parse_name("b.c-d-0") == B0
    for name in ("a", "a-", "-0", "a-x", "__cluster_metadata-0", "a-0.stray", "meta.properties"):
        assert parse_name(name) is None


def test_a_directory_of_another_cluster_or_node_is_refused_in_words() -> None:
    disk = new_disk()
    meta = MetaProperties("cluster-one", 1, Uuid(bytes(range(16))))
    write(disk, "/d1", meta)
    assert read(disk, "/d1") == meta
    assert read(disk, "/d2") is None
    check("/d1", meta, "cluster-one", 1)
    check("/d1", meta, None, 1)
    with pytest.raises(BadDirectory, match=r"/d1/meta.properties.*cluster-one.*cluster-two"):
        check("/d1", meta, "cluster-two", 1)
    with pytest.raises(BadDirectory, match=r"node.id=1.*this node is 2"):
        check("/d1", meta, "cluster-one", 2)
    for broken in (b"", b"version=9", b"version=1\nnode.id=x", b"version=1\nnode.id=1"):
        with pytest.raises(BadDirectory, match="/d1"):
            decode(broken, "/d1/meta.properties")


async def test_many_logs_are_made_ahead_and_found_by_create(
    autojump_clock: trio.testing.MockClock,
) -> None:
    logs = await started(new_disk(), "/d1", "/d2")
    there = logs.create(A0, TOPIC_ID, LogConfig())
    wanted = [(TopicPartition("a", n), TOPIC_ID, LogConfig()) for n in range(9)]
    await logs.create_ahead(wanted)
    assert sorted(tp.partition for tp, _ in logs.hosted()) == list(range(9))
    assert logs.get(A0) is there
    made = logs.get(A1)
    assert made is not None and logs.create(A1, TOPIC_ID, LogConfig()) is made
    homes = [logs.directory_of(tp) for tp, _, _ in wanted]
    assert abs(homes.count("/d1") - homes.count("/d2")) <= 1
    await logs.create_ahead(wanted)
    assert logs.get(A1) is made


async def test_logs_that_cannot_be_made_ahead_are_left_to_create(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = new_disk()
    logs = await started(disk)
    disk.medium.faults.full = True
    await logs.create_ahead([(A0, TOPIC_ID, LogConfig()), (A1, TOPIC_ID, LogConfig())])
    assert logs.online == []
    with pytest.raises(LogDirFailure):
        logs.create(A0, TOPIC_ID, LogConfig())
    await logs.create_ahead([(A0, TOPIC_ID, LogConfig())])
