"""A share-partition's rules: which member acquires which records, for how long, and what counts."""

from __future__ import annotations

import pytest

from raftka.broker.share.batches import Delivery, StateBatch
from raftka.broker.share.partition import SharePartition
from raftka.broker.share.terms import (
    ACCEPT,
    GAP,
    REJECT,
    RELEASE,
    RENEW,
    Acknowledged,
    Cause,
    DeadLetter,
    ShareLimits,
    Span,
    Wish,
    Write,
)
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.rules import Rule

A, K, X = Delivery.AVAILABLE, Delivery.ACKNOWLEDGED, Delivery.ARCHIVED


class World:
    """A share-partition over a log of batches of ten, and a coordinator that stores its writes."""

    def __init__(self, *batches: StateBatch, start: int = 0, **limits: float) -> None:
        self.now_s = 0.0
        self.machine = SharePartition(start, batches)
        self.machine.limits = ShareLimits(**limits)  # type: ignore[arg-type]
        self.written: list[Write] = []
        self.refuses: KafkaError | None = None
        self.answers: list[KafkaError | None] = []
        self.spans = [Span(first, first + 9) for first in range(0, 100, 10)]

    def fetch(
        self, member: str = "m", records: int = 1, batch_size: int = 10, strict: bool = False
    ) -> list[tuple[int, int, int]]:
        offset = self.machine.next_fetch_offset()
        if offset is None:
            return []
        spans = [span for span in self.spans if span.last >= offset]
        wish = Wish(records, batch_size, strict)
        found = self.machine.acquire(member, offset, spans, wish, self.now_s)
        return [(each.first, each.last, each.deliveries) for each in found]

    def say(self, kind: int, first: int, last: int, member: str = "m") -> None:
        said = [Acknowledged(first, last, [kind])]
        self.machine.acknowledge(member, said, self.now_s, self.answers.append)

    def settle(self) -> None:
        while (write := self.machine.take_write()) is not None:
            self.written.append(write)
            self.machine.written(write, self.refuses)

    def states(self) -> list[tuple[int, int, Delivery, int]]:
        return [(e.first, e.last, e.state, e.deliveries) for e in self.machine.ranges()]


def refusal(world: World, kind: int, first: int, last: int, member: str = "m") -> ErrorCode:
    with pytest.raises(KafkaError) as caught:
        world.say(kind, first, last, member)
    return caught.value.code


def test_members_get_different_records() -> None:
    world = World()
    assert world.fetch("a") == [(0, 9, 1)]
    assert world.fetch("b") == [(10, 19, 1)]
    assert world.fetch("a", records=25) == [(20, 29, 1), (30, 39, 1), (40, 49, 1)]


def test_small_batches_are_answered_as_one_up_to_the_batch_size() -> None:
    assert World().fetch(records=50, batch_size=15) == [(0, 19, 1), (20, 39, 1), (40, 49, 1)]


def test_a_strict_limit_cuts_batches() -> None:
    world = World()
    assert world.fetch(records=7, strict=True) == [(0, 6, 1)]
    assert world.fetch(records=7, strict=True) == [(7, 13, 1)]


def test_what_is_acknowledged_is_never_delivered_again() -> None:
    world = World(lock_s=30)
    world.fetch()
    world.say(ACCEPT, 0, 9)
    assert world.machine.start_offset == 0, "not before the coordinator has it"
    world.settle()
    assert world.answers == [None]
    assert world.machine.start_offset == 10
    world.now_s = 1000.0
    assert not world.machine.tick(world.now_s)
    assert world.fetch() == [(10, 19, 1)]


def test_what_is_not_acknowledged_is_delivered_again_when_its_time_is_over() -> None:
    world = World(lock_s=30)
    world.fetch("a")
    assert world.machine.next_deadline_s() == 30.0
    world.now_s = 29.9
    assert not world.machine.tick(world.now_s)
    world.now_s = 30.0
    assert world.machine.tick(world.now_s)
    assert world.fetch("b") == [(0, 9, 2)]
    world.settle()
    assert world.written[0].batches == (StateBatch(0, 9, A, 1),)


def test_a_record_is_archived_at_the_limit_of_deliveries() -> None:
    world = World(deliveries=2)
    for expected in (1, 2):
        assert world.fetch(strict=True) == [(0, 0, expected)]
        world.say(RELEASE, 0, 0)
        world.settle()
    assert world.written[-1].start_offset == 1
    assert world.machine.start_offset == 1


def test_records_that_fail_go_out_in_smaller_pieces_and_at_last_alone() -> None:
    world = World(deliveries=5)
    sizes = []
    for _ in range(5):
        found = world.fetch(records=10)
        sizes.append(found[0][1] + 1)
        assert found[0][0] == 0
        world.say(RELEASE, 0, found[0][1])
        world.settle()
    assert sizes == [10, 10, 10, 5, 1]


def test_released_records_are_available_when_the_coordinator_has_it() -> None:
    world = World()
    world.fetch("a")
    world.say(RELEASE, 3, 4, "a")
    assert world.fetch("b") == [(10, 19, 1)]
    world.settle()
    assert world.fetch("b") == [(3, 4, 2)]


