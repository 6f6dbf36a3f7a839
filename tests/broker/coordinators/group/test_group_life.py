"""SyncGroup, Heartbeat, LeaveGroup and sessions: life within a generation, and its end."""

from __future__ import annotations

from raftka.model.errors import ErrorCode
from tests.support.groups import ShardWorld


def test_followers_wait_for_the_leaders_assignment() -> None:
    world = ShardWorld()
    (leader, _), (follower, _) = world.new_member(), world.new_member()
    world.advance(6001)
    waiting = world.sync(follower, 1)
    assert not waiting.done
    assert world.state() == "CompletingRebalance"
    written = len(world.records)
    assert world.sync(leader, 1, {leader: b"L", follower: b"F"}).assignment == b"L"
    assert waiting.assignment == b"F"
    assert world.state() == "Stable"
    assert len(world.records) == written + 1
    assert world.replayed().contents() == world.shard.contents()


def test_who_syncs_late_is_told_the_assignment() -> None:
    world = ShardWorld()
    (leader, _), (follower, _) = world.new_member(), world.new_member()
    world.advance(6001)
    world.sync(leader, 1, {follower: b"F"})
    late = world.sync(follower, 1)
    assert late.assignment == b"F"
    assert (late.answer.protocol_type, late.answer.protocol_name) == ("consumer", "range")
    assert world.sync(leader, 1).assignment == b"", "whom the leader forgot gets nothing"


def test_sync_is_refused() -> None:
    world = ShardWorld()
    assert world.sync("x", 1).error is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.sync("x", 1, group="").error is ErrorCode.INVALID_GROUP_ID
    (member,), generation = world.stable_group()
    assert world.sync("x", generation).error is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.sync(member, generation + 1).error is ErrorCode.ILLEGAL_GENERATION
    wrong = world.sync(member, generation, protocol="sticky")
    assert wrong.error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert world.sync(member, generation, protocol=None).assignment == member.encode()
    world.new_member()
    assert world.sync(member, generation).error is ErrorCode.REBALANCE_IN_PROGRESS


