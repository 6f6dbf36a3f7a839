"""The order in which a partition's batches are sent."""

from __future__ import annotations

from raftka.client.producer.batch import NO_IDENTITY, Batch, Identity, next_sequence
from raftka.client.producer.queue import PartitionQueue
from raftka.model.ids import TopicPartition
from raftka.model.records import parse_header

TARGET = TopicPartition("t", 0)
ONE = Identity(7, 0)
TWO = Identity(7, 1)


def filled(queue: PartitionQueue, *sizes: int) -> list[Batch]:
    """A closed batch for each of these numbers of records, after those that wait."""
    added: list[Batch] = []
    for number, size in enumerate(sizes):
        batch = Batch(TARGET, float(number))
        for _ in range(size):
            batch.append(None, b"v", (), 0, 22)
        batch.closed = True
        queue.pending.append(batch)
        added.append(batch)
    return added


def send_all(queue: PartitionQueue, now: float = 100.0) -> list[Batch]:
    sent: list[Batch] = []
    while (batch := queue.sendable(now)) is not None:
        queue.take(batch, ONE)
        sent.append(batch)
    return sent


def test_numbers_count_records() -> None:
    queue = PartitionQueue(TARGET)
    batches = filled(queue, 3, 2, 4)
    send_all(queue)
    assert [batch.base_sequence for batch in batches] == [0, 3, 5]


def test_five_are_in_flight_at_most() -> None:
    queue = PartitionQueue(TARGET)
    filled(queue, *[1] * 7)
    assert len(send_all(queue)) == 5


def test_a_retry_goes_first_and_alone_with_its_old_number() -> None:
    queue = PartitionQueue(TARGET)
    one, two, three = filled(queue, 2, 2, 2)
    send_all(queue)
    queue.put_back(two, 0.0)
    queue.put_back(three, 0.0)
    assert queue.sendable(100.0) is None, "batch one is still out"
    queue.finish(one)
    assert send_all(queue) == [two]
    assert two.base_sequence == 2
    queue.finish(two)
    assert send_all(queue) == [three]


def test_failures_in_any_order_come_back_in_order() -> None:
    queue = PartitionQueue(TARGET)
    batches = filled(queue, 1, 1, 1, 1)
    send_all(queue)
    fresh = filled(queue, 1)
    for batch in (batches[2], batches[0], batches[3], batches[1]):
        queue.put_back(batch, 0.0)
    assert list(queue.pending) == batches + fresh


def test_batches_of_one_moment_come_back_in_order() -> None:
    queue = PartitionQueue(TARGET)
    batches = filled(queue, 1, 1, 1)
    for batch in batches:
        batch.created = 7.0
        queue.take(batch, NO_IDENTITY)
    for batch in (batches[1], batches[0], batches[2]):
        queue.put_back(batch, 0.0)
    assert list(queue.pending) == batches


def test_a_batch_that_has_its_number_back_goes_before_those_that_have_not() -> None:
    """Seed 130000515: both were begun at the same time, and the second was sent first."""
    queue = PartitionQueue(TARGET)
    one, two = filled(queue, 1, 1)
    one.created = two.created = 7.0
    send_all(queue)
    queue.put_back(one, 0.0)
    queue.put_back(two, 0.0)
    assert queue.restart(TWO)
    queue.take(one, TWO)
    queue.put_back(one, 0.0)
    assert queue.sendable(100.0) is one


def test_a_pause_holds_back_all_that_follows() -> None:
    queue = PartitionQueue(TARGET)
    one, _ = filled(queue, 1, 1)
    queue.take(one, ONE)
    queue.put_back(one, 50.0)
    assert queue.sendable(49.0) is None
    assert queue.sendable(50.0) is one
    queue.hurry()
    assert queue.sendable(0.0) is one


def test_a_new_epoch_waits_for_what_is_in_flight_and_counts_from_zero() -> None:
    queue = PartitionQueue(TARGET)
    one, two, _ = filled(queue, 2, 2, 2)
    queue.take(one, ONE)
    queue.take(two, ONE)
    queue.want_restart()
    queue.put_back(one, 0.0)
    assert not queue.restart(TWO), "batch two is still out"
    queue.put_back(two, 0.0)
    assert queue.sendable(100.0) is None
    assert queue.restart(TWO)
    queue.take(one, TWO)
    assert (one.identity, one.base_sequence) == (TWO, 0)
    queue.finish(one)
    queue.take(two, TWO)
    assert two.base_sequence == 2
    header = parse_header(two.encode("none"))
    assert (header.producer_epoch, header.base_sequence) == (1, 2)


def test_another_identity_is_adopted_only_between_numbered_batches() -> None:
    queue = PartitionQueue(TARGET)
    one, two = filled(queue, 1, 1)
    queue.take(one, ONE)
    queue.take(two, TWO)
    assert two.identity == ONE
    queue.finish(one)
    queue.finish(two)
    (three,) = filled(queue, 1)
    queue.take(three, TWO)
    assert (three.identity, three.base_sequence) == (TWO, 0)


