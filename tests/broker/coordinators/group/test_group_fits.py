"""Requests whose records would be too large are refused, since the log would refuse them."""

from __future__ import annotations

import pytest

from raftka.broker.coordinators.group.share.heartbeat import begun
from raftka.broker.coordinators.group.share.heartbeat import heartbeat as share_heartbeat
from raftka.broker.coordinators.group.streams.topology import StatusCode
from raftka.broker.coordinators.outbox import batch_bytes
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.record_batch import HEADER_BYTES
from raftka.net.protocol.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
from raftka.net.protocol.messages.streams_group_heartbeat import KeyValue
from raftka.simulations.load.streams_member import TopologyText
from tests.support.consumer_groups import ConsumerWorld, topic_id
from tests.support.groups import GROUP, ShardWorld
from tests.support.streams_groups import StreamsWorld

MANY = tuple(f"topic-{number:03}" for number in range(200))


def log_takes_all(world: ShardWorld) -> None:
    """No record is larger than `small` allows."""
    assert all(batch_bytes([record]) + HEADER_BYTES <= 2000 for record in world.records)


def small(world: ConsumerWorld) -> None:
    """No record may take more than 2000 bytes."""
    world.shard.outbox.bytes_max = 2000


def test_a_topology_that_fits_in_no_record_is_refused_and_leaves_no_trace() -> None:
    world = StreamsWorld(topology=TopologyText({"0": MANY}))
    small(world)
    with pytest.raises(KafkaError, match=r"the topology takes \d+ bytes.*message.max.bytes") as why:
        world.send(world.member("m1").request())
    assert why.value.code is ErrorCode.STREAMS_INVALID_TOPOLOGY
    assert not world.shard.core.groups and not world.records


def test_tags_that_fit_in_no_record_are_refused_and_leave_no_trace() -> None:
    world = StreamsWorld()
    small(world)
    one = world.member("m1")
    world.quiet()
    said, written = world.streams.members["m1"].says, len(world.records)
    request = one.request()
    request.client_tags = [KeyValue(key=name, value="x") for name in MANY]
    with pytest.raises(KafkaError, match=r"message\.max\.bytes") as why:
        world.send(request)
    assert why.value.code is ErrorCode.INVALID_REQUEST
    assert (world.streams.members["m1"].says, len(world.records)) == (said, written)
    assert world.hear(one) is not None


def test_a_subscription_that_fits_in_no_record_is_refused_and_leaves_no_trace() -> None:
    world = ConsumerWorld()
    small(world)
    assert world.refusal("m1", topics=MANY) is ErrorCode.INVALID_REQUEST
    assert not world.shard.core.groups
    epoch = world.beat("m1").member_epoch
    assert world.refusal("m1", epoch, topics=MANY) is ErrorCode.INVALID_REQUEST
    assert world.group().members["m1"].says.topics == ("t",)
    world.log_is_true()


def test_so_is_that_of_a_share_group() -> None:
    world = ConsumerWorld()
    small(world)

    def beat(epoch: int, *names: str, member_id: str = "m1") -> int:
        request = ShareGroupHeartbeatRequest(
            group_id=GROUP,
            member_id=member_id,
            member_epoch=epoch,
            subscribed_topic_names=list(names),
        )
        return share_heartbeat(world.shard.core, request, "c", "/h", world.now).member_epoch

    for names, member_id in ((MANY, "m1"), (("t",), "m" * 40_000), (("t" * 40_000,), "m1")):
        with pytest.raises(KafkaError) as why:
            beat(0, *names, member_id=member_id)
        assert why.value.code is ErrorCode.INVALID_REQUEST
        assert not world.shard.core.groups and not world.shard.outbox
    epoch = beat(0, "t")
    with pytest.raises(KafkaError, match=r"message\.max\.bytes"):
        beat(epoch, *MANY)
    assert beat(epoch, "t") == epoch


