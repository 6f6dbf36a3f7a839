"""A broker's periodic work on its logs, in the background of its other work."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import trio.lowlevel

from raftka.model.ids import TopicPartition
from raftka.model.ports import read_file
from raftka.simulations.machines.clock import SimClock
from raftka.storage.config import LogConfig
from raftka.storage.log_manager import LogManager
from tests.support.logs import NOW_MS, TOPIC_ID, append, new_disk, new_log, reopen


async def test_housekeeping_of_many_logs_leaves_turns_to_others() -> None:
    disk = new_disk()
    logs = LogManager(disk, ["/d1"], SimClock(), Random(1))
    assert await logs.load() == []
    many = [TopicPartition("many", index) for index in range(45)]
    for each in many:
        log = logs.create(each, TOPIC_ID, LogConfig())
        append(log, "x", epoch=1)
        append(log, "y", epoch=2)
    written = [0]

    def has_epochs(each: TopicPartition) -> bool:
        """Whether the file has the epoch that began after the segment's first batch."""
        path = f"/d1/{each}/leader-epoch-checkpoint"
        return disk.exists(path) and b"2 1\n" in read_file(disk, path)

    async def others() -> None:
        """Count the written files, turn by turn; delete a log before its turn comes."""
        while True:
            written.append(sum(map(has_epochs, many)))
            if written[-1] and logs.get(many[-1]) is not None:
                logs.delete(many[-1])
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await trio.lowlevel.checkpoint()
        await logs.housekeeping(NOW_MS, {})
        assert sum(map(has_epochs, many)) == 44
        nursery.cancel_scope.cancel()
    # Ten at a time, twice that where trio runs the tasks of two rounds in another order.
    assert max(b - a for a, b in pairwise(written)) <= 20
    assert max(written) >= 25


def test_an_epoch_without_a_record_is_not_written_from_time_to_time() -> None:
    disk = new_disk()
    log = new_log(disk)
    path = f"{log.directory}/leader-epoch-checkpoint"
    log.assign_epoch(1, 0)
    log.rest()
    assert not disk.exists(path)
    append(log, "x", epoch=1)
    assert read_file(disk, path) == b"0\n1\n1 0\n"
    log.assign_epoch(2, 1)
    log.rest()
    assert read_file(disk, path) == b"0\n1\n1 0\n"
    append(log, "y", epoch=2)
    log.rest()
    assert read_file(disk, path) == b"0\n2\n1 0\n2 1\n"


def test_the_recovery_of_an_empty_log_leaves_the_file_of_its_epochs() -> None:
    """Ten thousand of them would be written again, one by one, before the broker serves."""
    disk = new_disk()
    log = new_log(disk)
    path = f"{log.directory}/leader-epoch-checkpoint"
    log.assign_epoch(7, 0)
    log.flush(NOW_MS)
    assert read_file(disk, path) == b"0\n1\n7 0\n"
    again, _ = reopen(disk)
    assert again.latest_epoch == -1
    assert read_file(disk, path) == b"0\n1\n7 0\n"
    append(again, "x", epoch=6)
    assert read_file(disk, path) == b"0\n1\n6 0\n"
