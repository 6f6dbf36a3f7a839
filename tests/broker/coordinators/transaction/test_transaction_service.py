"""The service over a log in memory: commits, producer ids, markers, failovers and lists."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from raftka.broker.coordinators.host import PendingAnswer
from raftka.broker.coordinators.outbox import Producer
from raftka.broker.coordinators.transaction.config import TransactionConfig
from raftka.broker.coordinators.transaction.core import WriteMarkers
from raftka.broker.coordinators.transaction.marker_queue import Written
from raftka.broker.coordinators.transaction.service import TransactionCoordinatorService
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TRANSACTION_TOPIC, TopicPartition
from raftka.model.key_hash import partition_of_key
from raftka.net.protocol.messages.end_txn import EndTxnRequest, EndTxnResponse
from raftka.net.protocol.messages.init_producer_id import (
    InitProducerIdRequest,
    InitProducerIdResponse,
)
from raftka.net.protocol.messages.list_transactions import ListTransactionsRequest
from raftka.simulations.machines.clock import SimClock
from tests.support.offsets_log import MemoryOffsetsLog
from tests.support.transactions import NAME, TOPICS, A, B, C

IMAGE = MetadataImage(topics=TOPICS, features={"transaction.version": 2})
PARTITIONS = len(TOPICS[TRANSACTION_TOPIC].partitions)
OK = ErrorCode.NONE


async def resolved(answer: PendingAnswer) -> object:
    found: list[object] = []
    event = trio.Event()

    def take(value: object) -> None:
        found.append(value)
        event.set()

    answer.on_resolved(take)
    await event.wait()
    return found[0]


class Coordinator:
    """A service that leads all partitions, and a producer of it."""

    def __init__(self, log: MemoryOffsetsLog, nursery: trio.Nursery) -> None:
        self.log = log
        self.ids = 1000
        self.id_refusal: ErrorCode | None = None
        self.wanted: list[tuple[WriteMarkers, Written]] = []
        self.service = TransactionCoordinatorService(
            TransactionConfig(),
            log,
            SimClock(),
            new_producer_id=self._new_id,
            send_markers=lambda wish: self.wanted.append((wish.wanted, wish.written)),
        )
        self.service.publish(IMAGE, MetadataDelta(EMPTY_IMAGE))
        nursery.start_soon(self.service.run)

    async def _new_id(self) -> int:
        await trio.lowlevel.checkpoint()
        if self.id_refusal is not None:
            raise KafkaError(self.id_refusal)
        self.ids += 1
        return self.ids

    async def lead(self, epoch: int = 1) -> None:
        for partition in range(PARTITIONS):
            self.service.on_partition_elected(partition, epoch)
        await trio.testing.wait_all_tasks_blocked()

    async def init(
        self, name: str = NAME, version: int = 5, **fields: Any
    ) -> InitProducerIdResponse:
        request = InitProducerIdRequest(transactional_id=name, transaction_timeout=60_000, **fields)
        return await self.service.init_producer_id(request, version)

    async def producer(self, name: str = NAME) -> Producer:
        answer = await self.init(name)
        assert answer.error_code == OK
        return Producer(answer.producer_id, answer.producer_epoch)

    async def add(self, producer: Producer, *partitions: TopicPartition) -> None:
        answer = PendingAnswer(lambda code: code)
        self.service.add_partitions(NAME, producer, partitions, 2, answer, OK)
        assert await resolved(answer) == OK

    async def verify(self, producer: Producer, *partitions: TopicPartition) -> Any:
        answer = PendingAnswer(lambda code: code)
        self.service.verify_partitions(NAME, producer, partitions, answer, lambda found: found)
        return await resolved(answer)

    async def end(
        self, producer: Producer, *, commit: bool = True, version: int = 5
    ) -> EndTxnResponse:
        request = EndTxnRequest(
            transactional_id=NAME,
            producer_id=producer.id,
            producer_epoch=producer.epoch,
            committed=commit,
        )
        return await self.service.end_transaction(request, version)

    async def state(self, name: str = NAME) -> str:
        return (await self.service.describe(name)).transaction_state


@pytest.fixture
async def coordinator(nursery: trio.Nursery) -> AsyncIterator[Coordinator]:
    found = Coordinator(MemoryOffsetsLog(), nursery)
    await found.lead()
    yield found


async def test_a_transaction_from_its_beginning_to_its_end(coordinator: Coordinator) -> None:
    producer = await coordinator.producer()
    assert producer == (1001, 0)
    await coordinator.add(producer, A, B)
    assert await coordinator.verify(producer, A) == {A: OK}
    assert await coordinator.verify(producer, B) == {B: OK}
    assert await coordinator.verify(producer, C) == {C: ErrorCode.TRANSACTION_ABORTABLE}
    answer = await coordinator.end(producer)
    assert (answer.error_code, answer.producer_id, answer.producer_epoch) == (OK, 1001, 1)
    ((wish, written),) = coordinator.wanted
    assert (wish.partitions, wish.marker.coordinator_epoch) == (frozenset({A, B}), 1)
    written(frozenset({A}))
    assert await coordinator.state() == "PrepareCommit"
    written(frozenset({B}))
    assert await coordinator.state() == "CompleteCommit"


async def test_no_marker_is_sent_before_the_decision_is_committed(
    coordinator: Coordinator, nursery: trio.Nursery
) -> None:
    producer = await coordinator.producer()
    await coordinator.add(producer, A)
    coordinator.log.commits_at_once = False
    answers: list[int] = []

    async def end() -> None:
        answers.append((await coordinator.end(producer)).error_code)

    nursery.start_soon(end)
    await trio.testing.wait_all_tasks_blocked()
    assert (answers, coordinator.wanted) == ([], [])
    coordinator.log.commit(partition_of_key(NAME, PARTITIONS))
    await trio.testing.wait_all_tasks_blocked()
    assert answers == [OK]
    assert len(coordinator.wanted) == 1


async def test_a_decision_that_nobody_knows_of_still_sends_its_markers(
    coordinator: Coordinator, autojump_clock: MockClock
) -> None:
    producer = await coordinator.producer()
    await coordinator.add(producer, A)
    coordinator.log.commits_at_once = False
    answer = await coordinator.end(producer)
    assert answer.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert coordinator.wanted == []
    coordinator.log.commit(partition_of_key(NAME, PARTITIONS))
    assert len(coordinator.wanted) == 1
    again = await coordinator.end(producer)
    assert again.error_code == ErrorCode.CONCURRENT_TRANSACTIONS, "it was decided all the time"


async def test_an_abort_without_partitions_completes_by_itself(coordinator: Coordinator) -> None:
    producer = await coordinator.producer()
    answer = await coordinator.end(producer, commit=False)
    assert (answer.error_code, answer.producer_epoch) == (OK, 1)
    assert coordinator.wanted == []
    await trio.testing.wait_all_tasks_blocked()
    assert await coordinator.state() == "CompleteAbort"


async def test_a_successor_sends_the_markers_and_the_old_answers_mean_nothing(
    coordinator: Coordinator, nursery: trio.Nursery
) -> None:
    producer = await coordinator.producer()
    await coordinator.add(producer, A)
    await coordinator.end(producer)
    ((_, late),) = coordinator.wanted
    successor = Coordinator(coordinator.log, nursery)
    await successor.lead(epoch=2)
    ((wish, written),) = successor.wanted
    assert wish.marker.coordinator_epoch == 2
    for partition in range(PARTITIONS):
        coordinator.service.on_partition_resigned(partition)
    entries = sum(map(len, coordinator.log.entries.values()))
    late(frozenset({A}))
    assert sum(map(len, coordinator.log.entries.values())) == entries
    written(frozenset({A}))
    await trio.testing.wait_all_tasks_blocked()
    assert await successor.state() == "CompleteCommit"
    refused = await coordinator.init()
    assert refused.error_code == ErrorCode.NOT_COORDINATOR


async def test_without_producer_ids_a_new_producer_tries_again(coordinator: Coordinator) -> None:
    coordinator.id_refusal = ErrorCode.COORDINATOR_NOT_AVAILABLE
    answer = await coordinator.init()
    assert answer.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert (answer.producer_id, answer.producer_epoch) == (-1, -1)
    coordinator.id_refusal = None
    assert await coordinator.producer() == (1001, 0)


@pytest.mark.parametrize(
    ("version", "code"),
    [(3, ErrorCode.INVALID_PRODUCER_EPOCH), (4, ErrorCode.PRODUCER_FENCED)],
)
async def test_fencing_has_the_name_that_a_version_knows(
    coordinator: Coordinator, version: int, code: ErrorCode
) -> None:
    first = await coordinator.producer()
    await coordinator.producer()
    again = await coordinator.init(
        version=version, producer_id=first.id, producer_epoch=first.epoch
    )
    assert again.error_code == code
    ended = await coordinator.end(first, version=version - 2)
    assert ended.error_code == code


async def test_lists_by_state_producer_duration_and_name(
    coordinator: Coordinator, autojump_clock: MockClock
) -> None:
    producer = await coordinator.producer()
    await coordinator.add(producer, A)
    other = await coordinator.producer("other")
    await trio.sleep(2)

    async def names(matches: str = "", **filters: object) -> list[str]:
        request = ListTransactionsRequest(**filters)  # type: ignore[arg-type]
        answer = await coordinator.service.list_transactions(request, lambda name: matches in name)
        return sorted(each.transactional_id for each in answer.transaction_states)

    assert await names() == [NAME, "other"]
    assert await names(state_filters=["Ongoing"]) == [NAME]
    assert await names(producer_id_filters=[other.id]) == ["other"]
    assert await names("oth") == ["other"]
    assert await names(state_filters=["Ongoing"], duration_filter=1_000) == [NAME]
    assert await names(state_filters=["Ongoing"], duration_filter=3_000) == []
    answer = await coordinator.service.list_transactions(
        ListTransactionsRequest(state_filters=["Broken"])
    )
    assert answer.unknown_state_filters == ["Broken"]


async def test_what_is_not_there_is_said_in_the_answer(coordinator: Coordinator) -> None:
    unknown = await coordinator.service.describe("unknown")
    assert unknown.error_code == ErrorCode.TRANSACTIONAL_ID_NOT_FOUND
    empty = await coordinator.init(name="")
    assert empty.error_code == ErrorCode.INVALID_REQUEST
    long = await coordinator.init(name="x" * 40_000)
    assert long.error_code == ErrorCode.INVALID_REQUEST
