"""JoinGroup: how a generation comes about."""

from __future__ import annotations

from typing import Any

import pytest

from raftka.broker.coordinators.group.config import NEW_MEMBER_JOIN_TIMEOUT_MS
from raftka.model.errors import ErrorCode
from tests.support.groups import GROUP, ShardWorld


def test_a_member_without_an_id_is_told_one_and_comes_again() -> None:
    world = ShardWorld()
    told = world.join(client="console")
    assert told.error is ErrorCode.MEMBER_ID_REQUIRED
    assert told.answer.member_id == "console-0001"
    assert told.answer.protocol_name is None
    assert world.state() == "Empty"
    waiting = world.join("console-0001")
    assert world.state() == "PreparingRebalance"
    assert not waiting.done
    world.advance(3000)
    assert waiting.joined.generation_id == 1
    assert waiting.joined.leader == waiting.joined.member_id == "console-0001"
    assert waiting.joined.protocol_name == "range"
    assert waiting.joined.protocol_type == "consumer"
    assert [m.member_id for m in waiting.joined.members] == ["console-0001"]


def test_old_clients_join_at_once() -> None:
    world = ShardWorld()
    waiting = world.join(version=3)
    world.advance(3000)
    assert waiting.joined.generation_id == 1


def test_an_id_that_is_not_used_within_its_session_is_forgotten() -> None:
    world = ShardWorld()
    told = world.join(session_ms=6000)
    world.advance(6000)
    assert world.join(told.answer.member_id).error is ErrorCode.UNKNOWN_MEMBER_ID


def test_version_4_spells_no_protocol_as_an_empty_string() -> None:
    assert ShardWorld().join(version=4).answer.protocol_name == ""
    assert ShardWorld().join(version=7).answer.protocol_name is None


def test_the_first_rebalance_gathers_members_until_none_comes_for_the_delay() -> None:
    world = ShardWorld(initial_rebalance_delay_ms=3000)
    _, first = world.new_member()
    world.advance(2000)
    _, second = world.new_member()
    world.advance(2000)
    assert not first.done, "the delay was to be prolonged"
    world.advance(2000)
    assert len(first.joined.members) == 2
    assert second.joined.members == [], "only the leader learns who is there"
    assert second.joined.leader == first.joined.member_id


def test_the_first_rebalance_ends_when_all_its_members_have_left() -> None:
    world = ShardWorld(initial_rebalance_delay_ms=3000)
    first, _ = world.new_member()
    second, _ = world.new_member()
    world.leave(first)
    assert world.state() == "PreparingRebalance"
    world.leave(second)
    assert world.state() == "Empty", "its offsets can be reset at once"
    world.advance(3000)
    _, again = world.new_member()
    world.advance(3000)
    assert len(again.joined.members) == 1


def test_the_delay_is_prolonged_at_most_to_the_rebalance_timeout() -> None:
    world = ShardWorld(initial_rebalance_delay_ms=3000)
    _, first = world.new_member(rebalance_ms=7000)
    for _ in range(3):
        world.advance(2000)
        world.new_member(rebalance_ms=7000)
        assert not first.done
    world.advance(1000)
    assert len(first.joined.members) == 4


def test_without_a_delay_the_first_member_is_answered_at_once() -> None:
    world = ShardWorld(initial_rebalance_delay_ms=0)
    _, first = world.new_member()
    world.advance(0)
    assert first.joined.generation_id == 1


def test_a_new_member_makes_the_others_join_again() -> None:
    world = ShardWorld()
    (old,), generation = world.stable_group()
    _, new = world.new_member()
    assert world.state() == "PreparingRebalance"
    assert world.heartbeat(old, generation) is ErrorCode.REBALANCE_IN_PROGRESS
    assert not new.done
    again = world.join(old)
    assert again.joined.generation_id == generation + 1
    assert new.joined.generation_id == generation + 1
    assert again.joined.leader == old


