"""Records encoded without an object for each, against model/records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftka.client.producer.batch import Batch
from raftka.client.producer.record_bytes import record_bytes
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.records import Record, encode_batch, encode_record, iter_records

SIZES = st.integers(0, 20) | st.sampled_from([63, 64, 2030, 2031, 2032, 2033, 2048, 9000])
CONTENT = st.none() | SIZES.map(lambda size: b"x" * size)
DELTAS = st.integers(0, 70) | st.sampled_from([-1, 2047, 2048, 8191, 8192, -(2**40), 2**40])
TARGET = TopicPartition("t", 0)


@given(
    st.integers(0, 3000),
    DELTAS,
    CONTENT,
    CONTENT,
    st.lists(st.tuples(st.text(max_size=3), CONTENT), max_size=2),
)
def test_the_bytes_are_those_of_model_records(
    place: int,
    time: int,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
) -> None:
    record = Record(place, time, key, value, headers)
    assert record_bytes(place, time, key, value, headers) == encode_record(place, time, record)


def test_a_batch_is_the_one_that_model_records_writes() -> None:
    batch = Batch(TARGET, 0.0)
    records = [Record(n, 1000 - n, b"k%d" % n, b"v" * n, ()) for n in range(100)]
    for record in records:
        batch.append(record.key, record.value, record.headers, record.timestamp, 22)
    assert batch.encode("none") == encode_batch(records)
    assert list(iter_records(batch.encode("none"))) == records


def test_a_delivery_is_told_late_or_early() -> None:
    batch = Batch(TARGET, 0.0)
    first, second = (batch.append(None, b"v", (), 7, 22) for _ in range(2))
    order: list[int] = []
    second.when_done(lambda done: order.append(2))
    first.when_done(lambda done: order.append(1))
    with pytest.raises(RuntimeError):
        first.result()
    assert not first.done
    batch.succeed(40, 99)
    assert order == [1, 2], "in the order of the records"
    first.when_done(lambda done: order.append(done.result().offset))
    assert order[-1] == 40
    assert second.result() == ("t", 0, 41, 99)


def test_a_failed_batch_fails_each_delivery() -> None:
    batch = Batch(TARGET, 0.0)
    delivery = batch.append(None, b"v", (), 7, 22)
    batch.fail(KafkaError(ErrorCode.REQUEST_TIMED_OUT))
    assert isinstance(delivery.error, KafkaError)
    with pytest.raises(KafkaError):
        delivery.result()
