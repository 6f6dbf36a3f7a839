"""Where and when markers are sent, and sent again, as leaders move, die, refuse and disappear."""

from __future__ import annotations

import pytest

from raftka.broker.coordinators.transaction.core import WriteMarkers
from raftka.broker.coordinators.transaction.marker_queue import (
    PARTITIONS_PER_REQUEST,
    REQUESTS_PER_BROKER,
    Batch,
    MarkerQueue,
    Wish,
)
from raftka.kraft.image import MetadataImage, PartitionImage, TopicImage
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode
from raftka.model.ids import TRANSACTION_TOPIC, TopicPartition
from raftka.model.rules import Rule, RulesOff
from raftka.net.protocol.messages.write_txn_markers import (
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersResponse,
)

OK = ErrorCode.NONE
A, B, C = (TopicPartition("t", index) for index in range(3))


class World:
    """Partitions with leaders by number, a queue, and the markers that were written."""

    def __init__(self, rules_off: RulesOff = frozenset()) -> None:
        self.queue = MarkerQueue(rules_off)
        self.now_s = 10.0
        self.leaders = {A: 1, B: 2, C: 1}
        self.live = True
        self.written: dict[int, set[TopicPartition]] = {}
        self.publish()

    def publish(self) -> None:
        views = [
            PartitionImage((1, 2), (1, 2), self.leaders[each]) for each in sorted(self.leaders)
        ]
        topics = {TRANSACTION_TOPIC: TopicImage(TRANSACTION_TOPIC, bytes(15) + b"\1", views[:1])}
        if views:
            topics["t"] = TopicImage("t", bytes(15) + b"\2", views)
        self.queue.metadata_changed(MetadataImage(topics=topics), self.now_s)

    def move(self, partition: TopicPartition, leader: int) -> None:
        self.leaders[partition] = leader
        self.publish()

    def wish(self, producer_id: int, *partitions: TopicPartition) -> Wish:
        marker = EndMarker(producer_id, 3, True, 7)
        wanted = WriteMarkers(f"id-{producer_id}", marker, frozenset(partitions), 2)
        done = self.written.setdefault(producer_id, set())
        wish = Wish(wanted, lambda found: done.update(found), lambda: self.live)
        self.queue.add(wish, self.now_s)
        return wish

    def due(self) -> dict[int, list[Batch]]:
        found: dict[int, list[Batch]] = {}
        for batch in self.queue.due(self.now_s):
            found.setdefault(batch.broker_id, []).append(batch)
        return found

    def only(self, broker_id: int) -> Batch:
        ((found, (batch,)),) = self.due().items()
        assert found == broker_id
        return batch

    def answer(self, batch: Batch, code: ErrorCode = OK, **others: ErrorCode) -> None:
        """Answer `code` everywhere, except for `others`: t_1=ErrorCode.NONE."""
        answer = WriteTxnMarkersResponse(
            markers=[
                WritableTxnMarkerResult(
                    producer_id=marker.producer_id,
                    topics=[
                        WritableTxnMarkerTopicResult(
                            name=topic.name,
                            partitions=[
                                WritableTxnMarkerPartitionResult(
                                    partition_index=index,
                                    error_code=others.get(f"{topic.name}_{index}", code),
                                )
                                for index in topic.partition_indexes
                            ],
                        )
                        for topic in marker.topics
                    ],
                )
                for marker in batch.request().markers
            ]
        )
        self.queue.answered(batch, answer, self.now_s)


def test_each_leader_is_asked_once_for_all_that_it_leads() -> None:
    world = World()
    world.wish(7, A, B)
    world.wish(8, C)
    found = world.due()
    assert sorted(found) == [1, 2]
    ((first,), (second,)) = found[1], found[2]
    markers = first.request().markers
    assert [(m.producer_id, m.topics[0].partition_indexes) for m in markers] == [(7, [0]), (8, [2])]
    assert {(m.producer_epoch, m.coordinator_epoch, m.transaction_version) for m in markers} == {
        (3, 7, 2)
    }
    world.answer(first)
    world.answer(second)
    assert world.written == {7: {A, B}, 8: {C}}
    assert len(world.queue) == 0
    assert world.queue.next_due_s() == float("inf"), "nothing is polled"


