"""Fetch, as consumers and followers see it: what is visible to which reader, when, and how much."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raftka.kraft.image import PartitionImage
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    ForgottenTopic,
    ReplicaState,
)
from tests.support.data_plane import (
    Broker,
    World,
    fetch_request,
    make_batch,
    only,
    topic_id,
    values,
)

REPLICATED = PartitionImage((1, 2, 3), (1, 2, 3), 1)


def lone_broker(**config: str) -> Broker:
    world = World()
    world.add_topic("logs", **config)
    broker = Broker(world)
    broker.publish()
    return broker


def cluster(view: PartitionImage = REPLICATED, **settings: str) -> tuple[Broker, Broker, Broker]:
    world = World()
    world.add_topic("logs", view)
    brokers = [Broker(world, broker_id, **settings) for broker_id in (1, 2, 3)]
    for broker in brokers:
        broker.publish()
    return brokers[0], brokers[1], brokers[2]


def follower(broker_id: int = 2, epoch: int = 102) -> ReplicaState:
    return ReplicaState(replica_id=broker_id, replica_epoch=epoch)


class TestReading:
    @pytest.mark.parametrize("version", range(4, 19))
    def test_every_version_reads_what_was_produced(self, version: int) -> None:
        broker = lone_broker()
        broker.produce("logs", b"a", b"b")
        partition = only(broker.fetch("logs", 0, version=version).message)
        assert values(partition) == [b"a", b"b"]
        assert (partition.high_watermark, partition.last_stable_offset) == (2, 2)

    def test_an_offset_in_the_middle_of_a_batch_gives_the_whole_batch(self) -> None:
        broker = lone_broker()
        broker.produce("logs", b"a", b"b", b"c")
        assert values(only(broker.fetch("logs", 1).message)) == [b"a", b"b", b"c"]

    @pytest.mark.parametrize("offset", [-1, 3, 100])
    def test_offsets_that_do_not_exist(self, offset: int) -> None:
        broker = lone_broker()
        broker.produce("logs", b"a", b"b")
        partition = only(broker.fetch("logs", offset).message)
        assert partition.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
        assert partition.high_watermark == -1

    def test_the_first_batch_comes_however_small_the_limits(self) -> None:
        broker = lone_broker()
        for value in (b"a", b"b"):
            broker.produce("logs", value * 1000)
        small = broker.fetch("logs", 0, partition_max_bytes=10, max_bytes=10)
        assert values(only(small.message)) == [b"a" * 1000]

    def test_the_limit_of_the_whole_answer_holds_over_partitions(self) -> None:
        world = World()
        world.add_topic("logs", *[PartitionImage((1,), (1,), 1)] * 3)
        broker = Broker(world)
        broker.publish()
        for index in range(3):
            broker.produce_batch("logs", make_batch(b"x" * 1000), index=index)
        wanted = [FetchPartition(partition=i, partition_max_bytes=5000) for i in range(3)]
        request = FetchRequest(
            max_wait=500,
            min_bytes=1,
            max_bytes=1500,
            topics=[FetchTopic(topic="logs", partitions=wanted)],
        )
        (topic,) = broker.ask(request, 12).message.responses
        sizes = [len(each.records or b"") for each in topic.partitions]
        assert sizes[0] > 1000
        assert sizes[1:] == [0, 0]

    def test_unknown_topics_by_name_and_by_id(self) -> None:
        broker = lone_broker()
        by_name = only(broker.fetch("other", 0, version=12).message)
        assert by_name.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        by_id = only(broker.fetch("other", 0, version=13).message)
        assert by_id.error_code == ErrorCode.UNKNOWN_TOPIC_ID

    def test_read_committed_is_answered_with_nothing_aborted(self) -> None:
        broker = lone_broker()
        broker.produce("logs", b"a")
        committed = only(broker.fetch("logs", 0, isolation_level=1).message)
        assert committed.aborted_transactions == []
        assert values(committed) == [b"a"]
        assert only(broker.fetch("logs", 0).message).aborted_transactions is None

    def test_epochs_fence(self) -> None:
        broker = lone_broker()
        broker.world.change("logs", leader=1)
        broker.publish()
        codes = [
            only(broker.fetch("logs", 0, epoch=epoch, max_wait=0).message).error_code
            for epoch in (0, 1, 2, -1)
        ]
        assert codes == [ErrorCode.FENCED_LEADER_EPOCH, 0, ErrorCode.UNKNOWN_LEADER_EPOCH, 0]

    def test_a_wrong_broker_names_the_leader(self) -> None:
        _, second, _ = cluster()
        response = second.fetch("logs", 0, version=10).message
        assert only(response).error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
        request = fetch_request("logs", 0, replica_state=follower(3, 103))
        response = second.ask(request, 16).message
        assert only(response).current_leader.leader_id == 1
        assert [(each.node_id, each.port) for each in response.node_endpoints] == [(1, 9091)]


class TestWaiting:
    def test_an_empty_partition_is_waited_for_and_answered_at_once_with_news(self) -> None:
        broker = lone_broker()
        answer = broker.fetch("logs", 0)
        assert answer.is_waiting
        broker.produce("logs", b"a")
        assert values(only(answer.message)) == [b"a"]

    def test_the_wait_ends_with_what_there_is(self) -> None:
        broker = lone_broker()
        answer = broker.fetch("logs", 0, min_bytes=10_000)
        broker.produce("logs", b"a")
        broker.expire(0.4)
        assert answer.is_waiting
        broker.expire(0.2)
        assert values(only(answer.message)) == [b"a"]

    def test_min_bytes_are_collected(self) -> None:
        broker = lone_broker()
        answer = broker.fetch("logs", 0, min_bytes=250)
        for value in (b"a" * 100, b"b" * 100):
            assert answer.is_waiting
            broker.produce("logs", value)
        assert values(only(answer.message)) == [b"a" * 100, b"b" * 100]

    def test_a_deleted_topic_ends_the_wait(self) -> None:
        broker = lone_broker()
        answer = broker.fetch("logs", 0)
        del broker.world.topics["logs"]
        broker.publish()
        assert only(answer.message).error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION

    def test_a_lost_connection_ends_the_wait(self) -> None:
        broker = lone_broker()
        answer = broker.fetch("logs", 0, max_wait=2_000_000_000)
        broker.disconnect()
        assert not answer.is_waiting
        assert not broker.replica("logs").consumers
        assert broker.deadlines.next_bucket() is None

    def test_a_moved_leader_ends_the_wait(self) -> None:
        leader, *_ = cluster()
        answer = leader.fetch("logs", 0, version=10)
        leader.world.change("logs", leader=2)
        leader.publish()
        assert only(answer.message).error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER

    def test_one_turn_is_one_answer(self) -> None:
        broker = lone_broker()
        answer = broker.fetch("logs", 0)
        broker.turn.begin()
        replica = broker.replica("logs")
        for value in (b"a", b"b"):
            broker.replicas.append(replica, bytearray(make_batch(value)), 1, 1000.0)
        assert answer.is_waiting
        broker.turn.end()
        assert values(only(answer.message)) == [b"a", b"b"]


class TestVisibility:
    def test_consumers_see_what_is_committed_and_followers_everything(self) -> None:
        leader, *_ = cluster()
        leader.produce("logs", b"a")
        consumer = leader.fetch("logs", 0)
        assert consumer.is_waiting
        copy = only(leader.ask(fetch_request("logs", 0, replica_state=follower()), 17).message)
        assert values(copy) == [b"a"]
        assert copy.high_watermark == 0
        for broker_id in (2, 3):
            state = follower(broker_id, 100 + broker_id)
            leader.ask(fetch_request("logs", 1, replica_state=state), 17)
        assert values(only(consumer.message)) == [b"a"]

    def test_a_strangers_fetch_moves_nothing(self) -> None:
        leader, *_ = cluster()
        stranger = ReplicaState(replica_id=8, replica_epoch=108)
        partition = only(leader.ask(fetch_request("logs", 0, replica_state=stranger), 17).message)
        assert partition.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER

    def test_consumers_may_read_from_followers_up_to_what_those_know(self) -> None:
        leader, second, third = cluster()
        leader.produce("logs", b"a")
        for copying in (second, third, second, third):
            copying.copy(leader)
        assert second.replica("logs").log.log_end_offset == 1
        waiting = second.fetch("logs", 0, version=11)
        assert waiting.is_waiting, "it does not know yet that the record is committed"
        leader.produce("logs", b"b")
        second.copy(leader)
        assert values(only(waiting.message)) == [b"a"]
        assert only(second.fetch("logs", 0, version=10).message).error_code == (
            ErrorCode.NOT_LEADER_OR_FOLLOWER
        )

    def test_a_caught_up_follower_is_proposed_for_the_isr(self) -> None:
        leader, *_ = cluster(replace(REPLICATED, isr=(1, 2)))
        leader.produce("logs", b"a")
        leader.ask(fetch_request("logs", 1, replica_state=follower(2, 102)), 17)
        leader.ask(fetch_request("logs", 0, replica_state=follower(3, 103)), 17)
        assert leader.proposals == []
        leader.ask(fetch_request("logs", 1, replica_state=follower(3, 103)), 17)
        ((_, proposal),) = leader.proposals
        assert proposal.isr == ((1, 101), (2, 102), (3, 103))

    def test_diverged_logs_are_told_where(self) -> None:
        leader, *_ = cluster()
        leader.produce("logs", b"a", b"b")
        leader.world.change("logs", leader=1, leader_epoch=3)
        leader.publish()
        leader.produce("logs", b"c")
        request = fetch_request("logs", 5, replica_state=follower(), epoch=3, last_epoch=2)
        partition = only(leader.ask(request, 17).message)
        assert (partition.diverging_epoch.epoch, partition.diverging_epoch.end_offset) == (0, 2)
        assert partition.error_code == 0
        assert not partition.records
        assert leader.replica("logs").state.follower(2).log_end_offset == -1


class TestSessions:
    def test_only_news_is_told(self) -> None:
        broker = lone_broker()
        broker.produce("logs", b"a")
        first = broker.fetch("logs", 0, session_epoch=0).message
        assert first.session_id > 0
        assert values(only(first)) == [b"a"]
        nothing = self.next(broker, first.session_id, 1, 1)
        broker.expire(0.6)
        assert nothing.message.responses == []
        news = self.next(broker, first.session_id, 2)
        assert news.is_waiting
        broker.produce("logs", b"b")
        assert values(only(news.message)) == [b"b"]
        again = self.next(broker, first.session_id, 3)
        assert values(only(again.message)) == [b"b"], "it was not asked for more than the same"

    def next(self, broker: Broker, session_id: int, epoch: int, offset: int | None = None):  # type: ignore[no-untyped-def]
        """An incremental fetch, moving on to `offset` if there is one."""
        request = fetch_request("logs", offset or 0)
        if offset is None:
            request.topics = []
        request.session_id = session_id
        request.session_epoch = epoch
        return broker.ask(request, 12)

    def test_a_session_starts_only_when_asked(self) -> None:
        broker = lone_broker()
        broker.produce("logs", b"a")
        assert broker.fetch("logs", 0, session_epoch=-1).message.session_id == 0
        assert len(broker.data_plane.fetch_sessions) == 0

    def test_unknown_and_stale_sessions_are_refused(self) -> None:
        broker = lone_broker()
        broker.produce("logs", b"a")
        session_id = broker.fetch("logs", 0, session_epoch=0).message.session_id
        codes = [
            self.next(broker, session_id + 1, 1).message.error_code,
            self.next(broker, session_id, 7).message.error_code,
        ]
        assert codes == [
            ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
            ErrorCode.INVALID_FETCH_SESSION_EPOCH,
        ]
        request = fetch_request("logs", 0, session_id=session_id, session_epoch=1)
        assert broker.ask(request, 13).message.error_code == ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR

    def test_the_final_epoch_ends_a_session(self) -> None:
        broker = lone_broker()
        broker.produce("logs", b"a")
        session_id = broker.fetch("logs", 0, session_epoch=0).message.session_id
        broker.fetch("logs", 0, session_id=session_id, session_epoch=-1)
        assert len(broker.data_plane.fetch_sessions) == 0
        assert not broker.replica("logs").consumers

    def test_forgotten_partitions_are_left_alone(self) -> None:
        world = World()
        world.add_topic("logs", *[PartitionImage((1,), (1,), 1)] * 2)
        broker = Broker(world)
        broker.publish()
        wanted = [FetchPartition(partition=i, partition_max_bytes=5000) for i in range(2)]
        topics = [FetchTopic(topic="logs", partitions=wanted)]
        full = broker.ask(FetchRequest(topics=topics, session_epoch=0), 12).message
        assert len(full.responses[0].partitions) == 2
        request = FetchRequest(
            max_wait=500,
            min_bytes=1,
            session_id=full.session_id,
            session_epoch=1,
            forgotten_topics_data=[ForgottenTopic(topic="logs", partitions=[0])],
        )
        held = broker.ask(request, 12)
        broker.produce_batch("logs", make_batch(b"x"), index=0)
        assert held.is_waiting
        broker.produce_batch("logs", make_batch(b"y"), index=1)
        assert only(held.message).partition_index == 1

    def test_errors_are_told_until_they_go_away(self) -> None:
        broker = lone_broker()
        full = broker.fetch("other", 0, session_epoch=0).message
        assert only(full).error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        again = self.next(broker, full.session_id, 1).message
        assert only(again).error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        broker.world.add_topic("other")
        broker.publish()
        broker.produce("other", b"a")
        assert values(only(self.next(broker, full.session_id, 2).message)) == [b"a"]

    def test_the_next_request_hurries_the_one_before(self) -> None:
        broker = lone_broker()
        full = broker.fetch("logs", 0, session_epoch=0, max_wait=0).message
        first = self.next(broker, full.session_id, 1)
        assert first.is_waiting
        second = self.next(broker, full.session_id, 2)
        assert first.message.error_code == 0
        assert second.is_waiting

    def test_a_lost_connection_ends_a_followers_session(self) -> None:
        leader, second, _ = cluster()
        second.copy(leader)
        assert len(leader.data_plane.fetch_sessions) == 1
        leader.disconnect()
        assert len(leader.data_plane.fetch_sessions) == 0
        assert not leader.replica("logs").followers

    def test_followers_sessions_come_first_when_there_is_no_room(self) -> None:
        world = World()
        world.add_topic("logs", REPLICATED)
        leader = Broker(world, max_incremental_fetch_session_cache_slots="1")
        second = Broker(world, 2)
        leader.publish()
        second.publish()
        consumer = leader.fetch("logs", 0, session_epoch=0, max_wait=0).message.session_id
        assert consumer > 0
        assert leader.fetch("logs", 0, session_epoch=0, max_wait=0).message.session_id == 0
        second.copy(leader)
        assert second.sessions[1].session_id not in (0, consumer)

    def test_a_follower_without_a_session_waits_for_records(self) -> None:
        """Its leader has no free session; without a wait the two would send without end."""
        leader = cluster(max_incremental_fetch_session_cache_slots="0")[0]
        held = leader.fetch("logs", 0, session_epoch=0, replica_id=2)
        assert held.is_waiting
        leader.produce("logs", b"news")
        assert values(only(held.message)) == [b"news"]

    def test_a_recreated_topic_is_another_one(self) -> None:
        broker = lone_broker()
        broker.produce("logs", b"old")
        full = broker.fetch("logs", 0, session_epoch=0).message
        held = self.next(broker, full.session_id, 1, 1)
        broker.world.add_topic("logs", id_=topic_id("another"))
        broker.publish()
        assert only(held.message).error_code == ErrorCode.OFFSET_OUT_OF_RANGE
        broker.produce("logs", b"new")
        assert values(only(self.next(broker, full.session_id, 2, 0).message)) == [b"new"]
