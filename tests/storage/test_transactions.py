"""Transactions in one log: the last stable offset, aborted ones, and fenced producers."""

from __future__ import annotations

from functools import partial

from raftka.model.errors import ErrorCode
from raftka.model.rules import Rule
from raftka.storage.log import Log
from raftka.storage.open_transactions import EVERYTHING_STABLE
from raftka.storage.producer_state import ProducerState
from raftka.storage.recovery import open_log
from raftka.storage.verification import Guard
from tests.support.logs import (
    DIRECTORY,
    NOW_MS,
    PARTITION,
    TOPIC_ID,
    append,
    batch,
    new_disk,
    new_log,
    verified,
)
from tests.support.transactional_logs import aborted, end, refused, send


def mutant(rule: Rule) -> Log:
    """An empty log with a rule switched off."""
    return open_log(
        new_disk(), DIRECTORY, PARTITION, TOPIC_ID, new_log().config, now_ms=NOW_MS,
        rules_off={rule},
    )[0]  # fmt: skip


# ---- the last stable offset


def test_nothing_from_the_oldest_open_transaction_on_is_stable() -> None:
    log = new_log()
    append(log, "a")
    assert log.stable_offset(1) == 1
    send(log, 7)
    send(log, 8)
    assert log.stable_offset(3) == 1
    assert log.stable_offset(1) == 1, "never past the high watermark"
    end(log, 7, commit=True)
    assert log.stable_offset(4) == 2
    end(log, 8, commit=False)
    assert log.stable_offset(5) == 5


def test_a_transaction_is_open_until_its_marker_is_committed() -> None:
    log = new_log()
    send(log, 7)
    send(log, 8)
    end(log, 8, commit=True)
    end(log, 7, commit=True)
    assert log.stable_offset(3) == 0
    assert log.stable_offset(4) == 4


def test_a_log_that_begins_later_is_stable_up_to_its_start() -> None:
    log = new_log()
    send(log, 7, count=3)
    log.advance_log_start(2)
    assert log.stable_offset(3) == 2


def test_a_marker_without_a_transaction_changes_only_what_is_remembered() -> None:
    log = new_log()
    end(log, 7, commit=False, epoch=3, coordinator=5)
    entry = log.producer_state.producers[7]
    assert (entry.epoch, entry.coordinator_epoch, entry.txn_first_offset) == (3, 5, -1)
    assert log.stable_offset(1) == 1
    assert aborted(log) == []


# ---- markers


def test_a_marker_of_a_coordinator_that_was_replaced_is_refused() -> None:
    log = new_log()
    send(log, 7)
    end(log, 7, commit=True, coordinator=5)
    send(log, 7, 1)
    before = log.log_end_offset
    act = partial(end, log, 7, commit=False, coordinator=4)
    assert refused(act) is ErrorCode.TRANSACTION_COORDINATOR_FENCED
    assert log.log_end_offset == before
    end(log, 7, commit=False, coordinator=5)
    end(log, 7, commit=False, coordinator=6)


def test_a_marker_of_an_earlier_epoch_is_refused() -> None:
    log = new_log()
    send(log, 7, epoch=2)
    act = partial(end, log, 7, commit=True, epoch=1)
    assert refused(act) is ErrorCode.INVALID_PRODUCER_EPOCH


def test_a_marker_of_version_2_ends_no_transaction_of_its_own_epoch() -> None:
    log = new_log()
    send(log, 7, epoch=2)
    act = partial(end, log, 7, commit=True, epoch=2, version=2)
    assert refused(act) is ErrorCode.INVALID_PRODUCER_EPOCH
    end(log, 7, commit=True, epoch=3, version=2)
    end(log, 7, commit=True, epoch=3, version=2)
    assert log.stable_offset(3) == 3
    send(log, 7, epoch=3)
    assert refused(partial(end, log, 7, commit=True, epoch=3, version=2)) is (
        ErrorCode.INVALID_PRODUCER_EPOCH
    ), "late: it would end the next transaction"
    assert log.stable_offset(4) == 3


def test_without_that_rule_a_late_marker_ends_the_next_transaction() -> None:
    log = mutant(Rule.MARKER_RAISES_EPOCH)
    send(log, 7, epoch=2)
    end(log, 7, commit=True, epoch=3, version=2)
    send(log, 7, epoch=3)
    end(log, 7, commit=True, epoch=3, version=2)
    assert log.stable_offset(4) == 4


def test_a_late_batch_of_a_finished_transaction_is_refused() -> None:
    log = new_log()
    send(log, 7)
    end(log, 7, commit=True, epoch=1, version=2)
    assert refused(partial(send, log, 7, 1)) is ErrorCode.INVALID_PRODUCER_EPOCH
    assert send(log, 7, epoch=1).base_offset == 2


# ---- verification


def test_what_opens_a_transaction_needs_the_guard_of_its_question() -> None:
    log = new_log()
    assert refused(partial(send, log, 7, asks=False)) is ErrorCode.INVALID_TXN_STATE
    send(log, 7)
    assert len(log.producer_state.verifications) == 0
    send(log, 7, 1, asks=False)
    assert send(log, 7, 0, asks=False).duplicate


