"""Groups that change their protocol member by member, up and down (KIP-848)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from raftka.broker.coordinators.group.config import MigrationPolicy
from raftka.broker.coordinators.group.group import Group
from raftka.model.errors import ErrorCode
from raftka.net.protocol import codec
from raftka.net.protocol.messages.consumer_protocol_assignment import (
    ConsumerProtocolAssignment,
)
from raftka.net.protocol.messages.consumer_protocol_assignment import (
    TopicPartition as Assigned,
)
from raftka.net.protocol.messages.consumer_protocol_subscription import (
    ConsumerProtocolSubscription,
    TopicPartition,
)
from raftka.net.protocol.messages.leave_group import MemberIdentity
from tests.support.consumer_groups import Client, ConsumerWorld, config


def says(owned: Collection[int] = (), strategy: str = "cooperative-sticky") -> dict[str, Any]:
    """The options of a join of the classic protocol."""
    message = ConsumerProtocolSubscription(
        topics=["t"],
        owned_partitions=[TopicPartition(topic="t", partitions=sorted(owned))] if owned else [],
    )
    return {"protocols": [(strategy, codec.encode_versioned(message, 3))]}


def share(*partitions: int) -> bytes:
    message = ConsumerProtocolAssignment(
        assigned_partitions=[Assigned(topic="t", partitions=list(partitions))]
    )
    return codec.encode_versioned(message, 1)


def read(data: bytes) -> set[int]:
    message = codec.decode_versioned(ConsumerProtocolAssignment, data)
    return {index for topic in message.assigned_partitions for index in topic.partitions}


class Old:
    """A member of the classic protocol, cooperative: it keeps what it is not asked to give back."""

    def __init__(self, world: ConsumerWorld, member_id: str, generation: int, owned: set[int]):
        self.world, self.member_id = world, member_id
        self.generation, self.owned = generation, owned

    def beat(self) -> ErrorCode:
        """Send a heartbeat, and act on its answer."""
        code = self.world.heartbeat(self.member_id, self.generation)
        if code is ErrorCode.REBALANCE_IN_PROGRESS:
            self.join()
        return code

    def join(self) -> None:
        for _ in range(5):
            joined = self.world.join(self.member_id, **says(self.owned)).joined
            self.generation = joined.generation_id
            assert joined.leader != self.member_id, "the coordinator assigns"
            answer = self.world.sync(self.member_id, self.generation, protocol=None)
            if answer.error is ErrorCode.REBALANCE_IN_PROGRESS:
                continue
            before, self.owned = self.owned, read(answer.assignment)
            if before <= self.owned:
                return


def classic_pair(world: ConsumerWorld) -> tuple[Old, Old]:
    """A classic group of two with three partitions each."""
    calls = [world.new_member(**says()) for _ in range(2)]
    world.advance(6_001)
    generation = calls[0][1].joined.generation_id
    (one, _), (two, _) = calls
    shares = {one: share(0, 1, 2), two: share(3, 4, 5)}
    world.sync(two, generation, protocol=None)
    world.sync(one, generation, shares, protocol=None)
    assert world.state() == "Stable"
    return Old(world, one, generation, {0, 1, 2}), Old(world, two, generation, {3, 4, 5})


def owners(*members: Old | Client) -> list[int]:
    """The partitions that members believe to own, with repetitions."""
    found: list[int] = []
    for member in members:
        found += member.owned if isinstance(member, Old) else member.owned.get("t", set())
    return sorted(found)


def test_an_application_is_upgraded_process_by_process() -> None:
    world = ConsumerWorld()
    one, two = classic_pair(world)
    new = Client(world, "n1")
    new.beat()
    assert world.group().type.value == "consumer"
    assert new.owned == {}
    world.log_is_true()
    for _ in range(4):
        one.beat()
        two.beat()
        new.beat()
        world.advance(1000)
        assert len(owners(one, two, new)) == len(set(owners(one, two, new)))
    assert owners(one, two, new) == [0, 1, 2, 3, 4, 5]
    assert {each.member_type for each in world.described().members} == {0, 1}
    assert world.described().group_state == "Stable"
    world.log_is_true()
    world.fail_over()
    assert one.beat() is ErrorCode.NONE
    assert world.leave(one.member_id) is ErrorCode.NONE
    assert world.leave(two.member_id) is ErrorCode.NONE
    world.advance(1000)
    new.beat()
    assert owners(new) == [0, 1, 2, 3, 4, 5]
    world.log_is_true()


def test_the_last_member_of_the_new_protocol_takes_the_group_back() -> None:
    world = ConsumerWorld()
    one, two = classic_pair(world)
    new = Client(world, "n1")
    for _ in range(4):
        for member in (new, one, two):
            member.beat()
        world.advance(1000)
    new.leave()
    assert world.state() == "PreparingRebalance"
    assert isinstance(world.shard.core.groups["payroll"], Group)
    assert world.heartbeat(one.member_id, one.generation) in (
        ErrorCode.REBALANCE_IN_PROGRESS,
        ErrorCode.ILLEGAL_GENERATION,
    )
    calls = [world.join(old.member_id, **says(old.owned)) for old in (one, two)]
    assert all(call.error is ErrorCode.NONE for call in calls)
    world.log_is_true()
    assert world.replayed().contents()[0] == world.mirror.contents()[0]


def test_several_leave_at_once_while_the_group_goes_back() -> None:
    world = ConsumerWorld()
    one, two = classic_pair(world)
    Client(world, "n1").beat()
    leaving = [MemberIdentity(member_id=each) for each in ("n1", one.member_id, "n1")]
    answers = world.shard.leave_group("payroll", leaving, world.now)
    world.settle()
    codes = [ErrorCode(each.error_code) for each in answers]
    assert codes == [ErrorCode.NONE, ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID]
    group = world.shard.core.groups["payroll"]
    assert isinstance(group, Group)
    assert list(group.members) == [two.member_id]
    assert isinstance(world.replayed().core.groups["payroll"], Group)


def test_a_consumer_group_takes_members_of_the_classic_protocol() -> None:
    world = ConsumerWorld()
    new = Client(world, "n1")
    new.beat()
    world.advance(1000)
    told = world.join(**says())
    assert told.error is ErrorCode.MEMBER_ID_REQUIRED
    old = Old(world, told.answer.member_id, -1, set())
    old.join()
    assert old.owned == set()
    new.beat()
    new.beat()
    assert old.beat() is ErrorCode.REBALANCE_IN_PROGRESS
    assert owners(old, new) == [0, 1, 2, 3, 4, 5]
    assert world.commit(
        4, topic="t", partition=min(old.owned), member_id=old.member_id,
        generation=old.generation, version=8, find=lambda topic, index: bytes(16),
    ) is ErrorCode.NONE  # fmt: skip
    refused = world.join(protocol_type="connect", **says())
    assert refused.error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    world.log_is_true()


def test_a_silent_member_of_the_classic_protocol_is_out_after_its_own_session() -> None:
    world = ConsumerWorld()
    one, _ = classic_pair(world)
    new = Client(world, "n1")
    new.beat()
    one.beat()
    for _ in range(12):
        world.advance(1000)
        new.beat()
    assert [each.member_id for each in world.described().members] == ["n1"]
    assert owners(new) == [0, 1, 2, 3, 4, 5]


def test_a_member_that_is_called_to_join_and_does_not_is_out() -> None:
    world = ConsumerWorld()
    one, two = classic_pair(world)
    new = Client(world, "n1", fields={"rebalance_timeout": 60_000})
    new.beat()
    for _ in range(61):
        world.advance(1000)
        world.heartbeat(one.member_id, one.generation)  # It learns of the rebalance, and continues.
        two.beat()
        new.beat()
    assert one.member_id not in world.group().members
    assert owners(two, new) == [0, 1, 2, 3, 4, 5]


def test_a_static_member_is_upgraded_in_place() -> None:
    world = ConsumerWorld()
    call = world.join(instance="i", **says())
    world.advance(6_001)
    old_id, generation = call.joined.member_id, call.joined.generation_id
    world.sync(old_id, generation, {old_id: share(0, 1, 2, 3, 4, 5)}, instance="i", protocol=None)
    new = Client(world, "n1", fields={"instance_id": "i"})
    new.beat()
    assert owners(new) == [0, 1, 2, 3, 4, 5]
    assert world.heartbeat(old_id, generation, instance="i") is ErrorCode.FENCED_INSTANCE_ID
    world.log_is_true()


@pytest.mark.parametrize("policy", [MigrationPolicy.DISABLED, MigrationPolicy.DOWNGRADE])
def test_no_upgrade_against_the_policy(policy: MigrationPolicy) -> None:
    world = ConsumerWorld(**config(migration_policy=policy))
    one, _ = classic_pair(world)
    assert world.refusal("n1") is ErrorCode.GROUP_ID_NOT_FOUND
    assert one.beat() is ErrorCode.NONE


def test_no_downgrade_against_the_policy() -> None:
    world = ConsumerWorld(**config(migration_policy=MigrationPolicy.UPGRADE))
    one, two = classic_pair(world)
    new = Client(world, "n1")
    new.beat()
    new.leave()
    assert world.group().type.value == "consumer"
    world.advance(1000)
    one.beat()
    two.beat()
    assert owners(one, two) == [0, 1, 2, 3, 4, 5]


def test_a_group_of_something_else_is_not_upgraded() -> None:
    world = ConsumerWorld()
    world.new_member(protocol_type="connect", protocols=[("range", b"x")])
    assert world.refusal("n1") is ErrorCode.GROUP_ID_NOT_FOUND
    assert world.state() == "PreparingRebalance"
