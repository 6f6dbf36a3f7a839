"""Work in a process of its own: its steps, its errors, its end."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition, Uuid
from raftka.model.ports import Disk, Values
from raftka.storage.apart import ProcessWork
from raftka.storage.cleaning.cleaner import Cleaner
from raftka.storage.log_manager import LogManager
from raftka.storage.posix import PosixDisk
from tests.support.cleaning import COMPACTED, CONFIG, StillClock, contents, put
from tests.support.logs import NOW_MS


def steps(disk: Disk, arguments: Values) -> Iterator[Values]:
    """Work for these tests."""
    yield {"exists": disk.exists(arguments["path"])}
    if arguments["end"] == "file":
        disk.open(arguments["path"] + "/missing")
    if arguments["end"] == "kafka":
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, "it is corrupt")


async def test_steps_and_their_errors_come_back(tmp_path: Path) -> None:
    work = ProcessWork(steps, {"path": str(tmp_path), "end": "good"})
    assert await work.step() == {"exists": True}
    assert await work.step() is None
    await work.close()
    await work.close()
    work = ProcessWork(steps, {"path": str(tmp_path), "end": "file"})
    await work.step()
    with pytest.raises(OSError, match="missing") as raised:
        await work.step()
    assert raised.value.errno == 2
    await work.close()
    work = ProcessWork(steps, {"path": str(tmp_path), "end": "kafka"})
    await work.step()
    with pytest.raises(KafkaError, match="it is corrupt"):
        await work.step()
    await work.close()


async def test_a_process_that_dies_is_an_error_of_its_work(tmp_path: Path) -> None:
    work = ProcessWork(steps, {"path": str(tmp_path), "end": "good"})
    await work.step()
    assert work.process is not None
    work.process.send_signal(signal.SIGKILL)
    await work.process.wait()
    with pytest.raises(OSError, match=r"died|ended"):
        await work.step()
    await work.close()


async def test_a_log_is_cleaned_in_a_process_of_its_own(tmp_path: Path) -> None:
    disk, clock = PosixDisk(), StillClock()
    config = dataclasses.replace(COMPACTED, segment_bytes=20_000)
    logs = LogManager(disk, [str(tmp_path)], clock, Random(0), defaults=config)
    await logs.load()
    log = logs.create(TopicPartition("t", 0), Uuid(bytes(16)), config)
    for number in range(500):
        put(log, (f"k{number % 7}", f"{number}" * 20))
    log.roll(NOW_MS)
    put(log, ("z", "z"))
    cleaner = Cleaner(logs, disk, clock)
    (said,) = await cleaner.clean_next({log.topic_partition: 501}, lambda: CONFIG)
    assert "cleaned t-0 up to offset 500" in said.words
    assert [offset for offset, _, _ in contents(log)] == [*range(493, 501)]
    await logs.close()
