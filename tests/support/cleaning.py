"""Compacted logs on a simulated disk, and a cleaner for them."""

from __future__ import annotations

from random import Random
from typing import Any

from raftka.model.record_batch import BatchHeader, iter_batches
from raftka.model.records import Record, encode_batch, iter_records
from raftka.simulations.machines.disk import SimDisk
from raftka.storage.cleaning.cleaner import Cleaner, CleanerConfig
from raftka.storage.config import LogConfig
from raftka.storage.log import Log
from raftka.storage.log_manager import LogManager
from tests.support.logs import NOW_MS, PARTITION, TOPIC_ID, new_disk, read_bytes, verified

CONFIG = CleanerConfig(map_bytes=1 << 20, max_bytes_per_s=1e300)
COMPACTED = LogConfig(
    cleanup_policy=("compact",),
    segment_bytes=500,
    index_interval_bytes=100,
    min_cleanable_dirty_ratio=0.0,
    delete_retention_ms=1000,
)


class StillClock:
    """Time stands still except in sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def wall_ms(self) -> int:
        return NOW_MS + int(self.now_s * 1000)

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.slept_s += seconds

    def alarm(self) -> Any:
        raise NotImplementedError

    def within(self, seconds: float) -> Any:
        raise NotImplementedError


class CompactedBroker:
    """A log manager and its cleaner on one disk; everything is committed at once."""

    def __init__(self, disk: SimDisk | None = None, config: LogConfig = COMPACTED) -> None:
        self.disk = disk or new_disk()
        self.clock = StillClock()
        self.config = config
        self.logs = LogManager(
            self.disk, ["/data"], self.clock, Random(0), defaults=config, take_locks=False
        )
        self.cleaner = Cleaner(self.logs, self.disk, self.clock)

    async def start(self) -> Log:
        """Open the existing logs, and that of PARTITION."""
        self.said = await self.logs.load()
        return self.logs.create(PARTITION, TOPIC_ID, self.config)

    async def clean(self, config: CleanerConfig = CONFIG, **marks: int) -> list[str]:
        """Run one cleaning; everything is committed unless `high_watermark` is lower."""
        upper = {log.topic_partition: log.log_end_offset for log in self.logs}
        if "high_watermark" in marks:
            upper[PARTITION] = marks["high_watermark"]
        return [said.words for said in await self.cleaner.clean_next(upper, lambda: config)]


def put(log: Log, *pairs: tuple[str, str | None], epoch: int = 0, **options: Any) -> int:
    """Append one batch of keys and values as the leader; its base offset."""
    records = [
        Record(0, NOW_MS, key.encode(), None if value is None else value.encode())
        for key, value in pairs
    ]
    data = bytearray(encode_batch(records, **options))
    guard = verified(log, data) if options.get("is_transactional") else None
    return log.append_as_leader(data, epoch, NOW_MS, from_client=False, guard=guard).base_offset


def headers(log: Log) -> list[BatchHeader]:
    """The headers of all batches, read as a consumer reads."""
    return [header for header, _ in _batches(log)]


def contents(log: Log) -> list[tuple[int, str, str | None]]:
    """(offset, key, value) of every record, read as a consumer reads."""
    return [
        (
            record.offset,
            (record.key or b"").decode(),
            None if record.value is None else record.value.decode(),
        )
        for header, batch in _batches(log)
        if not header.is_control
        for record in iter_records(batch)
        if record.offset >= log.log_start_offset
    ]


def _batches(log: Log) -> list[tuple[BatchHeader, memoryview]]:
    found: list[tuple[BatchHeader, memoryview]] = []
    offset = log.log_start_offset
    while offset < log.log_end_offset:
        data = read_bytes(log.read(offset, 100_000, log.log_end_offset))
        assert data, f"nothing at {offset}"
        found += iter_batches(data)
        offset = found[-1][0].next_offset
    return found


def latest(pairs: list[tuple[int, str, str | None]]) -> dict[str, tuple[int, str | None]]:
    """The last (offset, value) of each key."""
    return {key: (offset, value) for offset, key, value in pairs}
