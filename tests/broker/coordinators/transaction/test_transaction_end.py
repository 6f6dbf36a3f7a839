"""EndTxn, and the partitions that join before it: versions 0, 1 and 2 of transactions."""

from __future__ import annotations

import pytest

from raftka.broker.coordinators.outbox import Producer
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from tests.support.transactions import (
    ELSEWHERE,
    NAME,
    A,
    B,
    C,
    TransactionWorld,
    next_producer,
)

OK = ErrorCode.NONE
FENCED = ErrorCode.PRODUCER_FENCED
WRONG = ErrorCode.INVALID_TXN_STATE
BUSY = ErrorCode.CONCURRENT_TRANSACTIONS
MAPPING = ErrorCode.INVALID_PRODUCER_ID_MAPPING
BEFORE_2 = [0, 1]


# ---- partitions


def test_the_first_partition_opens_the_transaction() -> None:
    world = TransactionWorld()
    producer = world.producer()
    assert world.add(producer, A, ELSEWHERE) is OK
    assert world.add(producer, B) is OK
    described = world.shard.describe(NAME)
    assert described.transaction_state == "Ongoing"
    assert described.transaction_start_time == world.now.wall_ms
    assert [(t.topic, t.partitions) for t in described.topics] == [("t", [0, 1]), ("u", [0])]


def test_a_partition_that_is_in_writes_nothing() -> None:
    world = TransactionWorld()
    producer = world.producer()
    world.add(producer, A, B)
    written = len(world.records)
    assert world.add(producer, A) is OK
    assert world.add(producer) is OK
    assert len(world.records) == written


def test_only_the_present_producer_adds() -> None:
    world = TransactionWorld()
    producer = world.producer()
    assert world.add(Producer(producer.id, 1), A) is FENCED
    assert world.add(Producer(5, 0), A) is MAPPING
    assert world.add(producer, A, name="unknown") is MAPPING
    assert world.add(producer, A, name="") is ErrorCode.INVALID_REQUEST


def test_verification_says_which_partitions_are_in() -> None:
    world = TransactionWorld(version=1)
    producer = world.producer()
    assert world.verify(producer, A) == [ErrorCode.TRANSACTION_ABORTABLE]
    world.add(producer, A)
    assert world.verify(producer, A, B) == [OK, ErrorCode.TRANSACTION_ABORTABLE]
    assert world.verify(Producer(producer.id, 1), A) == [FENCED]
    assert world.verify(Producer(5, 0), A) == [MAPPING]
    world.end(producer)
    assert world.verify(producer, A) == [BUSY]
    world.write_markers()
    assert world.verify(producer, A) == [ErrorCode.TRANSACTION_ABORTABLE], "of the next one"


def test_a_transaction_that_no_record_could_end_does_not_grow() -> None:
    world = TransactionWorld()
    producer = world.producer()
    world.shard.outbox.bytes_max = 400
    many = [TopicPartition("t", number) for number in range(200)]
    assert world.add(producer, *many[:10]) is OK
    assert world.add(producer, *many) is ErrorCode.RECORD_LIST_TOO_LARGE
    assert len(world.shard.transactions()[NAME].partitions) == 10
    assert world.end(producer).error is OK


# ---- version 2


@pytest.mark.parametrize("commit", [True, False])
def test_the_epoch_goes_up_with_each_transaction(commit: bool) -> None:
    world = TransactionWorld()
    producer = world.producer()
    for epoch in range(3):
        assert producer == (1001, epoch)
        world.add(producer, A, B)
        producer = next_producer(world.end(producer, commit=commit))
        wish = world.write_markers()
        assert wish.marker == EndMarker(1001, epoch + 1, commit, world.epoch)
        assert (wish.partitions, wish.transaction_version) == (frozenset({A, B}), 2)
        assert world.state() == ("CompleteCommit" if commit else "CompleteAbort")


def test_the_answer_and_the_markers_wait_until_the_decision_is_committed() -> None:
    world = TransactionWorld()
    producer = world.producer()
    world.add(producer, A)
    world.commits = False
    call = world.end(producer)
    assert (call.error, world.wanted) == (None, [])
    world.commits = True
    world.settle()
    assert call.error is OK
    assert len(world.wanted) == 1


def test_it_is_complete_when_every_partition_has_its_marker() -> None:
    world = TransactionWorld()
    producer = world.producer()
    world.add(producer, A, B, C)
    producer = next_producer(world.end(producer))
    world.write_markers(A)
    world.write_markers(C)
    described = world.shard.describe(NAME)
    assert described.transaction_state == "PrepareCommit"
    assert [(t.topic, t.partitions) for t in described.topics] == [("t", [1])]
    assert world.add(producer, A) is BUSY
    world.write_markers(B)
    assert world.state() == "CompleteCommit"
    assert world.add(producer, A) is OK


