"""Timeouts, expiration, failovers and deleted topics."""

from __future__ import annotations

import pytest

from raftka.broker.coordinators.outbox import Producer
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode
from tests.support.transactions import ELSEWHERE, NAME, A, B, TransactionWorld, next_producer

OK = ErrorCode.NONE
WEEK_MS = 7 * 24 * 60 * 60 * 1000


# ---- timeouts


@pytest.mark.parametrize(("version", "next_epoch"), [(1, 1), (2, 1)])
def test_a_transaction_that_is_left_open_is_aborted_and_its_producer_fenced(
    version: int, next_epoch: int
) -> None:
    world = TransactionWorld(version=version)
    producer = world.producer(timeout_ms=5_000)
    world.advance(60_000)
    assert world.state() == "Empty", "only open transactions have a deadline"
    world.add(producer, A)
    world.advance(4_000)
    world.add(producer, B)
    world.advance(999)
    assert world.state() == "Ongoing", "what is added later does not prolong it"
    world.advance(2)
    assert world.state() == "PrepareAbort"
    wish = world.write_markers()
    assert wish.marker == EndMarker(producer.id, next_epoch, False, world.epoch)
    assert wish.partitions == {A, B}
    assert world.add(producer, A) is ErrorCode.PRODUCER_FENCED
    assert world.end(producer).error in (
        ErrorCode.PRODUCER_FENCED,
        ErrorCode.INVALID_TXN_STATE,
    )
    assert world.state() == "CompleteAbort"


def test_a_transaction_that_ended_in_time_is_left_alone() -> None:
    world = TransactionWorld()
    producer = world.producer(timeout_ms=5_000)
    world.add(producer, A)
    world.advance(4_999)
    world.end(producer)
    world.advance(60_000)
    assert world.state() == "PrepareCommit"


def test_the_deadline_outlives_the_coordinator() -> None:
    world = TransactionWorld()
    world.add(world.producer(timeout_ms=5_000), A)
    world.advance(3_000)
    world.fail_over()
    world.advance(1_999)
    assert world.state() == "Ongoing"
    world.advance(2)
    assert world.state() == "PrepareAbort"


def test_a_coordinator_whose_clock_is_behind_waits_no_longer_than_the_timeout() -> None:
    world = TransactionWorld()
    world.add(world.producer(timeout_ms=5_000), A)
    world.now = world.now._replace(wall_ms=world.now.wall_ms - 1_000_000)
    world.fail_over()
    world.advance(5_001)
    assert world.state() == "PrepareAbort"


def test_an_abort_for_a_timeout_under_the_last_epoch_needs_no_new_id() -> None:
    world = TransactionWorld()
    world.producer()
    step = world.shard.transactions()[NAME].initialized(60_000, 32_766, -1, 0)
    world.shard._core.write(NAME, step)
    last = Producer(1001, 32_766)
    world.add(last, A)
    world.advance(60_001)
    assert world.write_markers().marker == EndMarker(1001, 32_767, False, world.epoch)
    assert world.producer(expected=last) == (1002, 0)


# ---- failovers


@pytest.mark.parametrize("commit", [True, False])
def test_what_was_decided_is_finished_by_the_successor(commit: bool) -> None:
    world = TransactionWorld()
    producer = world.producer()
    world.add(producer, A, B)
    producer = next_producer(world.end(producer, commit=commit))
    world.write_markers(A)
    old = world.wanted[0]
    world.fail_over()
    (wish,) = world.wanted
    assert wish.marker == old.marker._replace(coordinator_epoch=world.epoch)
    assert wish.partitions == {A, B}, "nobody knows which have theirs"
    world.write_markers()
    assert world.state() == ("CompleteCommit" if commit else "CompleteAbort")
    assert world.add(producer, A) is OK


def test_a_decision_that_was_not_committed_was_not_made() -> None:
    world = TransactionWorld()
    producer = world.producer()
    world.add(producer, A)
    world.commits = False
    world.end(producer, commit=True)
    world.commits = True
    world.fail_over()
    assert world.state() == "Ongoing"
    assert world.wanted == []
    assert world.end(producer, commit=False).error is OK


