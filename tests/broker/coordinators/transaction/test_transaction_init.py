"""InitProducerId: which producer may use a transactional id, and which ones it fences."""

from __future__ import annotations

import pytest

from raftka.broker.coordinators.outbox import Producer
from raftka.model.errors import ErrorCode
from tests.support.transactions import NAME, A, B, TransactionWorld, next_producer

FENCED = ErrorCode.PRODUCER_FENCED


def exhausted(world: TransactionWorld, name: str = NAME) -> Producer:
    """A producer under the last epoch that its id gives."""
    world.shard._core.write(
        name,
        world.shard.transactions()[name].initialized(60_000, 32_766, 32_765, world.now.wall_ms),
    )
    world.settle()
    return Producer(world.shard.transactions()[name].producer_id, 32_766)


def test_the_first_producer_is_given_a_new_id() -> None:
    world = TransactionWorld()
    assert world.producer() == (1001, 0)
    assert world.producer(name="other") == (1002, 0)
    assert world.state() == "Empty"


def test_each_successor_raises_the_epoch_and_fences_its_predecessor() -> None:
    world = TransactionWorld()
    first = world.producer()
    assert world.producer() == (first.id, 1)
    assert world.add(first, A) is FENCED
    assert world.end(first, commit=False).error is FENCED
    assert world.init(first).error is FENCED, "whoever came later has cleared the last epoch"


def test_a_producer_that_goes_on_after_an_error_raises_its_own_epoch() -> None:
    world = TransactionWorld()
    first = world.producer()
    second = Producer(first.id, 1)
    assert world.producer(expected=first) == second
    assert world.producer(expected=first) == second, "it repeats itself: the answer was lost"
    assert world.producer(expected=second) == (first.id, 2)
    assert world.init(first).error is FENCED


def test_a_repetition_across_a_failover_is_fenced() -> None:
    world = TransactionWorld()
    first = world.producer()
    world.producer(expected=first)
    world.fail_over()
    assert world.init(first).error is FENCED, "no record holds the last epoch, as in Kafka"


def test_a_transaction_that_is_open_is_aborted_first() -> None:
    world = TransactionWorld()
    first = world.producer()
    world.add(first, A)
    assert world.init().error is ErrorCode.CONCURRENT_TRANSACTIONS
    assert world.state() == "PrepareAbort"
    assert world.init().error is ErrorCode.CONCURRENT_TRANSACTIONS
    wish = world.write_markers()
    assert (wish.marker.commit, wish.marker.producer_epoch) == (False, 1)
    assert world.state() == "CompleteAbort"
    assert world.producer() == (first.id, 2)
    assert world.init(first).error is FENCED


def test_the_answer_that_sends_it_back_waits_until_the_abort_is_decided() -> None:
    world = TransactionWorld()
    world.add(world.producer(), A)
    world.commits = False
    call = world.init()
    assert call.error is None
    world.commits = True
    world.settle()
    assert call.error is ErrorCode.CONCURRENT_TRANSACTIONS


def test_a_producer_whose_transaction_was_aborted_goes_on_under_its_next_epoch() -> None:
    world = TransactionWorld()
    first = world.producer()
    world.add(first, A)
    world.advance(60_001)
    world.write_markers()
    assert world.producer(expected=first) == (first.id, 1)
    assert world.add(Producer(first.id, 1), B) is ErrorCode.NONE


def test_while_a_transaction_is_being_ended_nobody_begins() -> None:
    world = TransactionWorld()
    first = world.producer()
    world.add(first, A)
    second = next_producer(world.end(first))
    assert world.init().error is ErrorCode.CONCURRENT_TRANSACTIONS
    assert world.init(second).error is ErrorCode.CONCURRENT_TRANSACTIONS
    world.write_markers()
    assert world.producer(expected=second) == (first.id, 2)


@pytest.mark.parametrize("goes_on", [False, True])
def test_an_id_without_epochs_gives_way_to_a_new_one(goes_on: bool) -> None:
    world = TransactionWorld()
    world.producer()
    last = exhausted(world)
    found = world.producer(expected=last if goes_on else None)
    assert found == (1002, 0)
    again = world.init(last)
    if goes_on:
        assert again.answer.producer_id == 1002, "the answer was lost: it asks with its old id"
        assert again.answer.producer_epoch == 0
    else:
        assert again.error is FENCED


def test_a_repetition_under_the_last_epoch_never_gives_the_one_kept_for_markers() -> None:
    world = TransactionWorld(version=1)
    world.producer()
    last = exhausted(world)
    world.add(last, A)
    world.advance(60_001)
    wish = world.write_markers()
    assert wish.marker.producer_epoch == 32_767
    assert world.producer() == (1002, 0)


def test_another_producers_id_is_fenced() -> None:
    world = TransactionWorld()
    world.producer()
    assert world.init(Producer(77, 0)).error is FENCED
    assert world.init(Producer(77, 0), name="new").error is ErrorCode.NONE, "after an expiration"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": ""}, ErrorCode.INVALID_REQUEST),
        ({"timeout_ms": 0}, ErrorCode.INVALID_TRANSACTION_TIMEOUT),
        ({"timeout_ms": 900_001}, ErrorCode.INVALID_TRANSACTION_TIMEOUT),
        ({"producer_id": 5}, ErrorCode.INVALID_REQUEST),
        ({"producer_epoch": 5}, ErrorCode.INVALID_REQUEST),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, int], code: ErrorCode) -> None:
    world = TransactionWorld()
    assert world.init(**fields).error is code  # type: ignore[arg-type]
    assert world.records == []


def test_the_longest_timeout_is_taken() -> None:
    world = TransactionWorld()
    world.producer(timeout_ms=900_000)
    assert world.shard.describe(NAME).transaction_timeout == 900_000
