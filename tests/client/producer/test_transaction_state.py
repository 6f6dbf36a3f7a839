"""What a transactional producer may do in each state, and the effect of each error."""

from __future__ import annotations

import pytest

from raftka.client.producer.batch import Identity
from raftka.client.producer.transaction_errors import (
    MustAbort,
    MustClose,
    ProducerFenced,
    Verdict,
    error_for,
    of_coordinator,
    of_leader,
)
from raftka.client.producer.transaction_state import Phase, TransactionState
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition

ONE = TopicPartition("t", 0)
TWO = TopicPartition("t", 1)
FIRST = Identity(7, 0)
NEXT = Identity(7, 1)
SPOILING = MustAbort(ErrorCode.TRANSACTION_ABORTABLE)


def ready() -> TransactionState:
    state = TransactionState()
    state.initialize()
    state.initialized(FIRST)
    return state


def opened(*, joins_by_writing: bool = True) -> TransactionState:
    state = ready()
    state.begin(joins_by_writing=joins_by_writing)
    return state


def test_nothing_begins_before_an_identity_is_there() -> None:
    state = TransactionState()
    with pytest.raises(KafkaError, match="init_transactions"):
        state.begin(joins_by_writing=True)
    state.initialize()
    with pytest.raises(KafkaError, match="under way"):
        state.begin(joins_by_writing=True)


def test_init_may_be_called_again_only_until_it_has_its_answer() -> None:
    state = TransactionState()
    state.initialize()
    state.initialize()
    state.initialized(FIRST)
    with pytest.raises(KafkaError, match="init_transactions"):
        state.initialize()


def test_transactions_do_not_overlap() -> None:
    with pytest.raises(KafkaError, match="commit or abort it first"):
        opened().begin(joins_by_writing=True)


@pytest.mark.parametrize("call", ["send", "commit_transaction", "abort_transaction"])
def test_without_a_transaction_there_is_nothing_to_end_or_write(call: str) -> None:
    state = ready()
    with pytest.raises(KafkaError, match="begin_transaction") as caught:
        {
            "send": lambda: state.check_open("send"),
            "commit_transaction": state.commit,
            "abort_transaction": state.abort,
        }[call]()
    assert caught.value.code == ErrorCode.INVALID_TXN_STATE


def test_a_partition_is_written_only_after_the_coordinator_has_added_it() -> None:
    state = opened(joins_by_writing=False)
    assert state.want(ONE)
    assert not state.want(ONE), "once is enough"
    assert not state.may_write(ONE)
    state.joined([ONE])
    assert state.may_write(ONE)
    assert not state.may_write(TWO)
    assert state.wanted == []


def test_a_partition_joins_by_its_first_batch() -> None:
    state = opened()
    assert not state.want(ONE)
    assert state.may_write(ONE)
    assert not state.needs_end
    state.written(ONE)
    assert state.needs_end


def test_an_empty_transaction_needs_no_end() -> None:
    state = opened()
    state.commit()
    state.decide()
    assert not state.needs_end
    state.ended(None)
    assert state.phase is Phase.READY
    assert state.identity == FIRST


def test_offsets_alone_make_a_transaction() -> None:
    state = opened()
    state.offsets_joined()
    assert state.needs_end


def test_the_end_brings_the_next_identity_and_forgets_partitions() -> None:
    state = opened(joins_by_writing=False)
    state.want(ONE)
    state.joined([ONE])
    state.commit()
    state.decide()
    state.ended(NEXT)
    assert state.identity == NEXT
    state.begin(joins_by_writing=False)
    assert not state.may_write(ONE)
    assert not state.needs_end


def test_while_committing_nothing_more_joins_but_what_waits_is_written() -> None:
    state = opened(joins_by_writing=False)
    state.want(ONE)
    state.commit()
    with pytest.raises(KafkaError, match="being committed"):
        state.check_open("send")
    state.joined([ONE])
    assert state.may_write(ONE)


def test_a_commit_that_is_not_decided_may_still_be_aborted() -> None:
    state = opened()
    state.commit()
    state.abort()
    assert state.phase is Phase.ABORTING
    assert not state.may_write(ONE)


def test_a_commit_that_was_asked_for_is_not_aborted() -> None:
    state = opened()
    state.commit()
    state.decide()
    with pytest.raises(KafkaError, match="commit_transaction"):
        state.abort()
    state.commit()
    state.decide()
    assert state.phase is Phase.DECIDED, "the same call again waits for the same end"


def test_a_spoilt_transaction_can_only_be_aborted() -> None:
    state = opened()
    state.written(ONE)
    state.spoil(SPOILING, renew=True)
    assert not state.may_write(ONE)
    with pytest.raises(MustAbort):
        state.commit()
    with pytest.raises(MustAbort):
        state.check_open("send")
    with pytest.raises(MustAbort):
        state.begin(joins_by_writing=True)
    state.abort()
    state.ended(NEXT)
    state.begin(joins_by_writing=True)


