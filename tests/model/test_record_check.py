"""Well-formed records inside a batch: the compiled pass against the slow one, and both in use."""

from __future__ import annotations

import warnings
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftka.model import record_check
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.record_batch import HEADER_BYTES
from raftka.model.record_check import Survey, compiled_walk, only_delta, record_heads, survey
from raftka.model.records import Record, encode_batch, iter_records
from tests.support.raw_batches import batch, header, mutate, octets, record, varint

with warnings.catch_warnings():
    warnings.simplefilter("ignore")

NOW_MS = 1_700_000_000_000

octets_or_none = st.none() | st.binary(max_size=200)
records = st.builds(
    Record,
    offset=st.just(0),
    timestamp=st.integers(NOW_MS - 2**40, NOW_MS + 2**40) | st.integers(NOW_MS, NOW_MS + 500),
    key=octets_or_none,
    value=octets_or_none,
    headers=st.lists(st.tuples(st.text(max_size=10), octets_or_none), max_size=3),
)


def slowly(data: memoryview, count: int) -> Survey | None:
    """The slow pass's survey; None for records that it refuses."""
    try:
        heads = list(record_heads(bytes(data[HEADER_BYTES:]), count))
    except KafkaError as error:
        assert error.code is ErrorCode.INVALID_RECORD
        return None
    deltas = [head.timestamp_delta for head in heads]
    return Survey(min(deltas), max(deltas), all(head.has_key for head in heads))


def without_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_check, "compiled_walk", lambda: None)


def agrees(data: memoryview) -> None:
    """The compiled pass agrees on the largest time delta, or leaves it to the slow one."""
    walk, count = compiled_walk(), int.from_bytes(data[57:61], "big", signed=True)
    assert walk is not None
    found = walk.newest(id(data))
    slow = slowly(data, count) if count > 0 else None
    assert found == -1 or (slow is not None and found == slow.newest)


@given(st.lists(records, min_size=1, max_size=80))
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_well_formed_for_both(written: list[Record]) -> None:
    data = memoryview(bytearray(encode_batch(written)))
    times = [each.timestamp - written[0].timestamp for each in written]
    expected = Survey(min(times), max(times), all(each.key is not None for each in written))
    assert slowly(data, len(written)) == expected
    assert survey(data, HEADER_BYTES, len(written)) == expected
    if (walk := compiled_walk()) is not None:
        assert walk.survey(id(data), HEADER_BYTES, len(written)) == expected, "left to the slow one"


@given(st.integers(0, 2**32))
@settings(max_examples=1500, deadline=None)
def test_the_compiled_pass_takes_nothing_that_the_slow_one_refuses(seed: int) -> None:
    """Nor does it find other times or keys."""
    walk = compiled_walk()
    if walk is None:
        pytest.skip("no LuaJIT on this machine")
    data = memoryview(bytearray(mutate(Random(seed))))
    count = int.from_bytes(data[57:61], "big", signed=True)
    agrees(data)
    for declared in (count, count - 1, count + 1):
        found = walk.survey(id(data), HEADER_BYTES, declared)
        if found is not None:
            assert found == slowly(data, declared)
        if len(data) > HEADER_BYTES and declared == 1:
            delta = only_delta(data, len(data))
            if delta >= 0:
                alone = slowly(data, 1)
                assert alone is not None
                assert (delta, delta) == alone[:2]


@given(st.binary(max_size=80), st.integers(-3, 40))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_refused_or_read(garbage: bytes, count: int) -> None:
    """Whatever their number; a read beyond the buffer would show where memory is watched."""
    data = memoryview(bytearray(HEADER_BYTES) + garbage)
    expected = slowly(data, count) if count > 0 else None
    if expected is None:
        with pytest.raises(KafkaError):
            survey(data, HEADER_BYTES, count)
    else:
        assert survey(data, HEADER_BYTES, count) == expected


@given(st.binary(max_size=400), st.integers(-3, 70))
@settings(max_examples=500, deadline=None)
def test_the_largest_delta_of_any_bytes_is_the_slow_ones(garbage: bytes, count: int) -> None:
    """Also of a batch without all of its header."""
    if (walk := compiled_walk()) is None:
        pytest.skip("no LuaJIT on this machine")
    whole = bytes(57) + count.to_bytes(4, "big", signed=True) + garbage
    agrees(memoryview(whole))
    short = memoryview(bytes(garbage[:60]))
    assert walk.newest(id(short)) == -1


@pytest.mark.parametrize("count", [2, 63, 64, 65, 128, 129, 8191, 8192, 8193, 8300])
def test_batches_of_every_length_are_seen_through_at_once(count: int) -> None:
    """Offset deltas have one byte, then two, then three; the last records are small ones."""
    if (walk := compiled_walk()) is None:
        pytest.skip("no LuaJIT on this machine")
    made = b"".join(record(n, delta=n % 60, value=octets(b"vvv")) for n in range(count))
    data = memoryview(batch(made, count))
    assert walk.newest(id(data)) == min(count - 1, 59)
    wrong = bytearray(data)
    wrong[-1] ^= 2
    view = memoryview(wrong)
    assert walk.newest(id(view)) == -1
    longer = memoryview(bytes(data) + b"\0")
    assert walk.newest(id(longer)) == -1


def test_every_byte_of_a_small_batch_may_be_any() -> None:
    """All 256 values at each place of two records with a header: the passes agree."""
    walk = compiled_walk()
    good = bytearray(
        batch(record(0, headers=varint(1) + header()) + record(1, key=octets(None)), 2)
    )
    refused = 0
    for place in range(HEADER_BYTES, len(good)):
        for value in range(256):
            data = memoryview(bytearray(good))
            data[place] = value
            expected = slowly(data, 2)
            refused += expected is None
            if walk is not None and (found := walk.survey(id(data), HEADER_BYTES, 2)) is not None:
                assert found == expected
    assert refused > 1000


