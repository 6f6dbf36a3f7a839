"""Consumers that read from the replica in their rack (KIP-392)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raftka.kraft.image import PartitionImage
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from tests.support.data_plane import Broker, World, only, values

REPLICATED = PartitionImage((1, 2, 3), (1, 2, 3), 1)


def cluster(view: PartitionImage = REPLICATED, **settings: str) -> tuple[Broker, Broker, Broker]:
    world = World()
    world.add_topic("logs", view)
    brokers = [Broker(world, broker_id, **settings) for broker_id in (1, 2, 3)]
    for broker in brokers:
        broker.publish()
    return brokers[0], brokers[1], brokers[2]


class TestRacks:
    RACK_AWARE = "org.apache.kafka.common.replica.RackAwareReplicaSelector"

    def test_a_consumer_is_sent_to_the_replica_in_its_rack(self) -> None:
        leader, second, _ = cluster(replica_selector_class=self.RACK_AWARE)
        leader.produce("logs", b"a")
        second.copy(leader, rounds=2)
        partition = only(leader.fetch("logs", 0, rack_id="r2").message)
        assert partition.preferred_read_replica == 2
        assert not partition.records

    @pytest.mark.parametrize("rack", ["", "r1", "r9", "r3"])
    def test_others_stay_with_the_leader(self, rack: str) -> None:
        leader, second, _ = cluster(
            replace(REPLICATED, isr=(1, 2)), replica_selector_class=self.RACK_AWARE
        )
        leader.produce("logs", b"a")
        second.copy(leader, rounds=2)
        assert values(only(leader.fetch("logs", 0, rack_id=rack).message)) == [b"a"]

    def two_records_on_two_brokers(self) -> tuple[Broker, Broker]:
        leader, second, _ = cluster(
            replace(REPLICATED, isr=(1, 2)), replica_selector_class=self.RACK_AWARE
        )
        for value in (b"a", b"b"):
            leader.produce("logs", value)
        second.copy(leader, rounds=3)
        return leader, second

    def test_nobody_is_sent_away_for_what_is_gone(self) -> None:
        """Seed 21000364: the follower, whose start the leader did not know, sent them back."""
        leader, _ = self.two_records_on_two_brokers()
        leader.replicas.find(TopicPartition("logs", 0)).log.advance_log_start(1)
        partition = only(leader.fetch("logs", 0, rack_id="r2").message)
        assert partition.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
        assert partition.preferred_read_replica == -1

    def test_a_follower_that_has_less_of_the_beginning_says_so(self) -> None:
        leader, second = self.two_records_on_two_brokers()
        name = TopicPartition("logs", 0)
        second.replicas.find(name).log.advance_log_start(1)
        second.log_start_moved(name)
        request = second.sessions[1].request()
        assert request is not None
        leader.ask(request, 17)
        assert values(only(leader.fetch("logs", 0, rack_id="r2").message))[:1] == [b"a"]
        assert only(leader.fetch("logs", 1, rack_id="r2").message).preferred_read_replica == 2

    def test_a_follower_serves_its_rack_while_the_controller_is_out_of_reach(self) -> None:
        leader, second, _ = cluster(replace(REPLICATED, isr=(1, 2)))
        leader.produce("logs", b"a")
        second.copy(leader, rounds=3)
        for broker in (leader, second):
            broker.replicas.index.lease_until_s = broker.clock.now_s - 1
        assert only(leader.fetch("logs", 0).message).error_code == (
            ErrorCode.NOT_LEADER_OR_FOLLOWER
        )
        assert values(only(second.fetch("logs", 0, rack_id="r2").message)) == [b"a"]

    def test_followers_hear_of_the_high_watermark_at_once(self) -> None:
        leader, second, third = cluster(replica_selector_class=self.RACK_AWARE)
        leader.produce("logs", b"a")
        second.copy(leader)
        third.copy(leader)
        request = second.sessions[1].request()
        assert request is not None
        held = leader.ask(request, 17)
        assert held.is_waiting
        third.copy(leader, rounds=2)
        assert only(held.message).high_watermark == 1
