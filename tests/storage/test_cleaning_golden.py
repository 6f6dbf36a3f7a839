"""Two logs as cleaned by Apache Kafka 4.3.1, compared with the same logs cleaned by raftka.

golden/cleaned/A is a log of keys, tombstones, five codecs, idempotent producers and transactions
before its first cleaning, B after it; C is B with more appended, D after the second cleaning, which
came behind the delete horizons of the first.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest

from raftka.model.ids import TopicPartition
from raftka.model.record_batch import COMPRESSION_MASK, iter_batches
from raftka.model.records import iter_records
from raftka.storage.cleaning.cleaner import Cleaner
from raftka.storage.config import LogConfig
from raftka.storage.log_manager import LogManager
from raftka.storage.posix import PosixDisk
from tests.support.cleaning import CONFIG, StillClock

GOLDEN = Path(__file__).parent / "golden" / "cleaned"
AFTER_BOTH_S = 200_000_000.0
"""The clock of these tests begins in 2023; the logs are of 2026."""


def view(directory: Path) -> list[Any]:
    """The files, byte by byte except for the time of the cleaning and compressed data."""
    found: list[Any] = []
    for path in sorted(directory.glob("*.log")):
        found.append(path.name)
        for header, batch in iter_batches(path.read_bytes()):
            fields = header._replace(length=0, crc=0)
            if header.delete_horizon_ms is not None:
                fields = fields._replace(base_timestamp=0)
            elif not header.attributes & COMPRESSION_MASK:
                found.append(bytes(batch))
            found.append((fields, list(iter_records(batch))))
    found += [(p.name, p.read_bytes()) for p in sorted(directory.glob("*.txnindex"))]
    return found


@pytest.mark.parametrize(("before", "after", "cleaned_to"), [("A", "B", 0), ("C", "D", 189)])
async def test_the_same_stays_as_with_apache_kafka(
    tmp_path: Path, before: str, after: str, cleaned_to: int
) -> None:
    shutil.copytree(GOLDEN / before, tmp_path / "c-0")
    (tmp_path / "cleaner-offset-checkpoint").write_text(f"0\n1\nc 0 {cleaned_to}\n")
    config = LogConfig(
        cleanup_policy=("compact",), min_cleanable_dirty_ratio=0.0, delete_retention_ms=200
    )
    clock = StillClock()
    clock.now_s = AFTER_BOTH_S
    logs = LogManager(PosixDisk(), [str(tmp_path)], clock, Random(0), defaults=config)
    assert [line for line in await logs.load() if "CORRUPT" in line] == []
    log = logs.get(TopicPartition("c", 0))
    assert log is not None
    cleaner = Cleaner(logs, logs.disk, clock)
    (said,) = await cleaner.clean_next({log.topic_partition: log.log_end_offset}, lambda: CONFIG)
    assert "cleaned c-0" in said.words
    await logs.close()
    assert view(tmp_path / "c-0") == view(GOLDEN / after)
    assert len(view(GOLDEN / after)) < len(view(GOLDEN / before))