@given(st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_a_flaw_among_records_of_one_shape_is_found(seed: int) -> None:
    """The compiled pass compares records with the first of their shape; any byte may be any."""
    walk = compiled_walk()
    if walk is None:
        pytest.skip("no LuaJIT on this machine")
    dice = Random(seed)
    count, key = dice.randrange(2, 300), dice.choice([None, b"key", b"k" * 63])
    sizes = dice.choice([(0, 3), (40, 60), (100, 100), (60, 140), (500, 1500)])
    data = memoryview(
        bytearray(
            batch(
                b"".join(
                    record(
                        n, delta=n // 3, key=octets(key), value=octets(bytes(dice.randint(*sizes)))
                    )
                    for n in range(count)
                ),
                count,
            )
        )
    )
    expected = slowly(data, count)
    assert expected == (0, (count - 1) // 3, bool(key))
    assert walk.survey(id(data), HEADER_BYTES, count) == expected
    assert walk.newest(id(data)) == (count - 1) // 3
    for _ in range(4):
        place = dice.randrange(HEADER_BYTES, len(data))
        before, data[place] = data[place], dice.randrange(256)
        found = walk.survey(id(data), HEADER_BYTES, count)
        if found is not None:
            assert found == slowly(data, count)
        agrees(data)
        data[place] = before


def test_offset_deltas_of_four_bytes_are_compared_whole() -> None:
    """Three bytes of a delta do not reach beyond 2^20."""
    walk = compiled_walk()
    if walk is None:
        pytest.skip("no LuaJIT on this machine")
    limit = 1 << 20

    def one(delta: bytes) -> bytes:
        body = b"\0\0" + delta + b"\1\0\0"
        return bytes([2 * len(body)]) + body

    right = b"".join(one(varint(n)) for n in range(limit))
    again = b"".join(one(bytes([n << 1 | 0x80, 0x80, 0])) for n in range(20))
    # The end of a batch is walked in another way: the bytes tested here are before it.
    end = b"".join(one(varint(limit + 20 + n)) for n in range(60))
    well = b"".join(one(varint(limit + n)) for n in range(20))
    wrong = memoryview(right + again + end)
    assert walk.survey(id(wrong), 0, limit + 80) is None
    good = memoryview(right + well + end)
    assert walk.survey(id(good), 0, limit + 80) == (0, 0, False)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("writable", [True, False])
def test_buffers_of_either_kind_are_read(
    compiled: bool, writable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        without_compiled(monkeypatch)
    data = encode_batch([Record(0, NOW_MS + n, b"k", b"v" * n) for n in (0, 7, 3)])
    given_view = memoryview(bytearray(data) if writable else data)
    assert survey(given_view, HEADER_BYTES, 3) == (0, 7, True)
    assert bytes(given_view) == data


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    "delta", [0, 1, -1, 63, 64, 2**27 - 1, -(2**27), 2**28, 2**35, 2**51 - 1, 2**52, -(2**61)]
)
def test_time_deltas_of_every_size(
    delta: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        without_compiled(monkeypatch)
    data = memoryview(bytearray(batch(record() + record(1, delta=delta) + record(2), 3)))
    assert survey(data, HEADER_BYTES, 3) == (min(0, delta), max(0, delta), True)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 62, 63, 64, 127, 128, 8191, 8192, 2**20, 2**21])
def test_values_of_every_size(length: int) -> None:
    """Lengths of one to four bytes."""
    for count in (1, 2):
        made = b"".join(record(n, value=octets(bytes(length))) for n in range(count))
        data = memoryview(bytearray(batch(made, count)))
        assert survey(data, HEADER_BYTES, count) == (0, 0, True)
        if (walk := compiled_walk()) is not None:
            assert walk.survey(id(data), HEADER_BYTES, count) == (0, 0, True)
    alone = memoryview(batch(record(value=octets(bytes(length))), 1))
    assert only_delta(alone, len(alone)) == (0 if length < 8170 else -1)


@pytest.mark.parametrize(
    "made",
    [
        record(),
        record(delta=63),
        record(key=octets(None)),
        record(value=octets(None)),
        record(key=octets(None), value=octets(b"")),
        record(key=octets(bytes(63)), value=octets(bytes(1000))),
    ],
)
def test_one_plain_record_is_read_in_place(made: bytes) -> None:
    data = memoryview(batch(made))
    (head,) = record_heads(made, 1)
    assert only_delta(data, len(data)) == head.timestamp_delta


def test_the_words_name_the_record() -> None:
    data = batch(record() + record(1, value=varint(50) + b"x"), 2)
    with pytest.raises(KafkaError, match="Record 1 of 2 is malformed: the batch ends inside it"):
        survey(memoryview(data), HEADER_BYTES, 2)
    with pytest.raises(KafkaError, match="declares 1 records, and 9 bytes follow the last"):
        survey(memoryview(batch(record() + record(1), 1)), HEADER_BYTES, 1)


def test_consumers_read_what_is_well_formed() -> None:
    """The pass accepts exactly the records that `iter_records` accepts."""
    dice = Random(7)
    taken = 0
    for _ in range(1500):
        data = mutate(dice)
        count = int.from_bytes(data[57:61], "big", signed=True)
        if data[22] == 0 and slowly(memoryview(data), count) is not None:
            assert len(list(iter_records(data))) == count
            taken += 1
    assert taken > 100
