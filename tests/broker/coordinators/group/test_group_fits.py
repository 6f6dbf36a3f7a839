"""What is larger than a record may be is refused: the log would refuse all that was decided."""

from __future__ import annotations

import pytest

from raftka.broker.coordinators.group.share.heartbeat import heartbeat as share_heartbeat
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
from raftka.net.protocol.messages.streams_group_heartbeat import KeyValue
from raftka.simulations.load.streams_member import TopologyText
from tests.support.consumer_groups import ConsumerWorld
from tests.support.groups import GROUP
from tests.support.streams_groups import StreamsWorld

MANY = tuple(f"topic-{number:03}" for number in range(200))


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
