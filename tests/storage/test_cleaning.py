"""Compaction, end to end on a simulated disk: remaining records, times, the cleaner's reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from raftka.model.ids import TopicPartition, Uuid
from raftka.storage.cleaning.cleaner import CleanerConfig
from raftka.storage.log import Log
from tests.support.cleaning import (
    COMPACTED,
    CONFIG,
    CompactedBroker,
    contents,
    headers,
    latest,
    put,
)
from tests.support.logs import DIRECTORY, NOW_MS, PARTITION
from tests.support.transactional_logs import end


def closed(log: Log) -> Log:
    """Begin a new segment: everything before it may be cleaned."""
    log.roll(NOW_MS)
    return log


async def test_the_last_value_of_each_key_stays_at_its_offset() -> None:
    broker = CompactedBroker()
    log = await broker.start()
    for number in range(40):
        put(log, (f"k{number % 5}", f"v{number}"), (f"only {number}", "x"))
    put(closed(log), ("k0", "active"))
    before = contents(log)
    size = log.size
    (said,) = await broker.clean()
    assert "cleaned t-0 up to offset 80" in said
    after = contents(log)
    assert [each for each in after if each[1].startswith("k")] == [
        (70, "k0", "v35"),
        (72, "k1", "v36"),
        (74, "k2", "v37"),
        (76, "k3", "v38"),
        (78, "k4", "v39"),
        (80, "k0", "active"),
    ]
    assert latest(after) == latest(before)
    assert set(after) < set(before)
    assert log.size < size
    assert log.log_end_offset == 81
    assert await broker.clean() == [], "there is nothing dirty"


async def test_batches_keep_their_offsets_and_small_segments_become_one() -> None:
    broker = CompactedBroker()
    log = await broker.start()
    for number in range(60):
        put(log, ("same", f"{number}"), (f"k{number % 3}", f"{number}"))
    put(closed(log), ("z", "z"))
    segments = len(log.segments)
    await broker.clean()
    assert len(log.segments) == segments, "each was full"
    put(closed(log), ("z", "z"))
    await broker.clean()
    assert len(log.segments) < segments / 2, "little is left of most"
    spans = [(header.base_offset, header.last_offset) for header in headers(log)]
    assert all(last == base + 1 for base, last in spans[:-2])
    for offset in range(log.log_end_offset):
        assert log.read(offset, 1, log.log_end_offset).size > 0, offset
    names = broker.disk.list_dir(DIRECTORY)
    assert not [name for name in names if name.endswith((".cleaned", ".swap"))]
    assert len([n for n in names if n.endswith(".snapshot")]) <= len(log.segments)


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_compressed_batches_keep_their_codec(codec: str) -> None:
    broker = CompactedBroker()
    log = await broker.start()
    put(log, ("a", "1"), ("b", "1"), ("c", "x" * 300), compression=codec)
    put(closed(log), ("b", "2"))
    put(closed(log), ("z", "z"))
    await broker.clean()
    assert headers(log)[0].compression == codec
    assert contents(log)[:2] == [(0, "a", "1"), (2, "c", "x" * 300)]


async def test_tombstones_stay_for_a_time_that_their_first_cleaning_begins() -> None:
    broker = CompactedBroker()
    log = await broker.start()
    put(log, ("a", "1"), ("b", "1"))
    put(log, ("a", None))
    put(closed(log), ("c", "1"))
    await broker.clean()
    assert contents(log) == [(1, "b", "1"), (2, "a", None), (3, "c", "1")]
    assert [header.delete_horizon_ms for header in headers(log)] == [None, NOW_MS + 1000, None]
    broker.clock.now_s += 0.999
    put(closed(log), ("d", "1"))
    await broker.clean()
    assert (2, "a", None) in contents(log), "not a moment early"
    broker.clock.now_s += 0.001
    put(closed(log), ("e", "1"))
    await broker.clean()
    assert contents(log) == [(1, "b", "1"), (3, "c", "1"), (4, "d", "1"), (5, "e", "1")]


async def test_records_of_aborted_transactions_go_and_their_markers_follow() -> None:
    broker = CompactedBroker()
    log = await broker.start()
    put(log, ("a", "committed before"))
    for producer in (7, 8):
        put(
            log, ("a", f"{producer}"), (f"b{producer}", "x"), producer_id=producer,
            producer_epoch=0, base_sequence=0, is_transactional=True,
        )  # fmt: skip
    assert log.stable_offset(5) == 1
    for producer, commit in ((8, True), (7, False)):
        end(log, producer, commit=commit)
    assert log.stable_offset(7) == 7
    put(closed(log), ("z", "z"))
    await broker.clean()
    assert contents(log) == [(3, "a", "8"), (4, "b8", "x"), (7, "z", "z")]
    found = headers(log)
    # The last batch of producer 7 is kept, empty: its sequence is still needed.
    assert [(h.base_offset, h.record_count) for h in found] == [
        (1, 0), (3, 2), (5, 1), (6, 1), (7, 1),
    ]  # fmt: skip
    assert broker.disk.exists(f"{DIRECTORY}/{0:020d}.txnindex")
    log.producer_state.producers.clear()  # both have expired
    for _ in range(3):
        broker.clock.now_s += 2
        put(closed(log), ("z", "z"))
        await broker.clean()
    left = [(h.base_offset, h.record_count) for h in headers(log) if h.base_offset < 7]
    assert left == [(3, 2), (5, 1)], "of the aborted one nothing is left; the committed one stays"


async def test_nothing_is_cleaned_past_the_stable_offset_or_within_the_lag() -> None:
    broker = CompactedBroker(config=replace(COMPACTED, min_compaction_lag_ms=5000))
    log = await broker.start()
    put(log, ("a", "1"))
    put(closed(log), ("a", "2"))
    put(closed(log), ("a", "3"))
    assert await broker.clean() == []
    state = broker.cleaner.states[PARTITION]
    assert state.blocked_by == "min.compaction.lag.ms=5000"
    broker.clock.now_s += 5
    assert await broker.clean(high_watermark=1) != []
    assert "not committed" in state.blocked_by
    assert contents(log) == [(0, "a", "1"), (1, "a", "2"), (2, "a", "3")]
    assert await broker.clean() != []
    assert contents(log) == [(1, "a", "2"), (2, "a", "3")]
    assert (state.cleaned_to, state.last_run_ms) == (2, NOW_MS + 5000)


async def test_the_dirtiest_log_comes_first_and_clean_ones_wait() -> None:
    broker = CompactedBroker(config=replace(COMPACTED, min_cleanable_dirty_ratio=0.5))
    log = await broker.start()
    other = broker.logs.create(TopicPartition("other", 0), Uuid(bytes(16)), broker.config)
    for each, count in ((log, 1), (other, 4)):
        put(each, *((f"k{n}", "v") for n in range(20)))
        closed(each)
        broker.logs.home_of(each.topic_partition).set_cleaned_to(each.topic_partition, 20)  # type: ignore[union-attr]
        for _ in range(count):
            put(each, *((f"k{n}", "w") for n in range(10)))
        closed(each)
        put(each, ("z", "z"))
    (said,) = await broker.clean()
    assert "cleaned other-0" in said
    assert await broker.clean() == []
    assert 0 < broker.cleaner.states[PARTITION].dirty_ratio < 0.5
    log.config = replace(log.config, max_compaction_lag_ms=1000)
    broker.clock.now_s += 2
    (said,) = await broker.clean()
    assert "cleaned t-0" in said, "however little there is to gain"


async def test_a_small_buffer_takes_several_cleanings() -> None:
    broker = CompactedBroker()
    log = await broker.start()
    for number in range(200):
        put(log, (f"k{number % 50}", f"{number}"))
    put(closed(log), ("z", "z"))
    before = latest(contents(log))
    rounds = 0
    while await broker.clean(CleanerConfig(map_bytes=160 * 20, max_bytes_per_s=1e300)):
        rounds += 1
        assert latest(contents(log)) == before
    assert rounds == 10
    assert len(contents(log)) < 200


async def test_an_uncleanable_log_is_reported_and_does_not_stop_the_others() -> None:
    broker = CompactedBroker()
    log = await broker.start()
    other = broker.logs.create(TopicPartition("other", 0), Uuid(bytes(16)), broker.config)
    for each in (log, other):
        put(each, ("a", "1"))
        put(each, ("a", "2"))
        put(closed(each), ("a", "3"))
    log.flush()
    broker.disk.medium.flip_bit(f"{DIRECTORY}/{0:020d}.log", 66, 3)
    said = await broker.clean() + await broker.clean()
    assert any("t-0 cannot be cleaned" in line and "position 0" in line for line in said)
    assert any("cleaned other-0" in line for line in said)
    assert await broker.clean() == []
    assert "corrupt" in broker.cleaner.states[PARTITION].uncleanable


async def test_segments_that_go_before_a_cleaning_begins() -> None:
    """Seed 4005: retention came while the recovery point was being written down."""
    broker = CompactedBroker()
    log = await broker.start()
    put(log, ("a", "1"))
    put(log, ("a", "2"))
    put(closed(log), ("a", "3"))
    writes = log.flush_in_background

    async def deletes_meanwhile(*arguments: Any, **options: Any) -> None:
        await writes(*arguments, **options)
        log.delete_oldest(len(log.segments) - 1, NOW_MS)

    log.flush_in_background = deletes_meanwhile
    (said,) = await broker.clean()
    assert "was broken off" in said
    assert await broker.clean() == []


async def test_a_log_that_ought_to_stay_small_and_grows_is_complained_about() -> None:
    broker = CompactedBroker()
    await broker.start()
    offsets = TopicPartition("__consumer_offsets", 7)
    internal = broker.logs.create(offsets, Uuid(bytes(16)), broker.config)
    put(internal, ("a", "open"))
    for number in range(40):
        put(internal, ("a", f"{number}" * 20))
    upper = {offsets: 1}  # a transaction is open from the second record on
    broker.cleaner.survey(upper, NOW_MS)
    (said,) = broker.cleaner.complaints(NOW_MS)
    assert "__consumer_offsets-7 grows" in said
    assert "find-hanging" in said
    assert broker.cleaner.complaints(NOW_MS + 3_599_999) == [], "once an hour"
    assert broker.cleaner.complaints(NOW_MS + 3_600_000) != []
    broker.cleaner.survey({offsets: internal.log_end_offset}, NOW_MS)
    assert broker.cleaner.complaints(NOW_MS + 9_000_000) == [], "it can be cleaned"


async def test_a_full_disk_is_tried_again() -> None:
    broker = CompactedBroker()
    log = await broker.start()
    put(log, ("a", "1"))
    put(log, ("a", "2"))
    put(closed(log), ("a", "3"))
    log.flush()
    await broker.logs.checkpoint()
    broker.disk.medium.faults.full = True
    (said,) = await broker.clean()
    assert "tried again" in said
    broker.disk.medium.faults.full = False
    (said,) = await broker.clean()
    assert "cleaned t-0" in said
    assert contents(log) == [(1, "a", "2"), (2, "a", "3")]


async def test_the_pace_is_that_of_the_setting() -> None:
    broker = CompactedBroker()
    log = await broker.start()
    for number in range(100):
        put(log, (f"k{number}", "v" * 100))
    put(closed(log), ("z", "z"))
    size = log.size
    await broker.clean(CleanerConfig(map_bytes=1 << 20, max_bytes_per_s=10_000))
    assert broker.clock.slept_s == pytest.approx(3 * size / 10_000, rel=0.1), "two reads, one write"


async def test_a_log_that_is_cut_meanwhile_is_left_alone() -> None:
    broker = CompactedBroker()
    log = await broker.start()
    for number in range(30):
        put(log, ("a", f"{number}"))
    put(closed(log), ("z", "z"))
    before = contents(log)
    prepare = log.prepare_replacement

    def cut(bases: Sequence[int]) -> bool:
        prepared = prepare(bases)
        log.truncate_to(bases[0] + 3)
        return prepared

    log.prepare_replacement = cut
    (said,) = await broker.clean(CONFIG)
    assert "broken off" in said
    assert contents(log) == before[:3]
    assert not [n for n in broker.disk.list_dir(DIRECTORY) if n.endswith(".swap")]


@pytest.mark.parametrize("seed", range(10))
async def test_any_history_keeps_the_last_value_of_every_key(seed: int) -> None:
    dice = Random(seed)
    broker = CompactedBroker()
    log = await broker.start()
    truth: dict[str, tuple[int, str | None]] = {}
    sequence = 0
    for _ in range(60):
        for _ in range(dice.randrange(4)):
            pairs = [
                (f"k{dice.randrange(12)}", dice.choice(["v", "w" * 40, None]))
                for _ in range(dice.randrange(1, 5))
            ]
            base = put(
                log, *pairs, compression=dice.choice(["none", "none", "lz4"]),
                producer_id=3, producer_epoch=0, base_sequence=sequence,
            )  # fmt: skip
            sequence += len(pairs)
            truth.update({key: (base + at, value) for at, (key, value) in enumerate(pairs)})
        if dice.random() < 0.3:
            broker.clock.now_s += dice.random()
            await broker.clean()
        found = latest(contents(log))
        for key, (offset, value) in truth.items():
            if value is not None:
                assert found[key] == (offset, value)
            else:
                assert found.get(key, (offset, None)) == (offset, None)
    entry = log.producer_state.producers[3]
    assert entry.batches[-1].last_sequence == sequence - 1