def test_an_expired_batch_that_was_never_sent_wastes_no_number() -> None:
    queue = PartitionQueue(TARGET)
    filled(queue, 1, 1)
    assert len(queue.drop_expired(10.5, 10.0)) == 1
    assert not queue.restart_wanted


def test_an_expired_batch_that_may_have_arrived_wastes_its_number() -> None:
    queue = PartitionQueue(TARGET)
    (one,) = filled(queue, 1)
    queue.take(one, ONE)
    queue.put_back(one, 0.0)
    assert queue.drop_expired(100.0, 10.0) == [one]
    assert queue.restart_wanted


def given_up_before_another() -> tuple[PartitionQueue, Batch, Batch]:
    """Two batches were sent and not answered, and the first has expired."""
    queue = PartitionQueue(TARGET)
    one, two, three = filled(queue, 1, 1, 1)
    two.created = three.created = 1000.0
    queue.take(one, ONE)
    queue.take(two, ONE)
    queue.put_back(one, 0.0)
    queue.put_back(two, 0.0)
    assert queue.drop_expired(100.0, 10.0) == [one]
    return queue, two, three


def test_what_was_sent_behind_an_expired_batch_keeps_its_number() -> None:
    queue, two, three = given_up_before_another()
    assert not queue.restart_wanted
    assert queue.sendable(1000.0) is two
    queue.take(two, TWO)
    assert (two.identity, two.base_sequence) == (ONE, 1)
    assert queue.sendable(1000.0) is None, "whether number 2 is the next is not known"
    queue.finish(two)
    assert queue.sendable(1000.0) is three
    assert not queue.restart_wanted, "a broker that has number 1 has number 0"


def test_a_gap_behind_an_expired_batch_needs_a_new_epoch() -> None:
    queue, two, _ = given_up_before_another()
    queue.take(two, ONE)
    assert queue.is_first(two)
    queue.want_restart()
    queue.put_back(two, 0.0)
    assert queue.restart(TWO)
    queue.take(two, TWO)
    assert (two.identity, two.base_sequence) == (TWO, 0)
    assert not queue.restart_wanted


def test_nothing_behind_a_given_up_batch_needs_a_new_epoch() -> None:
    queue, two, three = given_up_before_another()
    queue.take(two, ONE)
    queue.give_up(two)
    assert queue.restart_wanted
    assert queue.sendable(1000.0) is None
    assert queue.restart(TWO)
    assert queue.sendable(1000.0) is three


def test_an_answer_to_a_later_batch_answers_for_those_before_it() -> None:
    queue = PartitionQueue(TARGET)
    one, two = filled(queue, 1, 1)
    queue.take(one, ONE)
    queue.take(two, ONE)
    queue.finish(two)
    queue.give_up(one)
    assert not queue.restart_wanted
    (three,) = filled(queue, 1)
    assert queue.sendable(1000.0) is three


def test_halves_divide_records_and_numbers() -> None:
    queue = PartitionQueue(TARGET)
    whole = Batch(TARGET, 0.0)
    deliveries = [whole.append(None, b"%d" % n, (), 5 - n, 22) for n in range(5)]
    queue.pending.append(whole)
    queue.take(whole, ONE)
    seen: list[int] = []
    deliveries[4].when_done(lambda done: seen.append(done.result().offset))
    first, second = queue.split(whole)
    assert (len(first), len(second)) == (2, 3)
    assert (first.base_sequence, second.base_sequence) == (0, 2)
    assert list(queue.pending) == [first, second]
    first.succeed(100, -1)
    second.succeed(200, -1)
    assert [each.result().offset for each in deliveries] == [100, 101, 200, 201, 202]
    assert [each.result().timestamp_ms for each in deliveries] == [5, 4, 3, 2, 1]
    assert seen == [202]


def test_halves_without_numbers_stay_in_order() -> None:
    queue = PartitionQueue(TARGET)
    (whole,) = filled(queue, 4)
    queue.take(whole, NO_IDENTITY)
    first, second = queue.split(whole)
    assert list(queue.pending) == [first, second]
    queue.take(first, NO_IDENTITY)
    quarters = queue.split(first)
    assert list(queue.pending) == [*quarters, second]


def test_without_idempotence_nothing_is_numbered() -> None:
    queue = PartitionQueue(TARGET)
    (batch,) = filled(queue, 1)
    queue.take(batch, NO_IDENTITY)
    assert parse_header(batch.encode("none")).base_sequence == -1


def test_numbers_wrap() -> None:
    assert next_sequence(2**31 - 1, 1) == 0
    assert next_sequence(2**31 - 2, 5) == 3
