"""The pure rules of compaction: what is due, which segments become one, where records are."""

from __future__ import annotations

from random import Random

import pytest

from raftka.model.errors import KafkaError
from raftka.model.record_batch import parse_header
from raftka.model.records import Record, encode_batch, iter_records
from raftka.storage.cleaning.offset_map import SHORT, OffsetMap, fingerprint
from raftka.storage.cleaning.plan import Dirt, SegmentView, Source, group, measure
from raftka.storage.cleaning.walk import note_keys, records_of, walk
from raftka.storage.config import LogConfig
from raftka.storage.transaction_index import AbortedTransaction, decode, encode

CONFIG = LogConfig(cleanup_policy=("compact",))
SEGMENTS = [SegmentView(base, 100, 1000 + base, 1000 + base) for base in (0, 10, 20, 30)]


def dirt(config: LogConfig = CONFIG, **changes: int | None) -> Dirt:
    given: dict[str, int | None] = {
        "log_start_offset": 0,
        "stable_offset": 40,
        "cleaned_to": 10,
        "now_ms": 5000,
    }
    return measure(SEGMENTS, config, **given | changes)  # type: ignore[arg-type]


def test_the_dirty_share_decides() -> None:
    found = dirt()
    assert (found.first_dirty_offset, found.end_offset) == (10, 30)
    assert (found.clean_bytes, found.dirty_bytes) == (100, 200)
    assert found.ratio == pytest.approx(2 / 3)
    assert found.is_due(LogConfig(min_cleanable_dirty_ratio=0.6))
    assert not found.is_due(LogConfig(min_cleanable_dirty_ratio=0.7))
    assert not dirt(cleaned_to=30).is_due(LogConfig(min_cleanable_dirty_ratio=0.0))


def test_the_active_segment_and_what_is_not_stable_are_never_cleaned() -> None:
    assert dirt(stable_offset=29).end_offset == 20
    assert "from offset 29" in dirt(stable_offset=29).blocked_by
    assert dirt(stable_offset=30).end_offset == 30
    assert dirt(stable_offset=5).dirty_bytes == 0


def test_a_checkpoint_outside_the_log_means_that_all_is_dirty() -> None:
    assert dirt(cleaned_to=None).first_dirty_offset == 0
    assert dirt(cleaned_to=35).first_dirty_offset == 0, "truncated meanwhile"
    assert dirt(log_start_offset=20).first_dirty_offset == 20


def test_lags_hold_back_and_hurry() -> None:
    held = dirt(LogConfig(min_compaction_lag_ms=3985))
    assert (held.end_offset, held.blocked_by) == (20, "min.compaction.lag.ms=3985")
    assert dirt(LogConfig(max_compaction_lag_ms=3990)).overdue_ms == 0
    overdue = dirt(LogConfig(max_compaction_lag_ms=3989, min_cleanable_dirty_ratio=1.0))
    assert overdue.overdue_ms > 0 and overdue.is_due(LogConfig(min_cleanable_dirty_ratio=1.0))


def test_neighbours_become_one_within_the_limits_of_a_segment() -> None:
    sources = [Source(0, 60, 8), Source(10, 30, 8), Source(20, 30, 8), Source(2**31 + 5, 1, 0)]

    def bases(**limits: int) -> list[list[int]]:
        given = {"segment_bytes": 100, "index_bytes": 100} | limits
        return [[s.base_offset for s in g] for g in group(sources, 2**31 + 9, **given)]

    assert bases() == [[0, 10], [20, 2**31 + 5]]
    assert bases(segment_bytes=1000) == [[0, 10], [20, 2**31 + 5]], "offsets are relative"
    assert bases(index_bytes=8) == [[0], [10], [20, 2**31 + 5]]


@pytest.mark.parametrize("seed", range(20))
def test_records_are_where_the_decoder_finds_them(seed: int) -> None:
    dice = Random(seed)

    def some(limit: int) -> bytes | None:
        return None if dice.random() < 0.2 else dice.randbytes(dice.choice([0, 1, 31, 63, limit]))

    records = [
        Record(
            0, dice.choice([0, 100, 10**6, -1]), some(200), some(20_000), [("h", b"1")] * (n % 3)
        )
        for n in range(dice.choice([1, 3, 70]))
    ]
    batch = memoryview(
        encode_batch(records, base_offset=1000, compression=dice.choice(["none", "lz4"]))
    )
    header = parse_header(batch)
    data = records_of(header, batch)
    found = walk(header, data)
    expected = list(iter_records(batch))
    assert [(offset, key) for _, _, offset, _, key, _ in found] == [
        (record.offset, record.key) for record in expected
    ]
    assert [header.base_timestamp + time for _, _, _, time, _, _ in found] == [
        record.timestamp for record in expected
    ]
    assert [tombstone for *_, tombstone in found] == [record.value is None for record in expected]
    assert b"".join(data[start:end] for start, end, *_ in found) == data
    offsets: dict[bytes, int] = {}
    keyed = [record for record in expected if record.key is not None]
    assert note_keys(header, data, offsets) == any(record.value is None for record in keyed)
    assert offsets == {fingerprint(record.key or b""): record.offset for record in keyed}


def test_records_that_do_not_fill_their_batch_are_refused() -> None:
    batch = memoryview(encode_batch([Record(0, 0, b"k", b"v"), Record(0, 0, b"k", b"v")]))
    header = parse_header(batch)
    data = records_of(header, batch)
    for bad in (data[:-1], data + b"x", data[1:], b""):
        with pytest.raises(KafkaError):
            walk(header, bad)
        with pytest.raises(KafkaError):
            note_keys(header, bad, {})


def test_a_digest_never_equals_a_short_key() -> None:
    assert len(fingerprint(b"x" * 1000)) == SHORT
    assert fingerprint(b"x" * (SHORT - 1)) == b"x" * (SHORT - 1)
    assert fingerprint(b"x" * SHORT) != b"x" * SHORT


def test_the_map_knows_which_offsets_stay() -> None:
    offset_map = OffsetMap(10_000)
    offset_map.offsets = {b"a": 7, b"b": 3, b"c": 9}
    offset_map.complete()
    assert list(offset_map.survivors_in(4, 9)) == [7, 9]
    assert list(offset_map.survivors_in(4, 6)) == []


def test_transaction_indexes_are_written_as_they_are_read() -> None:
    entries = [AbortedTransaction(1, 2, 3, 4), AbortedTransaction(5, 6, 7, 8)]
    assert decode(encode(entries)) == entries
    assert decode(encode(entries)[:-1]) == entries[:1]
