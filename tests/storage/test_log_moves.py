"""Logs that move to another directory: nothing is lost, whenever a crash comes."""

from __future__ import annotations

import trio.testing

from raftka.model.ids import TopicPartition
from raftka.model.ports import bytes_of
from raftka.simulations.machines.disk import SimDisk
from raftka.storage.config import LogConfig
from raftka.storage.log import Log
from tests.storage.test_log_manager import manager, started
from tests.support.logs import NOW_MS, TOPIC_ID, all_records, append, new_disk

A0 = TopicPartition("a", 0)


def copy(source: Log, target: Log) -> None:
    """Everything that the future log does not have."""
    found = source.read(target.log_end_offset, 1 << 20, source.log_end_offset, min_one=True)
    target.append_as_follower(b"".join(map(bytes_of, found.pieces)), NOW_MS)


def names(disk: SimDisk, path: str) -> list[str]:
    return [name for name in disk.list_dir(path) if name.startswith("a-0")]


async def test_a_future_log_takes_the_place_of_the_log(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = new_disk()
    logs = await started(disk, "/d1", "/d2")
    old = logs.create(A0, TOPIC_ID, LogConfig(), "/d1")
    append(old, "one")
    assert logs.moves.begin(old, "/d2")
    assert not logs.moves.begin(old, "/d2"), "it is on its way"
    future = logs.futures.get(A0)
    assert future is not None
    assert [name.endswith("-future") for name in names(disk, "/d2")] == [True]
    assert logs.get(A0) is old, "nobody is served from it"
    copy(old, future.log)
    await future.log.flush_in_background()
    new = logs.moves.finish(old)
    assert logs.get(A0) is new
    assert (new.directory, logs.directory_of(A0)) == ("/d2/a-0", "/d2")
    assert new.recovery_point == 1, "what was durable is"
    append(new, "two")
    assert [name.endswith("-delete") for name in names(disk, "/d1")] == [True]
    before = list(all_records(new))
    await logs.close(7)
    logs = await started(SimDisk(disk.medium), "/d1", "/d2")
    again = logs.get(A0)
    assert again is not None
    assert list(all_records(again)) == before
    assert names(disk, "/d2") == ["a-0"]


async def test_a_move_goes_on_after_a_crash(autojump_clock: trio.testing.MockClock) -> None:
    disk = new_disk()
    logs = await started(disk, "/d1", "/d2")
    old = logs.create(A0, TOPIC_ID, LogConfig(), "/d1")
    append(old, "one")
    logs.moves.begin(old, "/d2")
    future = logs.futures.get(A0)
    assert future is not None
    copy(old, future.log)
    append(old, "two")
    disk.kill()
    logs = manager(SimDisk(disk.medium), "/d1", "/d2")
    assert any("goes on moving to /d2 from offset 1" in line for line in await logs.load())
    current, again = logs.get(A0), logs.futures.get(A0)
    assert current is not None
    assert again is not None
    copy(current, again.log)
    await again.log.flush_in_background()
    assert logs.moves.finish(current).log_end_offset == 2


async def test_a_move_ends_with_another_one_with_the_log_and_with_the_directory(
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = new_disk()
    logs = await started(disk, "/d1", "/d2", "/d3")
    old = logs.create(A0, TOPIC_ID, LogConfig(), "/d1")
    logs.moves.begin(old, "/d2")
    assert logs.moves.begin(old, "/d3")
    assert [name.endswith("-delete") for name in names(disk, "/d2")] == [True]
    assert not logs.moves.begin(old, "/d1"), "back where it is"
    assert len(logs.futures) == 0
    logs.moves.begin(old, "/d2")
    logs.fail("/d2", "it smells of smoke")
    assert len(logs.futures) == 0
    assert logs.get(A0) is old
    logs.moves.begin(old, "/d3")
    logs.delete(A0)
    assert len(logs.futures) == 0
    await logs.housekeeping(NOW_MS + 10**9, {})
    assert names(disk, "/d3") == []


async def test_a_log_that_comes_later_is_made_where_it_was_asked_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    logs = await started(new_disk(), "/d1", "/d2")
    logs.moves.preferred[A0] = "/d2"
    assert logs.create(A0, TOPIC_ID, LogConfig()).directory == "/d2/a-0"
