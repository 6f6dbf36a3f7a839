"""Static members (KIP-345): fenced, and replaced without a rebalance."""

from __future__ import annotations

from typing import Any

from raftka.model.errors import ErrorCode
from tests.support.groups import ShardWorld


def static_group(world: ShardWorld, *instances: str) -> tuple[list[str], int]:
    """A stable group of static members, the first of which leads: (member ids, generation)."""
    calls = [world.join(instance=instance) for instance in instances]
    world.advance(6001)
    members = [call.joined.member_id for call in calls]
    generation = calls[0].joined.generation_id
    shares = {member_id: name.encode() for member_id, name in zip(members, instances, strict=True)}
    for member_id, instance in reversed(list(zip(members, instances, strict=True))):
        world.sync(member_id, generation, shares, instance=instance)
    assert world.state() == "Stable"
    return members, generation


def test_joins_at_once_under_its_name() -> None:
    world = ShardWorld()
    call = world.join(instance="till-1")
    assert not call.done, "no member id is asked for"
    world.advance(3000)
    assert call.joined.member_id == "till-1-0001"
    assert call.joined.members[0].group_instance_id == "till-1"


def test_comes_back_without_a_rebalance() -> None:
    world = ShardWorld()
    members, generation = static_group(world, "a", "b")
    back = world.join(instance="b")
    new_id = back.joined.member_id
    assert new_id != members[1]
    assert back.joined.generation_id == generation
    assert back.joined.leader == members[0]
    assert not back.joined.skip_assignment
    assert world.state() == "Stable"
    assert world.sync(new_id, generation, instance="b").assignment == b"b"
    assert world.replayed().contents() == world.shard.contents()


def test_the_old_process_is_fenced() -> None:
    world = ShardWorld()
    members, generation = static_group(world, "a", "b")
    world.join(instance="b")
    old = members[1]
    fenced = ErrorCode.FENCED_INSTANCE_ID
    assert world.heartbeat(old, generation, instance="b") is fenced
    assert world.sync(old, generation, instance="b").error is fenced
    assert world.join(old, instance="b").error is fenced
    assert world.leave(old, instance="b") is fenced
    commit = world.commit(1, member_id=old, generation=generation, instance="b")
    assert commit is fenced
    assert world.heartbeat(old, generation) is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_leader_that_comes_back_skips_the_assignment() -> None:
    world = ShardWorld()
    _, generation = static_group(world, "a", "b")
    back = world.join(instance="a", version=9)
    assert back.joined.skip_assignment
    assert back.joined.leader == back.joined.member_id
    assert len(back.joined.members) == 2
    assert back.joined.generation_id == generation


def test_an_older_leader_that_comes_back_is_told_that_another_leads() -> None:
    world = ShardWorld()
    members, _ = static_group(world, "a", "b")
    back = world.join(instance="a", version=8)
    assert back.joined.leader == members[0]
    assert back.joined.leader != back.joined.member_id
    assert back.joined.members == []


def test_coming_back_with_another_protocol_rebalances() -> None:
    world = ShardWorld()
    both = [("range", b""), ("sticky", b"")]
    first, second = (
        world.join(instance="a", protocols=both),
        world.join(instance="b", protocols=both),
    )
    world.advance(6001)
    leader, follower = first.joined.member_id, second.joined.member_id
    world.sync(leader, 1, {}, instance="a")
    back = world.join(instance="b", protocols=[("sticky", b"")])
    assert world.state() == "PreparingRebalance"
    world.join(leader, instance="a", protocols=both)
    assert back.joined.protocol_name == "sticky"
    assert world.heartbeat(follower, 1, instance="b") is ErrorCode.FENCED_INSTANCE_ID


def test_coming_back_while_the_leader_assigns_rebalances() -> None:
    world = ShardWorld()
    first, second = world.join(instance="a"), world.join(instance="b")
    world.advance(6001)
    waiting = world.sync(second.joined.member_id, 1, instance="b")
    back = world.join(instance="b")
    assert waiting.error is ErrorCode.FENCED_INSTANCE_ID
    assert world.state() == "PreparingRebalance"
    world.join(first.joined.member_id, instance="a")
    assert back.joined.generation_id == 2


def test_coming_back_in_a_rebalance_fences_the_join_that_waits() -> None:
    world = ShardWorld()
    members, generation = static_group(world, "a", "b", "c")
    world.join(members[0], instance="a")
    waiting = world.join(members[1], instance="b")
    back = world.join(instance="b")
    assert waiting.error is ErrorCode.FENCED_INSTANCE_ID
    world.join(members[2], instance="c")
    assert back.joined.generation_id == generation + 1


def test_stays_through_the_rebalance_timeout_until_its_session_ends() -> None:
    world = ShardWorld()
    first = world.join(instance="a", rebalance_ms=5000, session_ms=30_000)
    second = world.join(instance="b", rebalance_ms=5000, session_ms=30_000)
    world.advance(6001)
    a, b = first.joined.member_id, second.joined.member_id
    world.sync(b, 1, instance="b")
    world.sync(a, 1, {a: b"A", b: b"B"}, instance="a")
    joining = world.join(a, instance="a", rebalance_ms=5000, session_ms=30_000)
    world.advance(5000)
    assert {m.group_instance_id for m in joining.joined.members} == {"a", "b"}
    assert world.heartbeat(b, 2, instance="b") is ErrorCode.NONE


def test_with_nobody_back_the_rebalance_waits_for_sessions() -> None:
    world = ShardWorld()
    first = world.join(instance="a", rebalance_ms=5000, session_ms=30_000)
    second = world.join(instance="b", rebalance_ms=5000, session_ms=30_000)
    dynamic, joining = world.new_member(rebalance_ms=5000, session_ms=30_000)
    world.advance(6001)
    leader = first.joined.member_id
    for member_id, instance in ((second.joined.member_id, "b"), (leader, "a")):
        world.sync(member_id, 1, instance=instance)
    world.sync(dynamic, joining.joined.generation_id)
    world.leave(dynamic)
    world.advance(20_000)
    assert world.state() == "PreparingRebalance"
    world.advance(30_001)
    assert world.state() == "Empty"


def test_a_rebalance_timeout_of_nothing_does_not_spin() -> None:
    world = ShardWorld()
    patience: dict[str, Any] = {"rebalance_ms": 0, "session_ms": 30_000}
    first = world.join(instance="a", **patience)
    world.advance(3000)
    member_id = first.joined.member_id
    world.sync(member_id, 1, instance="a")
    dynamic, _ = world.new_member(**patience)
    world.leave(dynamic)
    world.advance(60_000)
    assert world.state() == "Empty"


def test_an_administrator_removes_it_by_its_name() -> None:
    world = ShardWorld()
    members, generation = static_group(world, "a", "b")
    assert world.leave(instance="b") is ErrorCode.NONE
    assert world.join(members[0], instance="a").joined.generation_id == generation + 1
    assert world.heartbeat(members[1], generation, instance="b") is ErrorCode.UNKNOWN_MEMBER_ID


def test_an_unknown_name_is_an_unknown_member() -> None:
    world = ShardWorld()
    static_group(world, "a")
    assert world.heartbeat("x", 1, instance="z") is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.join("x", instance="z").error is ErrorCode.UNKNOWN_MEMBER_ID