def test_a_member_that_never_syncs_is_removed() -> None:
    world = ShardWorld()
    (leader, _), (silent, _) = (world.new_member(rebalance_ms=20_000) for _ in range(2))
    world.advance(6001)
    world.sync(leader, 1, {})
    for _ in range(10):
        world.advance(2000)
        world.heartbeat(leader, 1)
        world.heartbeat(silent, 1)
    assert world.state() == "PreparingRebalance"
    assert world.heartbeat(silent, 1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.join(leader).joined.generation_id == 2


def test_a_leader_that_never_assigns_is_replaced() -> None:
    world = ShardWorld()
    (leader, _), (follower, _) = (world.new_member(rebalance_ms=20_000) for _ in range(2))
    world.advance(6001)
    waiting = world.sync(follower, 1)
    for _ in range(10):
        world.advance(2000)
        world.heartbeat(leader, 1)
    assert waiting.error is ErrorCode.REBALANCE_IN_PROGRESS
    assert world.join(follower).joined.leader == follower


def test_heartbeats() -> None:
    world = ShardWorld()
    assert world.heartbeat("x", 1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.heartbeat("x", 1, group="") is ErrorCode.INVALID_GROUP_ID
    member, _ = world.new_member()
    world.advance(6001)
    assert world.state() == "CompletingRebalance"
    assert world.heartbeat(member, 1) is ErrorCode.NONE
    assert world.heartbeat(member, 2) is ErrorCode.ILLEGAL_GENERATION
    assert world.heartbeat("x", 1) is ErrorCode.UNKNOWN_MEMBER_ID
    world.sync(member, 1)
    assert world.heartbeat(member, 1) is ErrorCode.NONE


def test_a_session_ends_without_heartbeats_and_lives_with_them() -> None:
    world = ShardWorld()
    members, generation = world.stable_group(2, session_ms=10_000)
    for _ in range(4):
        world.advance(3000)
        assert world.heartbeat(members[0], generation) in (
            ErrorCode.NONE,
            ErrorCode.REBALANCE_IN_PROGRESS,
        )
    assert world.state() == "PreparingRebalance"
    assert world.join(members[0]).joined.generation_id == generation + 1
    assert world.heartbeat(members[1], generation) is ErrorCode.UNKNOWN_MEMBER_ID


def test_the_last_session_leaves_an_empty_group_behind() -> None:
    world = ShardWorld()
    world.stable_group(1)
    world.advance(10_001)
    assert world.state() == "Empty"
    assert world.replayed().contents() == world.shard.contents()
    _, again = world.new_member()
    world.advance(3000)
    assert again.joined.generation_id == 3, "a generation is never used twice"


def test_leaving_makes_the_others_join_again() -> None:
    world = ShardWorld()
    members, generation = world.stable_group(2)
    assert world.leave(members[0]) is ErrorCode.NONE
    assert world.heartbeat(members[1], generation) is ErrorCode.REBALANCE_IN_PROGRESS
    assert world.join(members[1]).joined.leader == members[1]


def test_leaving_is_refused_per_member() -> None:
    world = ShardWorld()
    assert world.leave("x") is ErrorCode.UNKNOWN_MEMBER_ID
    world.stable_group(1)
    assert world.leave("x") is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.leave("") is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.leave("", instance="i") is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.leave("x", instance="i") is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.state() == "Stable"


def test_a_member_that_was_only_told_an_id_can_leave() -> None:
    world = ShardWorld()
    told = world.join()
    assert world.leave(told.answer.member_id) is ErrorCode.NONE
    assert world.join(told.answer.member_id).error is ErrorCode.UNKNOWN_MEMBER_ID


def test_leaving_in_a_rebalance_completes_it() -> None:
    world = ShardWorld()
    members, generation = world.stable_group(3)
    first, second = world.join(members[0]), world.join(members[1], protocols=[("range", b"new")])
    assert not first.done
    assert world.leave(members[2]) is ErrorCode.NONE
    assert first.joined.generation_id == second.joined.generation_id == generation + 1


def test_leaving_while_waiting_answers_what_waits() -> None:
    world = ShardWorld()
    members, _ = world.stable_group(2)
    joining = world.join(members[0])
    world.leave(members[0])
    assert joining.error is ErrorCode.UNKNOWN_MEMBER_ID
    world.join(members[1])
    assert world.state() == "CompletingRebalance"
    other, joining = world.new_member()
    world.join(members[1])
    syncing = world.sync(other, joining.joined.generation_id)
    world.leave(other)
    assert syncing.error is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_state_that_fits_in_no_record_is_refused_and_not_believed() -> None:
    world = ShardWorld(max_record_bytes=2000)
    (leader, _), (follower, _) = world.new_member(), world.new_member()
    world.advance(6001)
    waiting = world.sync(follower, 1)
    assert world.sync(leader, 1, {follower: bytes(3000)}).error is ErrorCode.UNKNOWN_SERVER_ERROR
    assert waiting.error is ErrorCode.UNKNOWN_SERVER_ERROR
    assert world.state() == "PreparingRebalance"
    world.join(follower)
    assert world.join(leader).joined.generation_id == 2
    assert world.sync(leader, 2, {follower: b"small"}).assignment == b""


def test_a_failover_keeps_the_members_and_gives_them_a_whole_session() -> None:
    world = ShardWorld()
    members, generation = world.stable_group(2, session_ms=10_000)
    before = world.shard.contents()
    world.advance(9_000)
    world.fail_over()
    assert world.shard.contents() == before
    world.advance(9_000)
    assert world.state() == "Stable"
    assert world.heartbeat(members[0], generation) is ErrorCode.NONE
    world.advance(1_000)
    assert world.state() == "PreparingRebalance"
    assert world.join(members[0]).joined.generation_id == generation + 1


def test_a_shard_that_is_given_up_hands_out_who_waits() -> None:
    world = ShardWorld()
    members, _ = world.stable_group(2)
    joining = world.join(members[0])
    assert world.shard.abandon() == [joining]