def test_rejected_records_and_gaps_are_archived() -> None:
    world = World()
    world.fetch()
    world.machine.acknowledge(
        "m", [Acknowledged(0, 3, [REJECT, GAP, ACCEPT, RELEASE])], 0.0, world.answers.append
    )
    world.settle()
    assert world.written[0].start_offset == 3
    assert world.written[0].batches == (StateBatch(3, 3, A, 1),)
    assert world.machine.start_offset == 3


def test_a_renewed_lock_begins_again() -> None:
    world = World(lock_s=30)
    world.fetch()
    world.now_s = 20.0
    world.say(RENEW, 0, 4)
    assert world.answers == [None]
    world.settle()
    assert world.written == [], "a lock is not written"
    world.now_s = 30.0
    world.machine.tick(world.now_s)
    assert world.fetch("b") == [(5, 9, 2)]


def test_renewing_can_be_forbidden() -> None:
    world = World(renews=False)
    world.fetch()
    assert refusal(world, RENEW, 0, 9) is ErrorCode.INVALID_RECORD_STATE


def test_only_the_owner_acknowledges_and_all_or_nothing() -> None:
    world = World(lock_s=30)
    world.fetch("a")
    world.fetch("b")
    assert refusal(world, ACCEPT, 0, 9, "b") is ErrorCode.INVALID_RECORD_STATE
    assert refusal(world, ACCEPT, 5, 14, "a") is ErrorCode.INVALID_RECORD_STATE
    assert refusal(world, ACCEPT, 90, 95, "a") is ErrorCode.INVALID_REQUEST
    assert {state for _, _, state, _ in world.states()} == {Delivery.ACQUIRED}
    world.now_s = 30.0
    world.machine.tick(world.now_s)
    assert refusal(world, ACCEPT, 0, 9, "a") is ErrorCode.INVALID_RECORD_STATE


def test_what_cannot_be_written_was_not_said() -> None:
    world = World(lock_s=30)
    world.fetch()
    world.refuses = KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    world.say(ACCEPT, 0, 9)
    world.settle()
    assert world.answers == [world.refuses]
    world.refuses = None
    world.say(ACCEPT, 0, 4)
    world.settle()
    world.now_s = 30.0
    world.machine.tick(world.now_s)
    assert world.fetch("b") == [(5, 9, 2)]


def test_what_is_said_during_a_write_is_in_the_next_one() -> None:
    world = World()
    world.fetch()
    world.say(ACCEPT, 0, 2)
    first = world.machine.take_write()
    assert first is not None
    world.say(ACCEPT, 3, 5)
    world.say(ACCEPT, 6, 6)
    assert world.machine.take_write() is None, "one at a time"
    world.machine.written(first, None)
    assert world.machine.start_offset == 3
    second = world.machine.take_write()
    assert second is not None
    assert (second.start_offset, second.complete_count) == (7, 0)
    assert second.batches == (), "the start says it all"
    world.machine.written(second, None)
    assert world.answers == [None] * 3


def test_a_member_that_goes_leaves_its_records() -> None:
    world = World()
    world.fetch("a")
    world.say(ACCEPT, 0, 2, "a")
    world.settle()
    world.machine.release_all("a")
    assert world.fetch("b") == [(3, 9, 2)]


def test_the_records_that_are_open_are_limited() -> None:
    world = World(records=15)
    assert world.fetch(records=100) == [(0, 9, 1), (10, 19, 1)], "to the end of a batch"
    assert world.machine.next_fetch_offset() is None
    world.say(ACCEPT, 5, 15)
    world.settle()
    assert world.machine.next_fetch_offset() == 20
    assert World(records=15).fetch(records=100, strict=True) == [(0, 9, 1), (10, 14, 1)]


def test_offsets_without_records_are_passed_over() -> None:
    world = World()
    world.spans = [Span(0, 3), Span(4, 4, is_for_group=False), Span(8, 9)]
    assert world.fetch(records=10) == [(0, 3, 1), (8, 9, 1)]
    world.say(ACCEPT, 0, 3)
    world.settle()
    assert world.machine.start_offset == 8
    assert world.machine.complete_count == 0


def test_a_new_leader_goes_on_where_the_old_one_was() -> None:
    world = World(StateBatch(0, 4, K, 1), StateBatch(7, 8, A, 2), StateBatch(9, 12, X, 5), start=3)
    assert world.states() == [(5, 6, A, 0), (7, 8, A, 2), (9, 12, X, 5)]
    assert world.machine.start_offset == 5
    world.machine.limits = ShareLimits(deliveries=9)
    assert world.fetch(records=20) == [(5, 6, 1), (7, 8, 3), (13, 29, 1)]


def test_a_new_start_offset_is_written() -> None:
    machine = SharePartition(42, is_new=True)
    write = machine.take_write()
    assert write is not None
    assert (write.start_offset, write.batches) == (42, ())
    machine.written(write, KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE))
    assert machine.take_write() is not None, "until the coordinator has it"


