"""The random life of a compacted log: appends, cleanings, truncations, retention, crashes.

After every step the log must equal the last value of every key, as far as it is committed: no
tombstone gone early, no offset moved. Each rule of the cleaner that is switched off by name here
must be noticed within a few seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import Any

import pytest

from raftka.storage.cleaning import cleaner, plan, sieve
from raftka.storage.cleaning.cleaner import CleanerConfig
from raftka.storage.cleaning.offset_map import OffsetMap
from raftka.storage.failure import LogDirFailure
from raftka.storage.log import Log
from raftka.storage.segment import Segment
from tests.storage.test_cleaning_crashes import Crash, CrashingDisk
from tests.support.cleaning import COMPACTED, CONFIG, CompactedBroker, contents, put
from tests.support.logs import PARTITION, new_disk

RETENTION_MS = 300
FOR_EVER = 10**9


class Story:
    """One log's life, and its invariants."""

    def __init__(self, seed: int, *, flushes: bool = True) -> None:
        self.dice = Random(seed)
        self.flushes = flushes
        """Whether the log is flushed for other reasons than its cleaning."""
        self.medium = new_disk(seed).medium
        config = replace(COMPACTED, delete_retention_ms=RETENTION_MS, segment_bytes=400)
        self.config = config
        self.truth: dict[int, tuple[str, str | None, int]] = {}
        """(key, value, when) by offset."""
        self.committed = 0
        self.now_s = 0.0

    async def open(self) -> None:
        self.disk = CrashingDisk(self.medium, FOR_EVER)
        self.broker = CompactedBroker(self.disk, self.config)
        self.broker.clock.now_s = self.now_s
        self.log = await self.broker.start()

    async def run(self, steps: int) -> None:
        await self.open()
        acts: list[Callable[[], Any]] = [self.append, self.wait, self.roll, self.clean, self.cut]
        acts += [self.flush, self.delete, self.crash]
        for _ in range(steps):
            (act,) = self.dice.choices(acts, [8, 2, 4, 4, 1, 2 * self.flushes, 1, 1])
            await act()
            self.check()

    def end(self) -> int:
        return self.log.log_end_offset

    async def append(self) -> None:
        pairs = [
            (f"k{self.dice.randrange(6)}", self.dice.choice(["v", "w" * 30, None]))
            for _ in range(self.dice.randrange(1, 4))
        ]
        base = put(self.log, *pairs, compression=self.dice.choice(["none", "none", "zstd"]))
        now = self.broker.clock.wall_ms()
        for at, (key, value) in enumerate(pairs):
            self.truth[base + at] = (key, value, now)
        if self.dice.random() < 0.7:
            self.committed = self.dice.randrange(self.committed, self.end() + 1)

    async def wait(self) -> None:
        self.broker.clock.now_s += self.dice.random() / 2
        self.now_s = self.broker.clock.now_s

    async def roll(self) -> None:
        self.log.roll(self.broker.clock.wall_ms())

    async def flush(self) -> None:
        self.log.flush()
        await self.broker.logs.checkpoint()

    async def cut(self) -> None:
        """A follower whose leader has less: never below what is committed."""
        self.log.truncate_to(self.dice.randrange(self.committed, self.end() + 1))
        self._forget_from(self.end())
        await self.flush()

    async def delete(self) -> None:
        if self.committed:
            start = self.dice.randrange(self.log.log_start_offset, self.committed + 1)
            self.log.advance_log_start(start)
            self.log.delete_old_segments(self.broker.clock.wall_ms(), self.committed)
            await self.broker.logs.checkpoint()

    async def clean(self) -> None:
        config = self.dice.choice([CONFIG, CleanerConfig(160 * 8, 1e300)])
        await self.broker.clean(config, high_watermark=self.committed)

    async def crash(self) -> None:
        """In the middle of a cleaning, or at another moment."""
        self.disk.left = self.dice.randrange(120)
        with suppress(Crash):
            await self.clean()
        home = self.broker.logs.home_of(PARTITION)
        assert home is not None
        end = self.end()
        if self.dice.random() < 0.7:
            # Unflushed records may be lost; the other replicas have them.
            end = min(end, home.recovery_points.get(PARTITION, 0))
            self.medium.lose_power()
        self.medium.locks.clear()
        await self.open()
        assert self.end() >= end, "a crash took what was durable"
        self._forget_from(self.end())

    def _forget_from(self, end: int) -> None:
        self.truth = {offset: each for offset, each in self.truth.items() if offset < end}
        self.committed = min(self.committed, end)

    def check(self) -> None:
        log, now = self.log, self.broker.clock.wall_ms()
        found = contents(log)
        for offset, key, value in found:
            assert self.truth[offset][:2] == (key, value), f"another record at {offset}"
        offsets = {offset for offset, _, _ in found}
        assert len(offsets) == len(found), "an offset twice"
        last: dict[str, int] = {}
        for offset, (key, _, _) in sorted(self.truth.items()):
            if log.log_start_offset <= offset < self.committed:
                last[key] = offset
        kept = {*last.values(), *(each for each in self.truth if each >= self.committed)}
        for offset in kept - offsets:
            key, value, when = self.truth[offset]
            assert offset < log.log_start_offset or value is None, f"{key} at {offset} is lost"
            if offset >= log.log_start_offset:
                assert now >= when + RETENTION_MS, f"the tombstone at {offset} went early"


@pytest.mark.parametrize("seed", range(25))
async def test_the_last_value_of_every_key_outlives_everything(seed: int) -> None:
    await Story(seed).run(90)


async def _never_durable(self: Any, log: Log, home: Any, end_offset: int) -> None:
    return None


def _without_sync(self: Any, *, with_indexes: bool) -> None:
    return None


def _past_the_stable_offset(*args: Any, **kwargs: Any) -> plan.Dirt:
    found: plan.Dirt = ORIGINALS["measure"](*args, **kwargs | {"stable_offset": FOR_EVER})
    return found


def _without_horizon(self: Any, *args: Any, **kwargs: Any) -> None:
    ORIGINALS["sieve"](self, *args, **kwargs | {"delete_retention_ms": -FOR_EVER})


def _the_first_value(self: Any, first: int, last: int) -> Any:
    return ORIGINALS["survivors"](self, first, last - 1)


ORIGINALS: Mapping[str, Any] = MappingProxyType(
    {
        "measure": plan.measure,
        "sieve": sieve.Sieve.__init__,
        "survivors": OffsetMap.survivors_in,
    }
)
MUTATIONS: Mapping[str, tuple[Any, str, Any]] = MappingProxyType(
    {
        "recovery-point-not-durable": (cleaner.Cleaner, "_make_durable", _never_durable),
        "cleaned-segment-not-synced": (Segment, "sync", _without_sync),
        "cleans-past-the-stable-offset": (plan, "measure", _past_the_stable_offset),
        "tombstones-go-at-once": (sieve.Sieve, "__init__", _without_horizon),
        "last-of-a-batch-forgotten": (OffsetMap, "survivors_in", _the_first_value),
    }
)


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_rule_that_is_switched_off_is_noticed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*MUTATIONS[name])
    for seed in range(100):
        try:
            await Story(seed, flushes=name != "recovery-point-not-durable").run(90)
        except (AssertionError, KeyError, LogDirFailure):
            return
    pytest.fail(f"{name} was not noticed in 100 lives")
