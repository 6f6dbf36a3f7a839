"""Fetch sessions, and the records of a fetch response."""

from __future__ import annotations

from itertools import pairwise

import pytest

from raftka.client.consumer.completed_fetch import Aborted, CompletedFetch
from raftka.client.consumer.fetch_session import FetchSession, Wish
from raftka.client.consumer.polled import Polled
from raftka.client.consumer.state import Assignment, ConsumerRecord, Position
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition as TP
from raftka.model.records import Record, encode_batch

A, B = TP("t", 0), TP("t", 1)


def wish(offset: int = 0, topic_id: bytes = b"x" * 16) -> Wish:
    return Wish(topic_id, offset, 0, -1, 100)


def test_the_first_request_is_a_full_one() -> None:
    session = FetchSession()
    request = session.request({A: wish(), B: wish()})
    assert (request.session_id, request.session_epoch) == (0, 0)
    assert set(request.wishes) == {A, B}


def test_later_ones_tell_only_what_changed() -> None:
    session = FetchSession()
    session.request({A: wish(), B: wish()})
    session.answered(0, 42)
    request = session.request({A: wish(5), B: wish()})
    assert (request.session_id, request.session_epoch) == (42, 1)
    assert request.wishes == {A: wish(5)}
    session.answered(0, 42)
    request = session.request({B: wish()})
    assert (request.session_epoch, request.wishes) == (2, {})
    assert set(request.forgotten) == {A}


def test_a_topic_made_anew_is_forgotten_and_asked_for() -> None:
    session = FetchSession()
    session.request({A: wish()})
    session.answered(0, 42)
    request = session.request({A: wish(topic_id=b"y" * 16)})
    assert request.forgotten == {A: b"x" * 16}
    assert A in request.wishes


def test_a_broker_without_sessions_gets_full_requests() -> None:
    session = FetchSession()
    for _ in range(3):
        assert session.request({A: wish()}).session_epoch == 0
        session.answered(0, 0)


def test_a_lost_session_begins_anew() -> None:
    session = FetchSession()
    session.request({A: wish()})
    session.answered(0, 42)
    session.request({A: wish()})
    session.answered(ErrorCode.FETCH_SESSION_ID_NOT_FOUND, 0)
    request = session.request({A: wish()})
    assert (request.session_id, request.session_epoch) == (0, 0)
    assert A in request.wishes


def test_a_lost_answer_replaces_the_session() -> None:
    session = FetchSession()
    session.request({A: wish()})
    session.answered(0, 42)
    session.request({A: wish(1)})
    session.restart()
    request = session.request({A: wish(1)})
    assert (request.session_id, request.session_epoch) == (42, 0)
    assert A in request.wishes


def batch(base: int, *values: bytes, **settings: object) -> bytes:
    records = [Record(0, 1000 + i, None, value) for i, value in enumerate(values)]
    return encode_batch(records, base_offset=base, leader_epoch=4, **settings)  # type: ignore[arg-type]


def marker(base: int, producer_id: int, *, commit: bool) -> bytes:
    key = b"\0\0\0\1" if commit else b"\0\0\0\0"
    return encode_batch(
        [Record(0, 0, key, b"\0" * 6)],
        base_offset=base,
        producer_id=producer_id,
        producer_epoch=0,
        is_transactional=True,
        is_control=True,
    )


def fetched(
    data: bytes, start: int = 0, aborted: list[Aborted] | None = None, *, check: bool = True
) -> CompletedFetch:
    return CompletedFetch(A, data, Position(start), check_crcs=check, aborted=aborted)


def test_a_fetch_in_the_middle_of_a_batch_begins_at_its_offset() -> None:
    fetch = fetched(batch(10, b"a", b"b", b"c"), 11)
    assert [(record.offset, record.value) for record in fetch.take(10)] == [
        (11, b"b"),
        (12, b"c"),
    ]
    assert fetch.position == Position(13, 4)


def test_positions_follow_what_was_taken() -> None:
    fetch = fetched(batch(0, b"a", b"b", b"c") + batch(3, b"d"))
    assert len(fetch.take(2)) == 2
    assert (fetch.position.offset, fetch.exhausted) == (2, False)
    assert len(fetch.take(10)) == 2
    assert (fetch.position.offset, fetch.exhausted) == (4, True)


def test_gaps_that_compaction_left_are_stepped_over() -> None:
    fetch = fetched(batch(0, b"a") + batch(7, b"b"), 0)
    offsets = [record.offset for record in fetch.take(10)]
    assert offsets == [0, 7]
    assert all(one < other for one, other in pairwise(offsets))
    assert fetch.position.offset == 8


def test_a_cut_off_last_batch_waits_for_the_next_fetch() -> None:
    fetch = fetched(batch(0, b"a") + batch(1, b"b")[:-3])
    assert [record.offset for record in fetch.take(10)] == [0]
    assert fetch.position.offset == 1


def test_markers_are_not_records() -> None:
    fetch = fetched(marker(0, 5, commit=True) + batch(1, b"a"))
    assert [record.value for record in fetch.take(10)] == [b"a"]


def test_read_committed_leaves_aborted_transactions_out() -> None:
    transactional = {"producer_id": 5, "producer_epoch": 0, "is_transactional": True}
    other = {"producer_id": 6, "producer_epoch": 0, "is_transactional": True}
    data = b"".join(
        [
            batch(0, b"aborted", base_sequence=0, **transactional),
            batch(1, b"plain"),
            batch(2, b"other", base_sequence=0, **other),
            marker(3, 5, commit=False),
            batch(4, b"committed", base_sequence=1, **transactional),
            marker(5, 5, commit=True),
        ]
    )
    seen = [record.value for record in fetched(data, aborted=[Aborted(5, 0)]).take(10)]
    assert seen == [b"plain", b"other", b"committed"]
    everything = [record.value for record in fetched(data).take(10)]
    assert everything == [b"aborted", b"plain", b"other", b"committed"]


def test_corrupt_records_are_noticed_when_asked_to() -> None:
    damaged = bytearray(batch(0, b"abcdef"))
    damaged[-3] ^= 1
    with pytest.raises(KafkaError, match="CORRUPT_MESSAGE"):
        fetched(bytes(damaged)).take(1)
    assert len(fetched(bytes(damaged), check=False).take(1)) == 1


@pytest.mark.parametrize(("committed_only", "lag"), [(False, 8), (True, 5)])
def test_lag_ends_where_reading_ends(committed_only: bool, lag: int) -> None:
    assignment = Assignment(committed_only=committed_only)
    assignment.replace([A])
    assert assignment.lag(A) is None
    assignment.seek(A, 2)
    state = assignment.state(A)
    state.high_watermark, state.last_stable_offset = 10, 7
    assert assignment.lag(A) == lag


def test_what_is_not_handed_out_counts_as_not_consumed() -> None:
    polled = Polled()
    polled.extend(ConsumerRecord(*A, offset, 0, None, b"v", ()) for offset in (4, 5, 6))
    assert polled.next().offset == 4
    assert polled.start(A, 7) == 5
    assert polled.count(A) == 2
    assert [record.offset for record in polled.take(1)] == [5]
    polled.drop(A)
    assert polled.start(A, 7) == 7