def test_the_start_follows_that_of_the_log() -> None:
    world = World()
    world.fetch("a")
    world.machine.log_starts_at(5)
    assert world.machine.start_offset == 5
    world.say(ACCEPT, 0, 9, "a")
    world.settle()
    assert (world.written[0].start_offset, world.written[0].batches) == (10, ())
    world.machine.log_starts_at(50)
    assert (world.machine.start_offset, world.machine.end_offset) == (50, 50)


def test_callers_hear_that_the_leader_has_gone() -> None:
    world = World()
    world.fetch()
    world.say(ACCEPT, 0, 1)
    world.machine.take_write()
    world.say(ACCEPT, 2, 3)
    error = KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    world.machine.abandon(error)
    assert world.answers == [error, error]


# ---- dead letters


def test_what_is_rejected_is_archived_when_the_queue_has_it() -> None:
    world = World(buries=True)
    assert world.fetch() == [(0, 9, 1)]
    world.say(REJECT, 0, 3)
    assert world.machine.take_dead_letters() == [], "nobody knows yet whether it was said"
    world.settle()
    letters = world.machine.take_dead_letters()
    assert letters == [DeadLetter(0, 3, 1, Cause.REJECTED)]
    assert world.machine.take_dead_letters() == []
    assert world.machine.start_offset == 0
    world.machine.buried(0, 1)
    assert world.machine.start_offset == 2
    world.machine.buried(2, 3)
    world.settle()
    assert world.machine.start_offset == 4
    assert [StateBatch(0, 3, Delivery.ARCHIVING, 1)] == list(world.written[0].batches)
    assert world.written[-1].start_offset == 4


def test_what_is_delivered_too_often_is_a_dead_letter() -> None:
    world = World(buries=True, deliveries=2, lock_s=1)
    for _ in range(2):
        world.fetch(strict=True)
        world.now_s += 2
        world.machine.tick(world.now_s)
    assert world.machine.take_dead_letters() == [DeadLetter(0, 0, 2, Cause.EXCEEDED)]
    assert world.fetch(strict=True) == [(1, 1, 1)], "it is delivered to nobody meanwhile"


def test_a_letter_of_before_does_not_archive_what_is_only_being_rejected() -> None:
    world = World(buries=True)
    world.fetch()
    world.say(REJECT, 0, 9)
    world.machine.buried(0, 9)
    assert world.machine.start_offset == 0
    world.refuses = KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    world.settle()
    world.refuses = None
    world.say(ACCEPT, 0, 9)
    world.settle()
    assert world.states() == [] and world.written[-1].start_offset == 10


def test_a_gap_is_no_dead_letter() -> None:
    world = World(buries=True)
    world.fetch()
    world.say(GAP, 0, 9)
    world.settle()
    assert world.machine.take_dead_letters() == []
    assert world.machine.start_offset == 10


def test_a_rejection_that_cannot_be_written_was_not_said() -> None:
    world = World(buries=True)
    world.fetch()
    world.refuses = KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    world.say(REJECT, 0, 9)
    world.settle()
    assert world.machine.take_dead_letters() == []
    world.refuses = None
    world.say(ACCEPT, 0, 9)
    world.settle()
    assert world.machine.take_dead_letters() == []
    assert world.machine.start_offset == 10


@pytest.mark.parametrize(("deliveries", "cause"), [(1, Cause.REJECTED), (5, Cause.EXCEEDED)])
def test_another_leader_goes_on_with_dead_letters(deliveries: int, cause: Cause) -> None:
    world = World(StateBatch(2, 4, Delivery.ARCHIVING, deliveries), buries=True)
    assert world.machine.take_dead_letters() == [DeadLetter(2, 4, deliveries, cause)]
    world.machine.buried(2, 4)
    assert world.states()[-1] == (2, 4, X, deliveries)


def test_the_log_may_lose_what_is_on_its_way_to_the_queue() -> None:
    world = World(buries=True)
    world.fetch()
    world.say(REJECT, 0, 9)
    world.settle()
    assert len(world.machine.take_dead_letters()) == 1
    world.machine.log_starts_at(20)
    world.machine.buried(0, 9)
    assert world.machine.start_offset == 20


def test_with_the_rule_off_a_member_acknowledges_what_another_has() -> None:
    machine = SharePartition(0, rules_off=frozenset({Rule.SHARE_OWNER_ACKNOWLEDGES}))
    machine.acquire("m", 0, [Span(0, 9)], Wish(10, 10), 0)
    machine.acknowledge("other", [Acknowledged(0, 9, [ACCEPT])], 0, lambda error: None)
    write = machine.take_write()
    assert write is not None and write.start_offset == 10


def test_with_the_rule_off_a_rejected_record_is_archived_at_once() -> None:
    machine = SharePartition(0, rules_off=frozenset({Rule.SHARE_DEAD_LETTERS_FIRST}))
    machine.limits = ShareLimits(buries=True)
    machine.acquire("m", 0, [Span(0, 9)], Wish(10, 10), 0)
    machine.acknowledge("m", [Acknowledged(0, 9, [REJECT])], 0, lambda error: None)
    write = machine.take_write()
    assert write is not None and write.start_offset == 10
