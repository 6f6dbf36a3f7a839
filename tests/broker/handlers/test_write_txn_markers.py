"""WriteTxnMarkers: the answer for each partition, its time, and the marker's writer."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from raftka.broker.handlers.write_txn_markers import write_txn_markers
from raftka.broker.node import Node
from raftka.broker.replication.deadlines import Deadlines
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import OFFSETS_TOPIC
from raftka.net.protocol.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)
from raftka.net.router import Context
from raftka.net.session import Session
from raftka.simulations.machines.clock import SimClock
from tests.support.group_service import Answers

OK = ErrorCode.NONE
TIMEOUT_MS = 30_000


class Leader:
    """Partitions that append markers, and report later that these are committed."""

    def __init__(self) -> None:
        self.written: list[tuple[tuple[str, int], EndMarker, int]] = []
        self.refuses: dict[tuple[str, int], ErrorCode] = {}
        self.waiting: list[tuple[Any, int]] = []
        self.groups: list[tuple[int, EndMarker, int, Callable[[KafkaError | None], None]]] = []
        clock = SimClock()
        self.deadlines = Deadlines(clock)
        self.node = SimpleNamespace(
            clock=clock,
            deadlines=self.deadlines,
            config=SimpleNamespace(int=lambda name: TIMEOUT_MS),
            replicas=SimpleNamespace(find=self._find, append_marker=self._append),
            groups=SimpleNamespace(complete_transaction=lambda *call: self.groups.append(call)),
        )

    def _find(self, where: tuple[str, int]) -> Any:
        if where in self.refuses:
            raise KafkaError(self.refuses[where])

        def wait_for(offset: int, waiter: Any, slot: int) -> None:
            self.waiting.append((waiter, slot))

        return SimpleNamespace(where=where, wait_for=wait_for)

    def _append(self, replica: Any, marker: EndMarker, version: int, now_s: float) -> Any:
        self.written.append((replica.where, marker, version))
        return SimpleNamespace(last_offset=9)

    def commit(self, number: int, code: ErrorCode = OK) -> None:
        waiter, slot = self.waiting[number]
        waiter.acknowledged(slot, code)

    def ask(self, *topics: tuple[str, list[int]]) -> Answers:
        marker = WritableTxnMarker(
            producer_id=7,
            producer_epoch=3,
            transaction_result=True,
            topics=[WritableTxnMarkerTopic(name=n, partition_indexes=p) for n, p in topics],
            coordinator_epoch=5,
            transaction_version=2,
        )
        session = Session("127.0.0.1:5000", "PLAIN")
        context = Context(cast(Node, self.node), session, 2, 1, "c", memoryview(b""))
        return Answers(write_txn_markers(context, WriteTxnMarkersRequest(markers=[marker])))


def codes(answers: Answers) -> list[int]:
    (marker,) = answers.answer.markers
    assert marker.producer_id == 7
    return [each.error_code for topic in marker.topics for each in topic.partitions]


@pytest.fixture
async def leader() -> Leader:
    return Leader()


async def test_answered_when_the_last_marker_is_committed(leader: Leader) -> None:
    answers = leader.ask(("t", [0, 1]), ("u", [0]))
    marker = EndMarker(7, 3, True, 5)
    assert leader.written == [(("t", 0), marker, 2), (("t", 1), marker, 2), (("u", 0), marker, 2)]
    leader.commit(0)
    leader.commit(2, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    assert not answers.done
    leader.commit(1)
    assert codes(answers) == [OK, OK, ErrorCode.NOT_LEADER_OR_FOLLOWER]
    assert leader.deadlines.next_bucket() is None, "nobody waits any longer"


async def test_what_cannot_be_written_is_answered_at_once(leader: Leader) -> None:
    leader.refuses = {
        ("t", 0): ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ("t", 1): ErrorCode.INVALID_PRODUCER_EPOCH,
    }
    answers = leader.ask(("t", [0, 1]))
    assert codes(answers) == [
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.INVALID_PRODUCER_EPOCH,
    ]


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (None, OK),
        (ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_LEADER_OR_FOLLOWER),
        (ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.NOT_LEADER_OR_FOLLOWER),
        (ErrorCode.TRANSACTION_COORDINATOR_FENCED, ErrorCode.TRANSACTION_COORDINATOR_FENCED),
    ],
)
async def test_the_groups_coordinator_writes_its_own(
    leader: Leader, code: ErrorCode | None, answer: ErrorCode
) -> None:
    answers = leader.ask((OFFSETS_TOPIC, [4]))
    ((partition, marker, version, done),) = leader.groups
    assert (partition, marker, version) == (4, EndMarker(7, 3, True, 5), 2)
    assert (leader.written, answers.done) == ([], False)
    done(None if code is None else KafkaError(code))
    assert codes(answers) == [answer]


async def test_at_the_deadline_what_is_known_is_said(leader: Leader) -> None:
    answers = leader.ask(("t", [0, 1]))
    leader.commit(0)
    bucket = leader.deadlines.next_bucket()
    assert bucket is not None
    leader.deadlines.expire_through(bucket)
    assert codes(answers) == [OK, ErrorCode.REQUEST_TIMED_OUT]
    leader.commit(1)
    assert codes(answers) == [OK, ErrorCode.REQUEST_TIMED_OUT], "the answer has gone"


async def test_nothing_to_write_is_answered(leader: Leader) -> None:
    answers = leader.ask()
    assert codes(answers) == []