@pytest.mark.parametrize(
    "code",
    [
        *(ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        *(ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND),
        *(ErrorCode.REQUEST_TIMED_OUT, ErrorCode.KAFKA_STORAGE_ERROR),
        ErrorCode.UNKNOWN_SERVER_ERROR,
    ],
)
def test_a_partition_without_its_marker_is_asked_again_later(code: ErrorCode) -> None:
    world = World()
    world.wish(7, A, C)
    world.answer(world.only(1), code, t_2=OK)
    assert world.written == {7: {C}}
    assert world.due() == {}
    world.now_s = world.queue.next_due_s()
    assert 0.04 < world.now_s - 10 < 0.06
    world.answer(world.only(1))
    assert world.written == {7: {A, C}}


def test_a_broker_that_stays_away_is_asked_ever_more_seldom_but_each_second() -> None:
    world = World()
    world.wish(7, A)
    waits = []
    for _ in range(12):
        world.queue.failed(world.only(1), "refused", world.now_s)
        waits.append(round(world.queue.next_due_s() - world.now_s, 3))
        world.now_s = world.queue.next_due_s()
    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, *[1.0] * 7]


def test_a_new_leader_is_asked_at_once_also_in_place_of_one_that_is_silent() -> None:
    world = World()
    world.wish(7, A, C)
    silent = world.only(1)
    world.move(A, 2)
    second = world.only(2)
    assert second.pieces[next(iter(second.pieces))] == {A}
    world.answer(second)
    assert world.written == {7: {A}}
    world.move(C, 2)
    world.answer(world.only(2))
    assert world.written == {7: {A, C}}
    world.queue.failed(silent, "no answer in time", world.now_s)
    assert len(world.queue) == 0


def test_without_a_leader_the_next_one_is_awaited() -> None:
    world = World()
    world.move(A, -1)
    world.wish(7, A)
    assert world.due() == {}
    world.move(A, 2)
    world.answer(world.only(2))
    assert world.written == {7: {A}}


def test_a_deleted_topic_needs_no_marker() -> None:
    world = World()
    world.wish(7, A, B)
    world.leaders.clear()
    world.publish()
    assert world.written == {7: {A, B}}
    assert world.due() == {}


def test_metadata_from_before_the_wish_proves_nothing() -> None:
    world = World()
    world.queue.metadata_changed(MetadataImage(), world.now_s)
    world.wish(7, A)
    assert world.written == {7: set()}
    world.publish()
    world.answer(world.only(1))
    assert world.written == {7: {A}}


@pytest.mark.parametrize(
    "code", [ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED]
)
def test_who_was_replaced_gives_up(code: ErrorCode) -> None:
    world = World()
    world.wish(7, A, C)
    world.wish(8, A)
    batch = world.only(1)
    answer = {7: code, 8: OK}
    for marker in batch.request().markers:
        assert marker.producer_id in answer
    world.queue.answered(
        batch,
        WriteTxnMarkersResponse(
            markers=[
                WritableTxnMarkerResult(
                    producer_id=producer_id,
                    topics=[
                        WritableTxnMarkerTopicResult(
                            name="t",
                            partitions=[
                                WritableTxnMarkerPartitionResult(
                                    partition_index=index, error_code=code
                                )
                                for index in (0, 2)
                            ],
                        )
                    ],
                )
                for producer_id, code in answer.items()
            ]
        ),
        world.now_s,
    )
    assert world.written == {7: set(), 8: {A}}
    assert world.queue.next_due_s() == float("inf")


def test_a_coordinator_that_has_resigned_sends_nothing_more() -> None:
    world = World()
    world.wish(7, A)
    batch = world.only(1)
    world.wish(8, A)
    world.live = False
    world.answer(batch)
    assert world.written == {7: set(), 8: set()}
    assert world.due() == {}
    assert len(world.queue) == 0


def test_what_is_under_way_is_bounded_in_requests_and_in_their_size() -> None:
    world = World()
    many = [TopicPartition("t", index) for index in range(PARTITIONS_PER_REQUEST + 10)]
    world.leaders |= dict.fromkeys(many, 1)
    world.publish()
    world.wish(7, *many)
    sizes = [sum(map(len, batch.pieces.values())) for batch in world.due()[1]]
    assert sizes == [PARTITIONS_PER_REQUEST, 10]
    batches = []
    for number in range(REQUESTS_PER_BROKER + 10):
        world.wish(100 + number, A)
        batches += world.due().get(1, [])
    assert len(batches) == REQUESTS_PER_BROKER - 2
    world.answer(batches[0])
    (next_one,) = world.due()[1]
    assert len(next_one.pieces) == 12, "what has gathered meanwhile shares a request"


def test_one_request_names_a_producer_once() -> None:
    world = World()
    world.wish(7, A)
    world.wish(7, C)
    first, second = world.due()[1]
    assert [len(batch.pieces) for batch in (first, second)] == [1, 1]


def test_without_the_rule_a_failure_passes_for_written() -> None:
    world = World(frozenset({Rule.MARKERS_UNTIL_WRITTEN}))
    world.wish(7, A)
    world.queue.failed(world.only(1), "refused", world.now_s)
    assert world.written == {7: {A}}
