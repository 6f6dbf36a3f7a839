"""What a broker does to its logs from time to time, beside everything else that it does."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import trio.lowlevel

from raftka.model.ids import TopicPartition
from raftka.simulations.machines.clock import SimClock
from raftka.storage.config import LogConfig
from raftka.storage.log_manager import LogManager
from tests.support.logs import NOW_MS, TOPIC_ID, new_disk


async def test_housekeeping_of_many_logs_leaves_turns_to_others() -> None:
    disk = new_disk()
    logs = LogManager(disk, ["/d1"], SimClock(), Random(1))
    assert await logs.load() == []
    many = [TopicPartition("many", index) for index in range(45)]
    for each in many:
        logs.create(each, TOPIC_ID, LogConfig()).assign_epoch(1, 0)
    written = [0]

    async def others() -> None:
        """See how many files are written, turn by turn; delete a log before its turn comes."""
        while True:
            files = (f"/d1/{each}/leader-epoch-checkpoint" for each in many)
            written.append(sum(map(disk.exists, files)))
            if written[-1] and logs.get(many[-1]) is not None:
                logs.delete(many[-1])
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await trio.lowlevel.checkpoint()
        await logs.housekeeping(NOW_MS, {})
        assert [disk.exists(f"/d1/{each}/leader-epoch-checkpoint") for each in many].count(
            True
        ) == 44
        nursery.cancel_scope.cancel()
    # Ten at a stretch, and twice that where trio runs the tasks of two rounds in another order.
    assert max(b - a for a, b in pairwise(written)) <= 20
    assert max(written) >= 30
