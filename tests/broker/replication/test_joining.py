"""Partitions that ask coordinators: which questions share a request, are repeated, or fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from raftka.broker.replication.joining import Codes, Joining, Question, Retries
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.message import Request
from raftka.net.protocol.messages.add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult,
    AddPartitionsToTxnTopicResult,
)
from raftka.simulations.machines.clock import SimClock

OK, ABORTABLE = ErrorCode.NONE, ErrorCode.TRANSACTION_ABORTABLE
AWAY, BUSY = ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.CONCURRENT_TRANSACTIONS
A, B = TopicPartition("t", 0), TopicPartition("t", 1)


class Coordinators:
    """Brokers that answer by a function of (transactional id, partition), or are away."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.asked: list[tuple[int, AddPartitionsToTxnRequest]] = []
        self.code: Callable[[str, TopicPartition], ErrorCode] = lambda name, each: OK
        self.broken = False
        self.may_answer = trio.Event()
        self.may_answer.set()
        self.where: dict[str, int | None] = {}
        self.joining = Joining(
            self,  # type: ignore[arg-type]
            SimClock(),
            coordinator=lambda name: self.where.get(name, 1),
            timeout_s=5.0,
            retries=Retries(0.02, 0.1),
        )
        nursery.start_soon(self.joining.run)

    async def ask(
        self, broker_id: int, request: Request[AddPartitionsToTxnResponse], **_: object
    ) -> tuple[AddPartitionsToTxnResponse, int]:
        assert isinstance(request, AddPartitionsToTxnRequest)
        self.asked.append((broker_id, request))
        await self.may_answer.wait()
        if self.broken:
            raise BrokenConnection("it has died")
        return self._answer(request), 5

    def _answer(self, request: AddPartitionsToTxnRequest) -> AddPartitionsToTxnResponse:
        return AddPartitionsToTxnResponse(
            results_by_transaction=[
                AddPartitionsToTxnResult(
                    transactional_id=each.transactional_id,
                    topic_results=[
                        AddPartitionsToTxnTopicResult(
                            name=topic.name,
                            results_by_partition=[
                                AddPartitionsToTxnPartitionResult(
                                    partition_index=index,
                                    partition_error_code=self.code(
                                        each.transactional_id, TopicPartition(topic.name, index)
                                    ),
                                )
                                for index in topic.partitions
                            ],
                        )
                        for topic in each.topics
                    ],
                )
                for each in request.transactions
            ]
        )

    def question(
        self, name: str, *partitions: TopicPartition, verify_only: bool = False
    ) -> list[Codes]:
        """Ask; the list gets the answer."""
        found: list[Codes] = []
        question = Question(name, 7, 3, frozenset(partitions), verify_only)
        self.joining.ask(question, found.append)
        return found


@pytest.fixture
def coordinators(nursery: trio.Nursery) -> Coordinators:
    return Coordinators(nursery)


async def test_each_partition_has_its_answer(coordinators: Coordinators) -> None:
    coordinators.code = lambda name, each: OK if each == A else ABORTABLE
    found = coordinators.question("x", A, B, verify_only=True)
    await trio.testing.wait_all_tasks_blocked()
    assert found == [{A: OK, B: ABORTABLE}]
    ((broker_id, request),) = coordinators.asked
    (transaction,) = request.transactions
    assert (broker_id, transaction.verify_only) == (1, True)
    assert (transaction.producer_id, transaction.producer_epoch) == (7, 3)


async def test_questions_of_one_moment_share_a_request_but_not_an_id(
    coordinators: Coordinators,
) -> None:
    coordinators.where = {"other": 2}
    found = [coordinators.question(name, A) for name in ("x", "y", "x", "other")]
    await trio.testing.wait_all_tasks_blocked()
    assert found == [[{A: OK}]] * 4
    names = [(b, [t.transactional_id for t in r.transactions]) for b, r in coordinators.asked]
    assert sorted(names) == [(1, ["x"]), (1, ["x", "y"]), (2, ["other"])]


async def test_while_many_are_under_way_the_others_gather(coordinators: Coordinators) -> None:
    coordinators.may_answer = trio.Event()
    found = []
    for number in range(20):
        found.append(coordinators.question(f"id-{number}", A))
        await trio.testing.wait_all_tasks_blocked()
    assert len(coordinators.asked) == 5
    coordinators.may_answer.set()
    await trio.testing.wait_all_tasks_blocked()
    assert len(coordinators.asked) == 6
    assert found == [[{A: OK}]] * 20


async def test_who_joins_while_the_last_transaction_ends_is_asked_for_again(
    coordinators: Coordinators, autojump_clock: MockClock
) -> None:
    coordinators.code = lambda name, each: BUSY if len(coordinators.asked) < 3 else OK
    found = coordinators.question("x", A)
    await trio.sleep(0.05)
    assert found == [{A: OK}]
    coordinators.code = lambda name, each: BUSY
    late = coordinators.question("x", A)
    verified = coordinators.question("y", A, verify_only=True)
    await trio.sleep(0.05)
    assert (late, verified) == ([], [{A: BUSY}])
    await trio.sleep(0.06)
    assert late == [{A: BUSY}]
    asked = len(coordinators.asked)
    await trio.sleep(10)
    assert len(coordinators.asked) == asked


async def test_a_coordinator_that_is_away_is_not_there(coordinators: Coordinators) -> None:
    coordinators.where = {"nobody": None}
    assert coordinators.question("nobody", A) == [{A: AWAY}]
    coordinators.broken = True
    found = coordinators.question("x", A)
    await trio.testing.wait_all_tasks_blocked()
    assert found == [{A: AWAY}]