@pytest.mark.parametrize(
    ("ended_by", "again", "expected"),
    [(True, True, OK), (True, False, WRONG), (False, False, OK), (False, True, WRONG)],
)
def test_an_end_that_is_repeated_is_answered_as_before(
    ended_by: bool, again: bool, expected: ErrorCode
) -> None:
    world = TransactionWorld()
    producer = world.producer()
    world.add(producer, A)
    first = world.end(producer, commit=ended_by)
    assert world.end(producer, commit=again).error is (BUSY if expected is OK else WRONG)
    world.write_markers()
    written = len(world.records)
    repeated = world.end(producer, commit=again)
    assert repeated.error is expected
    if expected is OK:
        assert next_producer(repeated) == next_producer(first)
    assert len(world.records) == written


@pytest.mark.parametrize("begin", ["Empty", "CompleteCommit", "CompleteAbort"])
def test_an_abort_without_a_transaction_raises_the_epoch(begin: str) -> None:
    world = TransactionWorld()
    producer = world.producer()
    if begin != "Empty":
        world.add(producer, A)
        producer = next_producer(world.end(producer, commit=begin == "CompleteCommit"))
        world.write_markers()
    assert world.state() == begin
    assert world.end(producer, commit=True).error is WRONG, "there is nothing to commit"
    successor = next_producer(world.end(producer, commit=False))
    assert successor == (producer.id, producer.epoch + 1)
    assert world.wanted[0].partitions == frozenset()
    world.write_markers()
    assert world.state() == "CompleteAbort"


@pytest.mark.parametrize("commit", [True, False])
def test_an_empty_id_fences_a_producer_of_an_epoch_before(commit: bool) -> None:
    world = TransactionWorld()
    first = world.producer()
    world.producer()
    assert world.end(first, commit=commit).error is FENCED


@pytest.mark.parametrize("commit", [True, False])
def test_the_end_of_the_next_transaction_waits_for_the_markers_of_this_one(commit: bool) -> None:
    """A producer that aborts at once was not fenced: found by benchmarks/soak."""
    world = TransactionWorld()
    producer = world.producer()
    world.add(producer, A)
    successor = next_producer(world.end(producer, commit=commit))
    assert world.end(successor, commit=False).error is BUSY
    world.write_markers()
    assert next_producer(world.end(successor, commit=False)) == (1001, 2)


def test_while_it_is_being_ended_the_present_epoch_is_no_repetition() -> None:
    world = TransactionWorld()
    producer = world.producer()
    world.add(producer, A)
    successor = next_producer(world.end(producer))
    assert world.end(successor).error is BUSY
    assert world.end(Producer(5, 0)).error is MAPPING
    assert world.end(producer, name="unknown").error is MAPPING
    assert world.end(producer, name="").error is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("commit", [True, False])
def test_the_last_epoch_of_an_id_ends_under_a_new_one(commit: bool) -> None:
    world = TransactionWorld()
    world.producer()
    step = world.shard.transactions()[NAME].initialized(60_000, 32_766, 32_765, 0)
    world.shard._core.write(NAME, step)
    last = Producer(1001, 32_766)
    world.add(last, A)
    ended = world.end(last, commit=commit)
    assert next_producer(ended) == (1002, 0)
    world.fail_over()
    wish = world.write_markers()
    assert (wish.marker.producer_id, wish.marker.producer_epoch) == (1001, 32_767)
    assert next_producer(world.end(last, commit=commit)) == (1002, 0), "its answer was lost"
    assert world.add(Producer(1002, 0), A) is OK


# ---- versions 0 and 1


@pytest.mark.parametrize("version", BEFORE_2)
@pytest.mark.parametrize("commit", [True, False])
def test_before_version_2_the_epoch_stays(version: int, commit: bool) -> None:
    world = TransactionWorld(version=version)
    producer = world.producer()
    for _ in range(2):
        world.add(producer, A)
        call = world.end(producer, commit=commit)
        assert (call.error, call.answer.producer_id) == (OK, -1)
        assert world.end(producer, commit=commit).error is BUSY
        assert world.end(producer, commit=not commit).error is WRONG
        wish = world.write_markers()
        assert wish.marker == EndMarker(1001, 0, commit, world.epoch)
        assert wish.transaction_version == 0
        assert world.end(producer, commit=commit).error is OK
        assert world.end(producer, commit=not commit).error is WRONG


def test_before_version_2_there_is_no_end_without_a_transaction() -> None:
    world = TransactionWorld(version=1)
    producer = world.producer()
    assert world.end(producer, commit=False).error is WRONG
    assert world.end(producer, commit=True).error is WRONG
    assert world.end(Producer(producer.id, 1)).error is FENCED


def test_layouts_follow_the_clusters_version() -> None:
    world = TransactionWorld(version=0)
    world.producer()
    world.finalize(2)
    world.producer()
    world.finalize(0)
    world.producer()
    layouts = [int.from_bytes((value or b"")[:2], "big") for _, value in world.records]
    assert layouts == [0, 1, 0]


def test_an_upgrade_in_the_middle_of_a_transaction_changes_how_the_next_one_ends() -> None:
    world = TransactionWorld(version=1)
    producer = world.producer()
    world.add(producer, A)
    world.finalize(2)
    assert world.end(producer, client=0).error is OK, "the client learns of it later"
    world.write_markers()
    world.add(producer, A)
    assert next_producer(world.end(producer)) == (producer.id, 1)