def test_a_share_of_more_partitions_than_a_record_holds_is_refused_in_words() -> None:
    """Two members fit where one does not; the log never gets a record that it would refuse."""
    world = ConsumerWorld({"t": 400})
    small(world)
    for _ in range(2):  # Asking again changes nothing.
        with pytest.raises(KafkaError, match=r"what member m1 would be assigned takes \d+") as why:
            world.beat("m1")
        assert why.value.code is ErrorCode.INVALID_REQUEST
    assert (world.group().state_name, world.group().targets) == ("Assigning", {})
    world.advance(2000)
    epoch = world.beat("m2").member_epoch
    assert epoch == world.group().assignment_epoch
    assert sorted(len(world.target(each)["t"]) for each in ("m1", "m2")) == [200, 200]
    world.log_is_true()
    log_takes_all(world)


def test_what_was_too_large_for_one_epoch_refuses_nobody_in_the_next() -> None:
    """Consumers that start together share partitions that are too many for one of them."""
    world = ConsumerWorld({"t": 400})
    small(world)
    with pytest.raises(KafkaError, match="what member m1 would be assigned"):
        world.beat("m1")
    epoch = world.beat("m2").member_epoch  # The next target is computed a second later.
    world.advance(2000)
    assert world.beat("m2", epoch).member_epoch == world.group().assignment_epoch
    assert len(world.target("m2")["t"]) == 200
    world.log_is_true()
    log_takes_all(world)


def test_a_streams_member_learns_why_it_gets_no_tasks() -> None:
    world = StreamsWorld({"t": 400}, topology=TopologyText({"0": ("t",)}), delay_ms=3000)
    world.shard.outbox.bytes_max = 2000
    one = world.member("m1")
    world.hear(one)
    world.pass_time(3.5)
    beat = world.hear(one)
    assert beat is not None
    (status,) = beat.response.status or []
    assert status.status_code == StatusCode.ASSIGNMENT_DELAYED
    assert "what member m1 would be assigned takes" in (status.status_detail or "")
    world.bye(one)
    # The next member's share is not known yet.
    beat = world.hear(world.member("m2"))
    assert beat is not None
    (status,) = beat.response.status or []
    assert "initial rebalance delay" in (status.status_detail or "")
    log_takes_all(world)


def test_members_go_on_where_the_next_share_is_too_large() -> None:
    world = ConsumerWorld({"t": 200})
    small(world)
    epoch = world.beat("m1").member_epoch
    world.advance(2000)
    world.grow_topic("t", 400)
    assert world.group().epoch > world.group().assignment_epoch
    assert world.beat("m1", epoch).member_epoch == epoch
    assert len(world.target("m1")["t"]) == 200
    world.log_is_true()
    log_takes_all(world)


def test_tasks_of_a_streams_member_are_bounded_likewise() -> None:
    world = StreamsWorld({"t": 700}, topology=TopologyText({"0": ("t",)}))
    world.shard.outbox.bytes_max = 2000
    with pytest.raises(KafkaError, match="what member m1 would be assigned"):
        world.send(world.member("m1").request())
    assert world.streams.assignment_epoch < world.streams.epoch
    log_takes_all(world)


def test_the_share_of_a_share_groups_member_is_bounded_likewise() -> None:
    world = ConsumerWorld({"t": 700})
    small(world)

    def beat(member_id: str) -> int:
        request = ShareGroupHeartbeatRequest(
            group_id=GROUP, member_id=member_id, member_epoch=0, subscribed_topic_names=["t"]
        )
        try:
            found = share_heartbeat(world.shard.core, request, "c", "/h", world.now)
        finally:
            world.settle()
        return found.member_epoch

    beat("m1")
    states = {topic_id("t"): frozenset(range(400))}
    begun(world.shard.core, GROUP, states, world.now)
    world.settle()
    with pytest.raises(KafkaError, match="what member m1 would be assigned"):
        beat("m1")
    assert beat("m2") > 0