def test_answers_about_markers_of_a_former_coordinator_or_transaction_are_nothing() -> None:
    world = TransactionWorld()
    producer = world.producer()
    world.add(producer, A)
    producer = next_producer(world.end(producer))
    old = world.wanted[0]
    world.fail_over()
    world.shard.markers_written(NAME, old.marker, old.partitions, world.now)
    assert world.state() == "PrepareCommit", "the former coordinator's"
    late = world.write_markers()
    world.add(producer, A)
    world.end(producer)
    world.shard.markers_written(NAME, late.marker, late.partitions, world.now)
    assert world.state() == "PrepareCommit", "the former transaction's"
    world.shard.markers_written("unknown", late.marker, late.partitions, world.now)


def test_an_empty_abort_is_finished_by_the_successor() -> None:
    world = TransactionWorld()
    world.end(world.producer(), commit=False)
    world.fail_over()
    world.write_markers()
    assert world.state() == "CompleteAbort"


def test_a_record_that_cannot_be_read_is_skipped() -> None:
    world = TransactionWorld()
    world.producer()
    world.records.append((world.records[0][0], b"\x00\x63"))
    world.records.append((b"\x00\x63", b""))
    world.fail_over()
    assert world.state() == "Empty"


# ---- expiration


def test_an_id_that_nobody_uses_is_forgotten() -> None:
    world = TransactionWorld()
    first = world.producer()
    world.add(world.producer(name="open"), A, name="open")
    world.advance(WEEK_MS - 1)
    assert NAME in world.shard.transactions()
    world.advance(60 * 60 * 1000)
    assert set(world.shard.transactions()) == {"open"}, "the timeout's abort has no marker yet"
    assert [value for _, value in world.records][-1] is None
    assert world.add(first, A) is ErrorCode.INVALID_PRODUCER_ID_MAPPING
    assert world.producer(expected=first) == (1003, 0), "it may go on under a new id"


def test_use_keeps_an_id() -> None:
    world = TransactionWorld()
    producer = world.producer()
    for _ in range(3):
        world.advance(WEEK_MS - 2 * 60 * 60 * 1000)
        world.add(producer, A)
        producer = next_producer(world.end(producer))
        world.write_markers()
    assert world.state() == "CompleteCommit"


# ---- deleted topics


def test_a_deleted_topic_holds_up_no_end() -> None:
    world = TransactionWorld()
    producer = world.producer()
    world.add(producer, A, ELSEWHERE)
    world.end(producer)
    world.write_markers(A)
    assert world.state() == "PrepareCommit"
    world.delete_topic("u")
    assert world.state() == "CompleteCommit"


def test_partitions_that_were_deleted_before_the_end_get_no_markers() -> None:
    world = TransactionWorld()
    producer = world.producer()
    world.add(producer, A, ELSEWHERE)
    world.delete_topic("u")
    assert world.state() == "Ongoing"
    world.end(producer)
    assert world.wanted[0].partitions == {A}
    world.write_markers()
    assert world.state() == "CompleteCommit"


def test_a_successor_does_not_wait_for_topics_that_were_deleted_meanwhile() -> None:
    world = TransactionWorld()
    producer = world.producer()
    world.add(producer, ELSEWHERE)
    world.end(producer)
    world.topics.pop("u")
    world.fail_over()
    assert world.wanted[0].partitions == frozenset()
    world.write_markers()
    assert world.state() == "CompleteCommit"


def test_metadata_without_the_coordinators_own_topic_proves_nothing() -> None:
    world = TransactionWorld()
    producer = world.producer()
    world.add(producer, A)
    world.topics.clear()
    world.end(producer)
    assert world.wanted[0].partitions == {A}


def test_sizes() -> None:
    world = TransactionWorld()
    assert world.shard.sizes() == {"transactional_ids": 0, "open_transactions": 0}
    world.add(world.producer(), A)
    world.producer(name="other")
    assert world.shard.sizes() == {"transactional_ids": 2, "open_transactions": 1}
    assert world.shard.abandon() == []
