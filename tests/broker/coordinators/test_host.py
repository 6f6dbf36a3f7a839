"""The runtime under another kind of coordinator than groups: every ability, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from raftka.broker.coordinators.outbox import Batch, Entry, Producer
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode, KafkaError
from tests.support.bank import BANK_TOPIC, CLOSED_AFTER_S, BankShard, Statement
from tests.support.bank_service import IMAGE, OTHER, PRODUCER, TOPIC, Answer, Bank
from tests.support.offsets_log import MemoryOffsetsLog


@pytest.fixture
async def bank(nursery: trio.Nursery) -> AsyncIterator[Bank]:
    found = Bank(MemoryOffsetsLog(), nursery)
    await found.lead()
    yield found


async def test_the_log_begins_at_a_summary_when_all_of_it_is_committed(bank: Bank) -> None:
    bank.log.commits_at_once = False
    bank.deposit("ann", 5)
    await trio.testing.wait_all_tasks_blocked()
    bank.log.commit(0)
    before = bank.log.end_offset(0)
    bank.shard.outbox.supersedes = True
    bank.deposit("ann", 5)
    await trio.testing.wait_all_tasks_blocked()
    assert bank.log.end_offset(0) > before
    assert bank.log.starts == {}
    bank.log.commit(0)
    assert bank.log.starts == {0: before}
    bank.deposit("ann", 5)
    await trio.testing.wait_all_tasks_blocked()
    bank.log.commit(0)
    assert bank.log.starts == {0: before}


# ---- effects


async def test_an_effect_waits_until_what_it_rests_on_is_committed(bank: Bank) -> None:
    bank.log.commits_at_once = False
    answer = bank.deposit("ann", 5, statement=True)
    await trio.testing.wait_all_tasks_blocked()
    assert (answer.value, bank.sent) == (None, [])
    bank.log.commit(0)
    assert (answer.value, bank.sent) == (5, [Statement("ann", 5, 1)])


async def test_an_effect_without_records_waits_for_those_before_it(bank: Bank) -> None:
    bank.log.commits_at_once = False
    bank.deposit("ann", 5)
    bank.shard.statement("ann")
    bank.runtime.settle()
    await trio.testing.wait_all_tasks_blocked()
    bank.shard.statement("bob")
    bank.runtime.settle()
    assert bank.sent == []
    bank.log.commit(0)
    assert [statement.account for statement in bank.sent] == ["ann", "bob"]
    bank.shard.statement("eve")
    bank.runtime.settle()
    assert bank.sent[-1].account == "eve", "nothing is on its way: it may happen at once"


async def test_an_effect_happens_however_late_the_commit_is(
    bank: Bank, autojump_clock: MockClock
) -> None:
    bank.log.commits_at_once = False
    answer = bank.deposit("ann", 5, statement=True)
    await trio.sleep(6)
    assert answer.value is ErrorCode.COORDINATOR_NOT_AVAILABLE, "nobody knows yet"
    assert bank.sent == []
    bank.log.commit(0)
    assert bank.sent == [Statement("ann", 5, 1)]


async def test_too_few_replicas_after_the_commit_refuse_the_caller_and_no_effect(
    bank: Bank,
) -> None:
    bank.log.commits_at_once = False
    answer = bank.deposit("ann", 5, statement=True)
    await trio.testing.wait_all_tasks_blocked()
    bank.log.lose(0, ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND)
    assert answer.value is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert bank.sent == [Statement("ann", 5, 1)], "no later leader lacks the record"
    assert bank.shard.accounts == {"ann": 5}


@pytest.mark.parametrize("code", [ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.KAFKA_STORAGE_ERROR])
async def test_the_effects_of_a_shard_that_is_lost_never_happen(
    bank: Bank, code: ErrorCode
) -> None:
    bank.log.commits_at_once = False
    first = bank.deposit("ann", 5, statement=True)
    await trio.testing.wait_all_tasks_blocked()
    second = bank.deposit("bob", 6, statement=True)
    bank.log.lose(0, code)
    late = Answer()
    bank.runtime.after_commit(late.done)
    assert late.value is code, "nothing of a void shard is told"
    await trio.testing.wait_all_tasks_blocked()
    assert (first.value, second.value) == (ErrorCode.NOT_COORDINATOR,) * 2
    assert bank.sent == []


async def test_what_comes_of_an_effect_can_see_that_its_shard_is_gone(bank: Bank) -> None:
    bank.deposit("ann", 5, statement=True)
    await trio.testing.wait_all_tasks_blocked()
    (runtime,) = bank.runtimes
    assert runtime.is_live
    await bank.lead(epoch=2)
    assert not runtime.is_live
    assert bank.runtime.is_live


# ---- records that belong together


async def test_a_transfer_is_never_cut_and_everything_keeps_its_order(bank: Bank) -> None:
    payee = "p" * 3_000
    bank.deposit("ann", 10)
    for _ in range(4):
        bank.transfer("ann", payee, 1)
    bank.deposit("bob", 1)
    await trio.testing.wait_all_tasks_blocked()
    batches = [[key.decode() for key, _ in batch] for batch in bank.log.batches[0]]
    assert batches == [["ann", *["ann", payee] * 3], ["ann", payee, "bob"]]
    assert bank.shard.accounts == {"ann": 6, payee: 4, "bob": 1}


async def test_what_one_batch_cannot_hold_is_refused_and_nothing_changes(bank: Bank) -> None:
    bank.deposit("ann", 10)
    refused = bank.transfer("ann", "p" * 9_950, 1)
    await trio.testing.wait_all_tasks_blocked()
    assert refused.value is ErrorCode.UNKNOWN_SERVER_ERROR
    assert bank.shard.accounts == {"ann": 10}
    assert len(bank.log.records(0)) == 1


# ---- transactions of producers


async def test_a_producers_records_count_when_its_transaction_commits(bank: Bank) -> None:
    bank.log.commits_at_once = False
    reserved = bank.reserve(("ann", 5), ("bob", 6))
    assert bank.log.entries[0] == [Batch(bank.log.records(0), PRODUCER)]
    bank.log.commit(0)
    assert reserved.value is ErrorCode.NONE
    assert bank.shard.contents == ({}, {7: [("ann", 5), ("bob", 6)]})
    ended = bank.end(commit=True)
    assert ended.value is None
    bank.log.commit(0)
    assert ended.value is ErrorCode.NONE
    assert bank.shard.contents == ({"ann": 5, "bob": 6}, {})


async def test_an_aborted_transaction_leaves_nothing(bank: Bank) -> None:
    bank.reserve(("ann", 5))
    bank.reserve(("ann", 6), producer=Producer(8, 0))
    assert bank.end(commit=False).value is ErrorCode.NONE
    assert bank.shard.contents == ({}, {8: [("ann", 6)]})


async def test_it_is_appended_behind_what_was_decided_before(bank: Bank) -> None:
    bank.deposit("ann", 1)
    bank.reserve(("ann", 5))
    bank.deposit("ann", 1)
    bank.end(commit=True)
    await trio.testing.wait_all_tasks_blocked()
    kinds = [
        "end" if isinstance(entry, EndMarker) else entry.producer for entry in bank.log.entries[0]
    ]
    assert kinds == [None, PRODUCER, None, "end"]
    successor = BankShard(2)
    for entry in bank.log.entries[0]:
        replay(successor, entry)
    assert successor.contents == bank.shard.contents == ({"ann": 7}, {})


async def test_the_log_may_refuse_one_producer_and_nobody_else(bank: Bank) -> None:
    bank.log.refuses = lambda entry: (
        ErrorCode.INVALID_PRODUCER_EPOCH
        if isinstance(entry, Batch) and entry.producer == PRODUCER
        else ErrorCode.TRANSACTION_COORDINATOR_FENCED
        if isinstance(entry, EndMarker)
        else None
    )
    before = bank.deposit("ann", 1, statement=True)
    assert bank.reserve(("ann", 5)).value is ErrorCode.INVALID_PRODUCER_EPOCH
    assert bank.end(commit=True).value is ErrorCode.TRANSACTION_COORDINATOR_FENCED
    assert before.value == 1
    runtime = bank.runtime
    assert bank.reserve(("ann", 6), producer=Producer(7, 4)).value is ErrorCode.NONE
    after = bank.deposit("bob", 1)
    await trio.testing.wait_all_tasks_blocked()
    assert after.value == 1
    assert bank.runtime is runtime, "the shard is as good as before"
    assert bank.shard.contents == ({"ann": 1, "bob": 1}, {7: [("ann", 6)]})
    assert bank.sent == [Statement("ann", 1, 1)]


async def test_what_precedes_it_may_void_the_shard(bank: Bank, autojump_clock: MockClock) -> None:
    lost = bank.deposit("ann", 1)
    bank.log.append_refusal = ErrorCode.NOT_ENOUGH_REPLICAS
    reserved = bank.reserve(("ann", 5))
    assert reserved.value is ErrorCode.NOT_ENOUGH_REPLICAS
    assert bank.reserve(("ann", 5)).value is ErrorCode.NOT_ENOUGH_REPLICAS
    bank.log.append_refusal = None
    await trio.sleep(1)
    assert lost.value is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert bank.shard.contents == ({}, {}), "it is what the log says"


# ---- metadata, time, elections


async def test_every_shard_is_told_of_each_image_and_of_the_newest_when_it_is_loaded(
    bank: Bank,
) -> None:
    assert bank.shard.images == [False]
    assert bank.shard.topics == {BANK_TOPIC, "savings"}
    bank.deposit("savings", 5)
    delta = MetadataDelta(IMAGE)
    delta.topics.deleted.append(OTHER)
    bank.host.publish(MetadataImage(topics={BANK_TOPIC: TOPIC}), delta)
    await trio.testing.wait_all_tasks_blocked()
    assert bank.shard.images == [False, True]
    assert bank.shard.accounts == {}
    assert bank.log.records(0)[-1] == (b"savings", None)


async def test_time_passes_for_a_shard(bank: Bank, autojump_clock: MockClock) -> None:
    bank.deposit("ann", 1)
    await trio.sleep(CLOSED_AFTER_S - 1)
    bank.deposit("ann", 1)
    await trio.sleep(CLOSED_AFTER_S - 1)
    assert bank.shard.accounts == {"ann": 2}
    await trio.sleep(2)
    assert bank.shard.accounts == {}
    assert bank.log.records(0)[-1] == (b"ann", None)


async def test_a_successor_reads_what_is_pending_and_has_the_new_epoch(
    bank: Bank, nursery: trio.Nursery
) -> None:
    bank.deposit("ann", 1)
    bank.reserve(("ann", 5))
    bank.reserve(("bob", 6), producer=Producer(8, 0))
    bank.end(commit=False)
    await trio.testing.wait_all_tasks_blocked()
    successor = Bank(bank.log, nursery)
    await successor.lead(epoch=2)
    assert successor.shard.contents == bank.shard.contents == ({"ann": 1}, {8: [("bob", 6)]})
    assert successor.shard.epoch == 2
    successor.end(commit=True, producer=Producer(8, 0))
    assert successor.shard.accounts == {"ann": 1, "bob": 6}


async def test_a_load_that_fails_begins_again_from_nothing(
    bank: Bank, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    for number in range(8):
        bank.deposit("ann", number)
        await trio.testing.wait_all_tasks_blocked()
    bank.reserve(("bob", 6))
    bank.end(commit=True)
    successor = Bank(bank.log, nursery)
    reads = bank.log.read
    failed_at: list[int] = []

    def read_badly(partition: int, offset: int) -> tuple[object, int]:
        if offset >= 6 and not failed_at:
            failed_at.append(offset)
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR)
        return reads(partition, offset)

    bank.log.read = read_badly  # type: ignore[method-assign, assignment]
    await successor.lead(epoch=2)
    with pytest.raises(KafkaError, match="COORDINATOR_LOAD_IN_PROGRESS"):
        successor.runtime.settle()
    assert failed_at == [6]
    await trio.sleep(1)
    assert successor.shard.contents == ({"ann": 28, "bob": 6}, {}), "nothing was applied twice"


async def test_a_load_that_a_new_epoch_overtakes_is_never_served(
    bank: Bank, nursery: trio.Nursery
) -> None:
    bank.log.commits_at_once = False
    bank.deposit("ann", 1)
    await trio.testing.wait_all_tasks_blocked()
    successor = Bank(bank.log, nursery)
    await successor.lead(epoch=2)
    await successor.lead(epoch=3)
    with pytest.raises(KafkaError, match="COORDINATOR_LOAD_IN_PROGRESS"):
        successor.runtime.settle()
    bank.log.commit(0)
    await trio.testing.wait_all_tasks_blocked()
    assert successor.shard.epoch == 3
    assert successor.shard.accounts == {"ann": 1}
    successor.host.on_partition_resigned(0)
    successor.host.on_partition_elected(0, 4)
    successor.host.on_partition_resigned(0)
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(KafkaError, match="NOT_COORDINATOR"):
        successor.runtime.settle()


async def test_a_key_that_no_record_can_hold_is_refused(bank: Bank) -> None:
    with pytest.raises(KafkaError, match="INVALID_REQUEST: the account id is too long"):
        bank.host.runtime_of("ä" * 20_000)


def replay(shard: BankShard, entry: Entry) -> None:
    if isinstance(entry, EndMarker):
        shard.replay_end_transaction_marker(entry.producer_id, entry.producer_epoch, entry.commit)
    else:
        for key, value in entry.records:
            shard.replay(key, value, entry.producer)
