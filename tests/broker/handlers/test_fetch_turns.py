"""Fetches without room for everything: which partition is next, and when a fetch must not wait.

The orders and waits are what Apache Kafka 4.3.1 gave for the same requests.
"""

from __future__ import annotations

import pytest

from raftka.broker.replication.fetch_reader import FetchReader
from raftka.kraft.image import PartitionImage
from raftka.model.rules import Rule
from raftka.net.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
)
from tests.support.asking import Answer
from tests.support.data_plane import Broker, World, make_batch, only, values

LED = PartitionImage((1,), (1,), 1)
REPLICATED = PartitionImage((1, 2), (1, 2), 1)


def broker_of(partitions: int, batches: int, size: int = 500, **config: str) -> Broker:
    """A broker with as many batches of about `size` bytes in each partition."""
    world = World()
    world.add_topic("logs", *[LED] * partitions, **config)
    broker = Broker(world)
    broker.publish()
    for index in range(partitions):
        for _ in range(batches):
            broker.produce_batch("logs", make_batch(b"x" * size), index=index)
    return broker


class Session:
    """A consumer with a small response limit."""

    def __init__(
        self, broker: Broker, partitions: int, *, max_bytes: int = 1, partition_bytes: int = 600
    ) -> None:
        self._broker = broker
        self._max_bytes = max_bytes
        self._partition_bytes = partition_bytes
        self._id = self._epoch = 0
        self.changed = dict.fromkeys(range(partitions), 0)
        """The offsets of the partitions in the next request."""
        self.forgotten: list[int] = []

    def ask(self, *, min_bytes: int = 0, max_wait: int = 0) -> Answer[FetchResponse]:
        wanted = [
            FetchPartition(
                partition=index, fetch_offset=offset, partition_max_bytes=self._partition_bytes
            )
            for index, offset in self.changed.items()
        ]
        request = FetchRequest(
            max_wait=max_wait,
            min_bytes=min_bytes,
            max_bytes=self._max_bytes,
            session_id=self._id,
            session_epoch=self._epoch,
            topics=[FetchTopic(topic="logs", partitions=wanted)] if wanted else [],
            forgotten_topics_data=[ForgottenTopic(topic="logs", partitions=self.forgotten)],
        )
        self.changed, self.forgotten = {}, []
        self._epoch += 1
        return self._broker.ask(request, 11)

    def take(self, answer: Answer[FetchResponse]) -> list[int]:
        """The partitions that were served."""
        response = answer.message
        assert response.error_code == 0
        self._id = response.session_id
        return served(response)

    def next(self) -> list[int]:
        return self.take(self.ask())

    def rounds(self, count: int, *, moves_on: bool) -> list[int]:
        """The partitions that are served, one fetch after the other."""
        positions: dict[int, int] = {}
        found = []
        for _ in range(count):
            for index in self.next():
                found.append(index)
                positions[index] = positions.get(index, 0) + 1
                if moves_on:
                    self.changed[index] = positions[index]
        return found


def served(response: FetchResponse) -> list[int]:
    return [
        partition.partition_index
        for topic in response.responses
        for partition in topic.partitions
        if partition.records
    ]