def test_a_marker_voids_the_questions_before_it() -> None:
    log = new_log()
    data = batch("x", producer_id=7, base_sequence=0, is_transactional=True)
    guard = verified(log, data)
    end(log, 7, commit=False)
    act = partial(log.append_as_leader, data, 0, NOW_MS, guard=guard)
    assert refused(act) is ErrorCode.INVALID_TXN_STATE
    verified(log, data)
    assert refused(act) is ErrorCode.INVALID_TXN_STATE, "the guard is another one now"


def test_without_that_rule_a_late_batch_opens_a_transaction_that_has_ended() -> None:
    log = mutant(Rule.MARKER_VOIDS_GUARDS)
    data = batch("x", producer_id=7, base_sequence=0, is_transactional=True)
    guard = verified(log, data)
    end(log, 7, commit=False)
    log.append_as_leader(data, 0, NOW_MS, guard=guard)
    assert log.stable_offset(2) == 1


def test_a_marker_of_an_earlier_epoch_voids_no_later_question() -> None:
    log = new_log()
    data = batch("x", producer_id=7, producer_epoch=4, base_sequence=0, is_transactional=True)
    guard = verified(log, data)
    end(log, 7, commit=False, epoch=3)
    log.append_as_leader(data, 0, NOW_MS, guard=guard)


def test_the_marker_of_the_transaction_before_voids_no_question_of_version_2() -> None:
    log = new_log()
    send(log, 7)
    data = batch("x", producer_id=7, producer_epoch=1, base_sequence=0, is_transactional=True)
    guard = log.producer_state.begin_verification(7, 1, 0, bumps_epoch=True, now_ms=NOW_MS)
    end(log, 7, commit=True, epoch=1, version=2)
    log.append_as_leader(data, 0, NOW_MS, guard=guard)


def test_the_marker_of_its_own_transaction_voids_a_question_of_version_2() -> None:
    log = new_log()
    guard = log.producer_state.begin_verification(7, 1, 0, bumps_epoch=True, now_ms=NOW_MS)
    end(log, 7, commit=False, epoch=2, version=2)
    assert guard is not None
    assert log.producer_state.verifications.get(7) is None


def test_batches_that_wait_for_one_answer_keep_their_order() -> None:
    log = new_log()
    data = [
        batch("x", producer_id=7, base_sequence=sequence, is_transactional=True)
        for sequence in (0, 1)
    ]
    guards = [verified(log, each) for each in data]
    assert guards[0] is guards[1]
    act = partial(log.append_as_leader, data[1], 0, NOW_MS, guard=guards[1])
    assert refused(act) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    for each in data:
        log.append_as_leader(each, 0, NOW_MS, guard=guards[0])


def test_version_2_begins_with_sequence_0_where_nothing_is_known() -> None:
    log = new_log()
    data = batch("x", producer_id=7, base_sequence=5, is_transactional=True)
    state = log.producer_state
    guard = state.begin_verification(7, 0, 5, bumps_epoch=True, now_ms=NOW_MS)
    act = partial(log.append_as_leader, data, 0, NOW_MS, guard=guard)
    assert refused(act) is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_without_verification_anything_opens_a_transaction() -> None:
    log, _ = open_log(
        new_disk(), DIRECTORY, PARTITION, TOPIC_ID, new_log().config, now_ms=NOW_MS,
        verifies=lambda: False,
    )  # fmt: skip
    send(log, 7, asks=False)
    assert log.stable_offset(1) == 0


def test_a_plain_batch_has_no_place_in_a_transaction() -> None:
    log = new_log()
    send(log, 7)
    plain = batch("x", producer_id=7, base_sequence=1)
    act = partial(log.append_as_leader, plain, 0, NOW_MS)
    assert refused(act) is ErrorCode.INVALID_TXN_STATE
    assert refused(partial(act, from_client=False)) is ErrorCode.INVALID_TXN_STATE


def test_a_coordinator_numbers_no_batches_and_must_be_verified_too() -> None:
    log = new_log()
    data = batch("x", producer_id=7, producer_epoch=1, is_transactional=True)
    act = partial(log.append_as_leader, data, 0, NOW_MS, from_client=False)
    assert refused(act) is ErrorCode.INVALID_TXN_STATE
    guard: Guard | None = verified(log, data)
    for _ in range(3):
        act(guard=guard)
        guard = None
    assert [each.last_sequence for each in log.producer_state.producers[7].batches] == [-1] * 3
    older = batch("x", producer_id=7, producer_epoch=0, is_transactional=True)
    act = partial(log.append_as_leader, older, 0, NOW_MS, from_client=False)
    assert refused(partial(act, guard=verified(log, older))) is ErrorCode.INVALID_PRODUCER_EPOCH


def test_a_producer_with_an_open_transaction_does_not_expire() -> None:
    state = ProducerState()
    state.appended(7, 0, 0, 0, 0, NOW_MS, 0x10)
    state.begin_verification(8, 0, 0, bumps_epoch=False, now_ms=NOW_MS)
    assert state.expire(NOW_MS + 10_000, 1000) == 0
    assert len(state.verifications) == 0
    careless = ProducerState({Rule.OPEN_PRODUCERS_ARE_KEPT})
    careless.appended(7, 0, 0, 0, 0, NOW_MS, 0x10)
    assert careless.expire(NOW_MS + 10_000, 1000) == 1
    assert careless.transactions.first_unstable == EVERYTHING_STABLE