def test_who_does_not_rejoin_within_the_rebalance_timeout_is_out() -> None:
    world = ShardWorld()
    (old,), generation = world.stable_group(rebalance_ms=20_000)
    new_id, new = world.new_member(rebalance_ms=20_000)
    for _ in range(19):
        world.advance(1000)
        assert world.heartbeat(old, generation) is ErrorCode.REBALANCE_IN_PROGRESS
    assert not new.done
    world.advance(1000)
    assert new.joined.leader == new_id
    assert [m.member_id for m in new.joined.members] == [new_id]
    assert world.heartbeat(old, generation) is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.join(old).error is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_pending_member_holds_the_rebalance_up() -> None:
    world = ShardWorld()
    (old,), _ = world.stable_group()
    world.new_member()
    told = world.join(session_ms=10_000)
    again = world.join(old)
    assert not again.done, "someone has been told an id and is about to use it"
    world.join(told.answer.member_id)
    assert len(again.joined.members) == 3


def test_a_pending_member_that_never_comes_does_not_hold_it_up_for_ever() -> None:
    world = ShardWorld()
    (old,), _ = world.stable_group()
    world.new_member()
    world.join(session_ms=10_000)
    again = world.join(old)
    world.advance(10_000)
    assert len(again.joined.members) == 2


def test_a_follower_with_nothing_new_is_told_the_present_generation() -> None:
    world = ShardWorld()
    members, generation = world.stable_group(2)
    again = world.join(members[1])
    assert again.joined.generation_id == generation
    assert again.joined.members == []
    assert world.state() == "Stable"


def test_a_leader_that_joins_again_forces_a_rebalance() -> None:
    world = ShardWorld()
    members, generation = world.stable_group(2)
    again = world.join(members[0])
    assert world.state() == "PreparingRebalance"
    world.join(members[1])
    assert again.joined.generation_id == generation + 1
    assert len(again.joined.members) == 2


def test_a_follower_with_another_subscription_forces_a_rebalance() -> None:
    world = ShardWorld()
    members, _ = world.stable_group(2)
    world.join(members[1], protocols=[("range", b"\x00\x01other")])
    assert world.state() == "PreparingRebalance"


def test_a_lost_answer_is_given_again_while_the_leader_assigns() -> None:
    world = ShardWorld()
    (leader_id, leader), (follower_id, _) = world.new_member(), world.new_member()
    world.advance(6001)
    assert world.state() == "CompletingRebalance"
    assert len(world.join(leader_id).joined.members) == 2
    assert world.join(follower_id).joined.members == []
    assert world.join(follower_id).joined.generation_id == leader.joined.generation_id


def test_who_changes_while_the_leader_assigns_starts_over() -> None:
    world = ShardWorld()
    (leader_id, _), (follower_id, _) = world.new_member(), world.new_member()
    world.advance(6001)
    syncing = world.sync(follower_id, 1)
    world.join(leader_id, protocols=[("range", b"\x00\x01other")])
    assert syncing.error is ErrorCode.REBALANCE_IN_PROGRESS
    assert world.state() == "PreparingRebalance"


def test_a_second_join_of_a_member_replaces_the_first() -> None:
    world = ShardWorld()
    (old,), _ = world.stable_group()
    new_id, lost = world.new_member()
    retry = world.join(new_id)
    assert lost.error is ErrorCode.REBALANCE_IN_PROGRESS
    world.join(old)
    assert retry.joined.generation_id == 2


def test_refusals() -> None:
    world = ShardWorld(min_session_timeout_ms=6000, max_session_timeout_ms=30_000)
    assert world.join(group="").error is ErrorCode.INVALID_GROUP_ID
    assert world.join(session_ms=5999).error is ErrorCode.INVALID_SESSION_TIMEOUT
    assert world.join(session_ms=30_001).error is ErrorCode.INVALID_SESSION_TIMEOUT
    assert world.join("stranger").error is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.join(protocols=[]).error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert world.join(protocol_type="").error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert world.state() == "Dead", "nothing of this founds a group"
    world.stable_group()
    assert world.join("stranger").error is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.join(protocols=[("sticky", b"")]).error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert world.join(protocol_type="connect").error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL


def test_the_protocol_that_all_speak_and_most_prefer_wins() -> None:
    world = ShardWorld()
    a, b, c = (("a", b"1"), ("b", b"2"), ("c", b"3"))
    _, first = world.new_member(protocols=[a, b, c])
    _, second = world.new_member(protocols=[c, b])
    world.new_member(protocols=[c, b, a])
    world.advance(6001)
    assert first.joined.protocol_name == second.joined.protocol_name == "c"
    assert [m.metadata for m in first.joined.members] == [b"3", b"3", b"3"]


