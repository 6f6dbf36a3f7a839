"""Records of consumer groups: against Apache Kafka's bytes, and as other brokers may write them."""

from __future__ import annotations

from raftka.broker.coordinators.group.consumer import log
from raftka.broker.coordinators.group.consumer.group import ConsumerGroup, MemberState
from raftka.net.protocol import codec
from raftka.net.protocol.messages.consumer_group_current_member_assignment_key import (
    ConsumerGroupCurrentMemberAssignmentKey,
)
from raftka.net.protocol.messages.consumer_group_current_member_assignment_value import (
    ConsumerGroupCurrentMemberAssignmentValue,
    TopicPartitions,
)
from tests.support.consumer_groups import ConsumerWorld, topic_id


def current(state: int, epochs: list[int] | None) -> tuple[bytes, bytes]:
    """A member in epoch 7 with two partitions."""
    key = ConsumerGroupCurrentMemberAssignmentKey(group_id="payroll", member_id="m")
    value = ConsumerGroupCurrentMemberAssignmentValue(
        member_epoch=7,
        previous_member_epoch=6,
        state=state,
        assigned_partitions=[
            TopicPartitions(topic_id=topic_id("t"), partitions=[0, 3], assignment_epochs=epochs)
        ],
    )
    return codec.encode_versioned(key, log.CURRENT), codec.encode_versioned(value, 0)


def replayed(state: int, epochs: list[int] | None) -> ConsumerGroup:
    world = ConsumerWorld()
    world.shard.replay(*current(state, epochs))
    return world.group()


def test_epochs_of_partitions_that_are_not_there_are_the_members() -> None:
    for epochs in (None, [1, 2, 3]):
        (member,) = replayed(0, epochs).members.values()
        assert member.assigned == {topic_id("t"): {0: 7, 3: 7}}
    (member,) = replayed(0, [4, 5]).members.values()
    assert member.assigned == {topic_id("t"): {0: 4, 3: 5}}


def test_a_state_of_a_newer_broker_is_one_on_the_way() -> None:
    (member,) = replayed(99, None).members.values()
    assert member.state is MemberState.UNRELEASED_PARTITIONS


def test_bytes_are_kafkas() -> None:
    """As Apache Kafka 4.4.0's dump-log decodes them; tags hold epochs and timestamps."""
    world = ConsumerWorld()
    world.beat("m", instance_id="i", rack_id="r", server_assignor="range")
    kinds = [int.from_bytes(key[:2], "big") for key, _ in world.records]
    assert kinds == [5, 3, 7, 6, 8]
    key, value = world.records[0]
    assert key == bytes.fromhex("0005 0007 706179726f6c6c 0001 6d".replace(" ", ""))
    assert value is not None
    assert value.hex() == (
        "0000" "0269" "0272" "0263" + b"\x0b/127.0.0.1".hex() + "02" "0274" "00" "0000ea60"
        "06" + b"range".hex() + "00"
    )  # fmt: skip
    assert world.records[1][0] == bytes.fromhex("00030007706179726f6c6c")
    tombstones = list(log.tombstones(world.group()))
    assert [value for _, value in tombstones] == [None] * 5


def test_removals_of_what_is_not_there_make_nothing() -> None:
    """Compaction may have dropped the records that tombstones remove."""
    world = ConsumerWorld()
    world.beat("m")
    other = ConsumerWorld()
    for key, _ in world.records:
        other.shard.replay(key, None)
    assert other.shard.core.groups == {}