class TestSessions:
    @pytest.mark.parametrize("moves_on", [True, False])
    def test_partitions_take_turns(self, moves_on: bool) -> None:
        session = Session(broker_of(3, 10), 3)
        order = [0, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
        assert session.rounds(len(order), moves_on=moves_on) == order

    def test_what_had_no_room_needs_no_new_record_to_be_served(self) -> None:
        """Two quiet partitions of a batch each that is larger than fetch.max.bytes."""
        session = Session(broker_of(2, 1, size=2000), 2, max_bytes=300, partition_bytes=300)
        assert session.next() == [0]
        session.changed = {0: 1}
        held = session.ask(min_bytes=1, max_wait=500)
        assert not held.is_waiting
        assert session.take(held) == [1]
        session.changed = {1: 1}
        assert session.ask(min_bytes=1, max_wait=500).is_waiting

    def test_a_batch_that_only_fits_first_has_its_turn(self) -> None:
        broker = broker_of(2, 0)
        for _ in range(6):
            broker.produce_batch("logs", make_batch(b"x" * 100), index=0)
        broker.produce_batch("logs", make_batch(b"x" * 5000), index=1)
        session = Session(broker, 2, max_bytes=1000, partition_bytes=200)
        assert session.rounds(3, moves_on=True) == [0, 0, 1]

    def test_who_was_served_longest_ago_comes_first_with_its_news(self) -> None:
        broker = broker_of(3, 10)
        session = Session(broker, 3)
        session.changed[2] = 10
        assert session.rounds(4, moves_on=True) == [0, 0, 1, 0]
        broker.produce_batch("logs", make_batch(b"x" * 500), index=2)
        assert session.rounds(3, moves_on=True) == [2, 1, 0]

    def test_a_partition_that_comes_back_goes_to_the_end(self) -> None:
        session = Session(broker_of(3, 10), 3)
        assert session.rounds(2, moves_on=True) == [0, 0]
        session.forgotten = [1]
        assert session.next() == [2]
        session.changed = {1: 0}
        assert session.rounds(3, moves_on=False) == [0, 2, 1]

    @pytest.mark.parametrize(
        ("rule", "order"),
        [
            (Rule.LOOK_AGAIN_WITHOUT_ROOM, [0] * 6),
            (Rule.TURNS_IN_SESSIONS, [0] * 6),
        ],
    )
    def test_each_rule_is_needed(self, rule: Rule, order: list[int]) -> None:
        broker = broker_of(3, 10)
        broker.data_plane.fetch_reader = FetchReader(
            broker.replicas.index, broker.replicas.isr, None, {rule}
        )
        assert Session(broker, 3).rounds(6, moves_on=True) == order


def test_a_fetch_without_a_session_is_served_in_its_own_order() -> None:
    broker = broker_of(3, 1)
    wanted = [FetchPartition(partition=i, partition_max_bytes=600) for i in (2, 0, 1)]
    topics = [FetchTopic(topic="logs", partitions=[each]) for each in wanted]
    answer = broker.ask(FetchRequest(max_bytes=1, session_epoch=-1, topics=topics), 11).message
    assert served(answer) == [2]
    assert [p.partition_index for t in answer.responses for p in t.partitions] == [2, 0, 1]


class TestMinBytes:
    """The minimum counts the bytes that are there up to the limits, not whole batches."""

    @staticmethod
    def waits(
        broker: Broker, *, min_bytes: int, max_bytes: int, partition_bytes: int, offset: int = 0
    ) -> bool:
        partitions = len(broker.world.topics["logs"].partitions)
        wanted = [
            FetchPartition(partition=i, fetch_offset=offset, partition_max_bytes=partition_bytes)
            for i in range(partitions)
        ]
        request = FetchRequest(
            max_wait=1500,
            min_bytes=min_bytes,
            max_bytes=max_bytes,
            session_epoch=-1,
            topics=[FetchTopic(topic="logs", partitions=wanted)],
        )
        return broker.ask(request, 11).is_waiting

    @pytest.mark.parametrize(
        ("partitions", "batches", "min_bytes", "max_bytes", "partition_bytes", "waits"),
        [
            pytest.param(2, 1, 1000, 1000, 10_000, False, id="the answer is full"),
            pytest.param(1, 5, 1000, 10_000, 1000, False, id="the partition's share is full"),
            pytest.param(1, 5, 1000, 10_000, 700, True, id="its share is smaller than that"),
            pytest.param(1, 1, 5000, 10_000, 10_000, True, id="there is too little"),
            pytest.param(2, 1, 1000, 0, 10_000, False, id="nothing is wanted"),
            pytest.param(2, 1, 1000, 10_000, 0, True, id="nothing is wanted of each"),
        ],
    )
    def test_when_a_fetch_waits(
        self,
        partitions: int,
        batches: int,
        min_bytes: int,
        max_bytes: int,
        partition_bytes: int,
        waits: bool,
    ) -> None:
        broker = broker_of(partitions, batches)
        limits = {"max_bytes": max_bytes, "partition_bytes": partition_bytes}
        assert self.waits(broker, min_bytes=min_bytes, **limits) is waits

    def test_a_read_that_ends_with_its_segment_is_not_waited_for(self) -> None:
        broker = broker_of(1, 6, segment_bytes="1200")
        limits = {"max_bytes": 100_000, "partition_bytes": 100_000}
        assert not self.waits(broker, min_bytes=2000, **limits)
        assert self.waits(broker, min_bytes=2000, offset=5, **limits)


class TestFollowers:
    def followed(self, partitions: int, **settings: str) -> tuple[Broker, Broker]:
        """A leader with twelve batches in each partition, and its follower."""
        world = World()
        world.add_topic("logs", *[REPLICATED] * partitions)
        leader, follower = Broker(world, 1, **settings), Broker(world, 2)
        follower.response_max_bytes = 700
        leader.publish()
        follower.publish()
        for index in range(partitions):
            for _ in range(12):
                leader.produce_batch("logs", make_batch(b"x" * 500), index=index)
        return leader, follower

    @pytest.mark.parametrize(
        "slots", [pytest.param("10", id="session"), pytest.param("0", id="no session")]
    )
    def test_all_partitions_of_a_returning_follower_grow_together(self, slots: str) -> None:
        leader, follower = self.followed(3, max_incremental_fetch_session_cache_slots=slots)
        for _ in range(6):
            follower.copy(leader, rounds=3)
            ends = [follower.replica("logs", index).log.log_end_offset for index in range(3)]
            assert max(ends) - min(ends) <= 2, ends
        leader.produce_batch("logs", make_batch(b"y"), index=0)
        follower.copy(leader, rounds=25)
        ends = [follower.replica("logs", index).log.log_end_offset for index in range(3)]
        assert ends == [13, 12, 12]

    def test_a_leader_honours_its_own_limit_for_followers_too(self) -> None:
        """fetch.max.bytes limits every fetch."""
        leader, follower = self.followed(2, fetch_max_bytes="1200")
        follower.response_max_bytes = 1 << 20
        follower.copy(leader)
        ends = [follower.replica("logs", index).log.log_end_offset for index in range(2)]
        assert ends == [2, 0]


def test_the_first_batch_comes_although_the_next_does_not_fit() -> None:
    broker = broker_of(1, 2)
    answer = broker.fetch("logs", 0, max_bytes=600, partition_max_bytes=600).message
    assert values(only(answer)) == [b"x" * 500]