def test_a_draw_goes_to_the_protocol_that_was_voted_for_first() -> None:
    world = ShardWorld()
    _, first = world.new_member(protocols=[("b", b""), ("a", b"")])
    world.new_member(protocols=[("a", b""), ("b", b"")])
    world.advance(6001)
    assert first.joined.protocol_name == "b"


def test_a_group_is_held_to_its_largest_size() -> None:
    world = ShardWorld(max_size=2)
    members, _ = world.stable_group(2)
    assert world.join().error is ErrorCode.GROUP_MAX_SIZE_REACHED
    assert world.join(members[1]).joined.generation_id == 1


def test_a_group_that_grew_too_large_keeps_the_fastest() -> None:
    world = ShardWorld()
    members, _ = world.stable_group(3)
    world.config = type(world.config)(max_size=2)
    world.fail_over()
    assert world.state() == "PreparingRebalance"
    first, second = world.join(members[2]), world.join(members[0])
    assert world.join(members[1]).error is ErrorCode.GROUP_MAX_SIZE_REACHED
    assert first.joined.generation_id == second.joined.generation_id == 2


def test_a_new_member_that_is_never_answered_is_forgotten() -> None:
    world = ShardWorld()
    (old,), generation = world.stable_group(rebalance_ms=2_000_000, session_ms=1_000_000)
    _, ghost = world.new_member(rebalance_ms=2_000_000, session_ms=1_000_000)
    world.advance(NEW_MEMBER_JOIN_TIMEOUT_MS)
    assert ghost.error is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.heartbeat(old, generation) is ErrorCode.REBALANCE_IN_PROGRESS


def test_a_waiting_member_outlives_its_session_timeout() -> None:
    world = ShardWorld()
    members, generation = world.stable_group(2, session_ms=6000)
    waiting = world.join(members[0])
    for _ in range(10):
        world.advance(3000)
        assert world.heartbeat(members[1], generation) is ErrorCode.REBALANCE_IN_PROGRESS
    world.join(members[1])
    assert waiting.joined.generation_id == generation + 1
    world.advance(5999)
    assert world.heartbeat(members[0], generation + 1) is ErrorCode.NONE


def test_groups_do_not_know_of_each_other() -> None:
    world = ShardWorld()
    world.stable_group(2, group=GROUP)
    _, other = world.new_member(group="other")
    world.advance(3000)
    assert other.joined.generation_id == 1
    assert world.state() == "Stable"


def test_a_protocol_that_is_named_twice_has_one_vote() -> None:
    world = ShardWorld()
    _, call = world.new_member(protocols=[("range", b"1"), ("range", b"2"), ("range", b"3")])
    world.advance(6001)
    assert call.joined.protocol_name == "range"
    assert call.joined.members[0].metadata == b"1"


def test_an_id_that_was_told_to_a_dynamic_member_is_not_a_static_ones() -> None:
    world = ShardWorld()
    told = world.join()
    stolen = world.join(told.answer.member_id, instance="till")
    assert stolen.error is ErrorCode.UNKNOWN_MEMBER_ID


@pytest.mark.parametrize(
    "options",
    [
        {"instance": "i" * 40_000},
        {"client": "c" * 32_767},
        {"protocol_type": "t" * 40_000},
        {"protocols": [("p" * 40_000, b"")]},
    ],
)
def test_names_that_no_record_can_hold_are_refused(options: dict[str, Any]) -> None:
    world = ShardWorld()
    assert world.join(**options).error is ErrorCode.INVALID_REQUEST
    assert world.state() == "Dead"


def test_a_rebalance_names_the_members_that_it_waits_for() -> None:
    """`raftka groups why` prints them."""
    world = ShardWorld()
    members, generation = world.stable_group(3)

    def awaited() -> list[str]:
        return [m.member_id for m in world.shard.describe_group(GROUP).members if m.awaited]

    assert awaited() == []
    world.join(members[0])
    assert world.state() == "PreparingRebalance"
    assert awaited() == members[1:]
    world.join(members[2])
    assert awaited() == [members[1]]
    world.join(members[1])
    assert world.state() == "CompletingRebalance"
    assert awaited() == members
    world.sync(members[1], generation + 1)
    assert awaited() == [members[0], members[2]]
    world.sync(members[0], generation + 1, dict.fromkeys(members, b"share"))
    assert (world.state(), awaited()) == ("Stable", [])
