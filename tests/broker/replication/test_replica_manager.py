"""Replicas follow the metadata: roles, logs that come and go, restarts, and disks that fail."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from raftka.broker.replication.replica import Replica
from raftka.kraft.image import PartitionImage
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from tests.support.data_plane import Broker, World, only, produced, topic_id, values

REPLICATED = PartitionImage((1, 2, 3), (1, 2, 3), 1)


def cluster(view: PartitionImage = REPLICATED, **config: str) -> tuple[Broker, Broker, Broker]:
    world = World()
    world.add_topic("logs", view, **config)
    brokers = [Broker(world, broker_id) for broker_id in (1, 2, 3)]
    for broker in brokers:
        broker.publish()
    return brokers[0], brokers[1], brokers[2]


class Roles:
    """Remembers its calls."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def became_leader(self, replica: Replica) -> None:
        self.told.append((f"leads {replica.topic_partition}", replica.state.view.leader_epoch))

    def resigned(self, topic_partition: TopicPartition, leader_epoch: int) -> None:
        self.told.append((f"left {topic_partition}", leader_epoch))


def test_roles_are_told_once_each() -> None:
    world = World()
    world.add_topic("logs", REPLICATED)
    broker, roles = Broker(world), Roles()
    broker.replicas.role_listeners.append(roles)
    broker.publish()
    broker.publish()
    world.change("logs", isr=(1, 2))
    broker.publish()
    assert roles.told == [("leads logs-0", 0)]
    world.change("logs", leader=2)
    broker.publish()
    world.change("logs", leader=1)
    broker.publish()
    del world.topics["logs"]
    broker.publish()
    assert roles.told[1:] == [("left logs-0", 1), ("leads logs-0", 2), ("left logs-0", 2)]


def test_only_our_partitions_are_hosted() -> None:
    world = World()
    mine, others = replace(REPLICATED), PartitionImage((2, 3), (2, 3), 2)
    world.add_topic("logs", mine, others)
    broker = Broker(world)
    broker.publish()
    assert [str(replica.topic_partition) for replica in broker.replicas] == ["logs-0"]
    with pytest.raises(KafkaError) as caught:
        broker.replicas.find(("logs", 1))
    assert caught.value.code is ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert broker.replicas.find((topic_id("logs"), 0)) is broker.replica("logs")


def test_a_replica_that_was_reassigned_away_is_deleted() -> None:
    first, *_ = cluster()
    first.world.change("logs", replicas=(2, 3), isr=(2, 3), leader=2)
    first.publish()
    assert len(first.replicas) == 0
    assert first.logs.get(TopicPartition("logs", 0)) is None


def test_a_topic_of_the_same_name_begins_anew() -> None:
    first, *_ = cluster()
    first.produce("logs", b"old")
    first.world.add_topic("logs", REPLICATED, id_=topic_id("second"))
    first.publish()
    replica = first.replica("logs")
    assert replica.topic_id == topic_id("second")
    assert replica.log.log_end_offset == 0
    assert first.replicas.find((topic_id("second"), 0)) is replica
    with pytest.raises(KafkaError) as caught:
        first.replicas.find((topic_id("logs"), 0))
    assert caught.value.code is ErrorCode.UNKNOWN_TOPIC_ID


def test_a_restart_continues_with_the_log_and_the_high_watermark() -> None:
    world = World()
    world.add_topic("logs")
    broker = Broker(world)
    broker.publish()
    broker.produce("logs", b"a", b"b")
    trio.run(broker.replicas.checkpoint_high_watermarks)
    again = Broker(world, medium=broker.medium)
    assert again.logs.high_watermarks() == {TopicPartition("logs", 0): 2}
    again.publish()
    assert values(only(again.fetch("logs", 0).message)) == [b"a", b"b"]


def test_a_restarted_follower_serves_no_more_than_was_known_to_be_committed() -> None:
    leader, second, _ = cluster()
    leader.produce("logs", b"a")
    second.copy(leader)
    again = Broker(leader.world, 2, medium=second.medium)
    again.publish()
    state = again.replica("logs").state
    assert (state.log_end_offset, state.high_watermark) == (1, 0)


def test_logs_of_topics_that_are_gone_are_put_aside() -> None:
    world = World()
    world.add_topic("logs")
    world.add_topic("other")
    broker = Broker(world)
    broker.publish()
    broker.produce("logs", b"a")
    del world.topics["logs"]
    world.add_topic("other", id_=topic_id("another"))
    again = Broker(world, medium=broker.medium)
    again.publish()
    names = again.disk.list_dir("/data")
    assert sum(name.endswith("-stray") for name in names) == 2
    assert again.replica("other").log.topic_id == topic_id("another")
    assert again.replicas.get("logs", 0) is None