def test_every_caller_gets_an_error_of_its_own() -> None:
    state = opened()
    state.spoil(SPOILING, renew=False)
    assert state.failure() is not state.failure()
    assert str(state.failure()) == str(SPOILING)


def test_the_coordinator_may_refuse_a_commit() -> None:
    state = opened()
    state.written(ONE)
    state.commit()
    state.decide()
    state.spoil(SPOILING, renew=False)
    state.abort()
    assert state.needs_end


def test_spoilt_numbers_need_a_new_epoch_unless_the_end_brings_one() -> None:
    old, new = opened(joins_by_writing=False), opened(joins_by_writing=True)
    for state in (old, new):
        state.spoil(SPOILING, renew=True)
        state.abort()
    assert old.needs_new_epoch
    assert not new.needs_new_epoch


def test_a_forgotten_producer_id_is_fetched_again_without_an_end() -> None:
    state = opened()
    state.written(ONE)
    state.spoil(MustAbort(ErrorCode.INVALID_PRODUCER_ID_MAPPING), renew=True)
    state.abort()
    assert not state.needs_end
    assert state.needs_new_epoch


def test_what_waits_to_join_is_forgotten_with_the_transaction() -> None:
    state = opened(joins_by_writing=False)
    state.want(ONE)
    state.spoil(SPOILING, renew=False)
    assert state.wanted == []


def test_an_answer_that_comes_during_the_abort_still_makes_it_necessary() -> None:
    state = opened(joins_by_writing=False)
    state.want(ONE)
    state.abort()
    state.joined([ONE])
    assert state.needs_end
    assert not state.may_write(ONE)


def test_after_a_fatal_error_every_call_raises_the_first_one() -> None:
    state = opened()
    state.die(ProducerFenced(ErrorCode.PRODUCER_FENCED))
    state.die(MustClose(ErrorCode.UNKNOWN_SERVER_ERROR))
    for call in (state.commit, state.abort, lambda: state.begin(joins_by_writing=True)):
        with pytest.raises(ProducerFenced):
            call()
    assert not state.in_transaction


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (ErrorCode.NOT_COORDINATOR, Verdict.LOOK_UP),
        (ErrorCode.COORDINATOR_NOT_AVAILABLE, Verdict.LOOK_UP),
        (ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, Verdict.RETRY),
        (ErrorCode.CONCURRENT_TRANSACTIONS, Verdict.RETRY),
        (ErrorCode.NETWORK_EXCEPTION, Verdict.RETRY),
        (ErrorCode.TRANSACTION_ABORTABLE, Verdict.ABORT),
        (ErrorCode.ILLEGAL_GENERATION, Verdict.ABORT),
        (ErrorCode.TOPIC_AUTHORIZATION_FAILED, Verdict.ABORT),
        (ErrorCode.INVALID_PRODUCER_ID_MAPPING, Verdict.ABORT_AND_RENEW),
        (ErrorCode.PRODUCER_FENCED, Verdict.FENCED),
        (ErrorCode.INVALID_PRODUCER_EPOCH, Verdict.FENCED),
        (ErrorCode.INVALID_TXN_STATE, Verdict.CLOSE),
        (ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, Verdict.CLOSE),
        (ErrorCode.INVALID_TRANSACTION_TIMEOUT, Verdict.CLOSE),
    ],
)
def test_what_a_coordinator_answers(code: ErrorCode, verdict: Verdict) -> None:
    assert of_coordinator(code) is verdict


def test_a_leader_that_finds_the_epoch_too_old_may_be_cured_by_an_abort() -> None:
    assert of_leader(ErrorCode.INVALID_PRODUCER_EPOCH) is Verdict.ABORT_AND_RENEW
    assert of_leader(ErrorCode.REQUEST_TIMED_OUT) is Verdict.ABORT_AND_RENEW
    assert of_leader(ErrorCode.PRODUCER_FENCED) is Verdict.FENCED
    assert of_leader(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED) is Verdict.CLOSE


def test_an_error_says_what_to_do() -> None:
    fenced = error_for(Verdict.FENCED, ErrorCode.PRODUCER_FENCED, "x")
    assert isinstance(fenced, ProducerFenced)
    assert "transaction.timeout.ms" in fenced.message
    long = error_for(Verdict.CLOSE, ErrorCode.INVALID_TRANSACTION_TIMEOUT, "x")
    assert "transaction.max.timeout.ms" in long.message
    abortable = error_for(Verdict.ABORT, ErrorCode.TRANSACTION_ABORTABLE, "x")
    assert isinstance(abortable, MustAbort)
    assert "Abort" in abortable.message