def test_a_log_that_has_lost_its_topics_id_is_put_aside() -> None:
    world = World()
    names = ("anew", "gone", "moved")
    for name in names:
        world.add_topic(name)
    broker = Broker(world)
    broker.publish()
    for name in names:
        broker.produce(name, b"a")
        broker.disk.remove(f"/data/{name}-0/partition.metadata")
    del world.topics["gone"]
    world.change("moved", replicas=(2, 3), isr=(2, 3), leader=2)
    world.add_topic("anew", id_=topic_id("another"))
    again = Broker(world, medium=broker.medium)
    again.publish()
    found = again.disk.list_dir("/data")
    strays = sorted(name.partition(".")[0] for name in found if name.endswith("-stray"))
    assert strays == ["anew-0", "gone-0", "moved-0"]
    assert again.replica("anew").log.log_end_offset == 0, "those were another topic's records"


def test_changed_settings_take_effect() -> None:
    leader, *_ = cluster(replace(REPLICATED, isr=(1,)), min_insync_replicas="2")
    leader.produce("logs", b"a")
    assert leader.replica("logs").state.high_watermark == 0
    leader.world.configs["logs"] = {"min.insync.replicas": "1", "max.message.bytes": "200"}
    leader.publish()
    assert leader.replica("logs").state.high_watermark == 1
    too_large = produced(leader.produce("logs", b"x" * 300).message)
    assert too_large.error_code == ErrorCode.MESSAGE_TOO_LARGE


def test_changed_defaults_of_the_broker_reach_topics_that_say_nothing_else() -> None:
    world = World()
    world.add_topic("logs")
    world.add_topic("own", max_message_bytes="500")
    broker = Broker(world)
    broker.publish()
    broker.defaults = replace(broker.logs.defaults, max_message_bytes=200)
    world.broker_configs = {"message.max.bytes": "200"}
    broker.publish()
    assert broker.replica("logs").log.config.max_message_bytes == 200
    assert broker.replica("own").log.config.max_message_bytes == 500


def test_a_directory_that_fails_while_roles_change_does_not_stop_the_metadata() -> None:
    world = World()
    world.add_topic("logs")
    broker = Broker(world)
    broker.publish()
    broker.medium.faults.write_error_rate = 1.0
    world.change("logs", leader=1)
    world.add_topic("more")
    broker.publish()
    for name in ("logs", "more"):
        with pytest.raises(KafkaError) as caught:
            broker.replica(name)
        assert caught.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    assert broker.replicas.index.leader_count == 0


def test_lagging_followers_are_proposed_to_leave_the_isr() -> None:
    leader, second, _ = cluster()
    leader.produce("logs", b"a")
    second.copy(leader)
    leader.clock.advance(31)
    second.copy(leader)
    leader.replicas.isr.shrink_isrs(leader.clock.now_s)
    ((replica, proposal),) = leader.proposals
    assert proposal.members == (1, 2)
    assert replica.state.pending is proposal
    leader.replicas.isr.shrink_isrs(leader.clock.now_s)
    assert len(leader.proposals) == 1


def test_an_idle_partition_keeps_its_isr_however_long_nothing_comes() -> None:
    leader, second, third = cluster()
    for _ in range(100):
        for follower in (second, third):
            follower.copy(leader)
        leader.clock.advance(5)
    leader.produce("logs", b"a")
    leader.replicas.isr.shrink_isrs(leader.clock.now_s + 20)
    assert leader.proposals == []
    leader.replicas.isr.shrink_isrs(leader.clock.now_s + 40)
    assert [proposal.members for _, proposal in leader.proposals] == [(1,)]


def test_a_dropped_follower_that_says_nothing_is_not_let_in_again() -> None:
    leader, second, _ = cluster(replace(REPLICATED, isr=(1, 2)), min_insync_replicas="2")
    second.copy(leader)
    leader.produce("logs", b"a")
    leader.clock.advance(31)
    leader.replicas.isr.shrink_isrs(leader.clock.now_s)
    leader.world.change("logs", isr=(1,))
    leader.publish()
    leader.publish()
    assert [proposal.members for _, proposal in leader.proposals] == [(1,)]
    second.copy(leader, rounds=2)
    assert [proposal.members for _, proposal in leader.proposals] == [(1,), (1, 2)]


def test_who_was_refused_is_let_in_later_although_nothing_new_is_written() -> None:
    leader, second, _ = cluster(replace(REPLICATED, isr=(1,)))
    leader.produce("logs", b"a")
    second.copy(leader, rounds=2)
    ((replica, proposal),) = leader.proposals
    assert not replica.state.proposal_refused(proposal, ErrorCode.INELIGIBLE_REPLICA)
    # The follower is at the end and has no news: its fetches do not name the partition.
    leader.replicas.isr.shrink_isrs(leader.clock.now_s)
    assert [proposal.members for _, proposal in leader.proposals] == [(1, 2), (1, 2)]


def test_counts_for_the_dashboards() -> None:
    leader, second, _ = cluster(replace(REPLICATED, isr=(1, 2)))
    assert (leader.replicas.index.leader_count, leader.replicas.index.under_replicated_count) == (
        1,
        1,
    )
    assert (second.replicas.index.leader_count, second.replicas.index.under_replicated_count) == (
        0,
        0,
    )
