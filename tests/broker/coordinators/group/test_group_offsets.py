"""Committed offsets: who may commit, what is returned, and when offsets expire."""

from __future__ import annotations

import pytest

from raftka.model.errors import ErrorCode
from tests.support.groups import ShardWorld, find_partition, subscription

DAY_MS = 24 * 60 * 60 * 1000


def test_a_commit_comes_back_with_its_note() -> None:
    world = ShardWorld()
    assert world.committed() == (-1, "")
    assert world.commit(42, metadata="until noon") is ErrorCode.NONE
    assert world.committed() == (42, "until noon")
    assert world.committed(partition=1) == (-1, "")
    assert world.commit(43, metadata=None) is ErrorCode.NONE
    assert world.committed() == (43, "")
    assert world.replayed().contents() == world.shard.contents()


def test_all_offsets_of_a_group_are_found_without_naming_them() -> None:
    world = ShardWorld()
    world.commit(1, topic="access", partition=2)
    world.commit(2, topic="errors", partition=0)
    found = world.shard.fetch_offsets("payroll", None, find_partition)
    assert [(t.name, [p.partition_index for p in t.partitions]) for t in found] == [
        ("access", [2]),
        ("errors", [0]),
    ]
    assert world.shard.fetch_offsets("nobody", None, find_partition) == []


def test_members_commit_in_their_generation() -> None:
    world = ShardWorld()
    (member,), generation = world.stable_group()
    assert world.commit(5, member_id=member, generation=generation) is ErrorCode.NONE
    late = world.commit(6, member_id=member, generation=generation - 1)
    assert late is ErrorCode.ILLEGAL_GENERATION
    assert world.commit(6, member_id="x", generation=generation) is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.commit(6) is ErrorCode.UNKNOWN_MEMBER_ID, "the group has members"
    assert world.commit(6, member_id=member) is ErrorCode.ILLEGAL_GENERATION
    assert world.committed() == (5, "")


def test_in_a_rebalance_members_may_still_commit_until_it_is_closed() -> None:
    world = ShardWorld()
    (member,), generation = world.stable_group()
    world.new_member()
    assert world.commit(7, member_id=member, generation=generation) is ErrorCode.NONE
    assert world.join(member).joined.generation_id == 2
    assert world.commit(8, member_id=member, generation=generation) is ErrorCode.ILLEGAL_GENERATION
    assert world.commit(8, member_id=member, generation=2) is ErrorCode.REBALANCE_IN_PROGRESS
    assert world.committed() == (7, "")


def test_a_commit_keeps_the_session_alive() -> None:
    world = ShardWorld()
    (member,), generation = world.stable_group(session_ms=10_000)
    for offset in range(10):
        world.advance(6000)
        assert world.commit(offset, member_id=member, generation=generation) is ErrorCode.NONE


@pytest.mark.parametrize(
    ("version", "error"), [(2, ErrorCode.ILLEGAL_GENERATION), (9, ErrorCode.GROUP_ID_NOT_FOUND)]
)
def test_a_generation_of_no_group(version: int, error: ErrorCode) -> None:
    world = ShardWorld()
    assert world.commit(1, member_id="x", generation=5, version=version) is error
    assert world.state() == "Dead"


def test_a_group_that_only_commits() -> None:
    world = ShardWorld()
    assert world.commit(1) is ErrorCode.NONE
    described = world.shard.describe_group("payroll")
    assert (described.group_state, described.protocol_type) == ("Empty", "")
    assert world.commit(2, member_id="whoever") is ErrorCode.NONE
    assert world.commit(3, group="") is ErrorCode.NONE, "the empty name is one, here"
    waiting = world.new_member()[1]
    world.advance(3000)
    assert waiting.joined.generation_id == 1


def test_each_partition_is_refused_by_itself() -> None:
    world = ShardWorld(offset_metadata_max_bytes=10)
    assert world.commit(1, topic="nowhere") is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert world.commit(1, partition=4) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert world.commit(1, metadata="a" * 11) is ErrorCode.OFFSET_METADATA_TOO_LARGE
    assert world.commit(1, metadata="ü" * 6) is ErrorCode.OFFSET_METADATA_TOO_LARGE
    assert world.state() == "Dead", "nothing was stored, so there is no group"
    assert world.commit(1, metadata="ü" * 5) is ErrorCode.NONE


# ---- deletion


def test_offsets_of_topics_that_are_read_are_not_deleted() -> None:
    world = ShardWorld()
    (member,), generation = world.stable_group(protocols=[("range", subscription("access"))])
    for topic in ("access", "errors"):
        world.commit(1, topic=topic, member_id=member, generation=generation)
    assert world.delete_offset("access") is ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
    assert world.delete_offset("errors") is ErrorCode.NONE
    assert world.delete_offset("nowhere") is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert world.committed("access") == (1, "")
    assert world.committed("errors") == (-1, "")
    world.leave(member)
    assert world.delete_offset("access") is ErrorCode.NONE
    assert world.delete_offset("access") is ErrorCode.NONE, "gone is gone"
    assert world.replayed().contents() == world.shard.contents()


def test_a_subscription_that_nobody_understands_counts_for_all_topics() -> None:
    world = ShardWorld()
    (member,), generation = world.stable_group(protocols=[("range", b"\x00")])
    world.commit(1, member_id=member, generation=generation)
    assert world.delete_offset() is ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC


def test_a_newer_subscription_is_read_as_far_as_it_is_known() -> None:
    world = ShardWorld()
    newer = b"\x00\x09" + subscription("access", version=3)[2:] + b"more"
    (member,), generation = world.stable_group(protocols=[("range", newer)])
    world.commit(1, topic="errors", member_id=member, generation=generation)
    assert world.delete_offset("access") is ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
    assert world.delete_offset("errors") is ErrorCode.NONE


def test_deleting_offsets_is_refused() -> None:
    world = ShardWorld()
    assert world.delete_offset() is ErrorCode.GROUP_ID_NOT_FOUND
    assert world.delete_offset(group="") is ErrorCode.INVALID_GROUP_ID
    world.new_member(protocol_type="connect")
    world.advance(3000)
    assert world.delete_offset() is ErrorCode.NON_EMPTY_GROUP


def test_an_offset_of_a_topic_that_is_no_more_says_nothing_about_the_next_of_its_name() -> None:
    world = ShardWorld()
    world.commit(5)

    def find_another(topic: str, partition: int) -> bytes | None:
        return b"another topic id" if find_partition(topic, partition) else None

    assert world.committed(find=find_another) == (-1, "")
    assert world.shard.fetch_offsets("payroll", None, find_another) == []
    assert world.committed(find=lambda topic, partition: None) == (5, "")
    assert world.committed() == (5, "")


def test_a_deleted_topic_takes_its_offsets_along() -> None:
    world = ShardWorld()
    for group in ("one", "two"):
        world.commit(1, topic="access", partition=3, group=group)
        world.commit(2, topic="errors", group=group)
    world.shard.topic_deleted("access")
    world.settle()
    for group in ("one", "two"):
        assert world.committed("access", 3, group=group) == (-1, "")
        assert world.committed("errors", group=group) == (2, "")
    assert world.replayed().contents() == world.shard.contents()


# ---- expiry


def settings(days: int = 7) -> dict[str, int]:
    return {"offsets_retention_ms": days * DAY_MS}


def test_a_simple_groups_offsets_expire_each_by_itself_and_then_the_group() -> None:
    world = ShardWorld(**settings())
    world.commit(1, partition=0)
    world.advance(3 * DAY_MS)
    world.commit(2, partition=1)
    world.advance(4 * DAY_MS + 600_000)
    assert world.committed(partition=0) == (-1, "")
    assert world.committed(partition=1) == (2, "")
    world.advance(3 * DAY_MS)
    assert world.state() == "Dead"
    assert world.replayed().contents() == world.shard.contents() == ({}, {})


def test_a_groups_offsets_expire_after_its_last_member_left() -> None:
    world = ShardWorld(**settings())
    (member,), generation = world.stable_group()
    world.commit(1, member_id=member, generation=generation)
    world.advance(DAY_MS)
    assert world.state() == "Empty", "its session has ended"
    world.advance(6 * DAY_MS - 600_000)
    assert world.committed() == (1, "")
    world.advance(2 * 600_000)
    assert world.state() == "Dead"


def test_offsets_of_a_living_group_stay_as_long_as_it_reads_the_topic() -> None:
    world = ShardWorld(**settings())
    long_session = {"session_ms": 1_800_000, "rebalance_ms": 1_800_000}
    (member,), generation = world.stable_group(
        protocols=[("range", subscription("access"))], **long_session
    )
    for topic in ("access", "errors"):
        world.commit(1, topic=topic, member_id=member, generation=generation)
    for _ in range(8 * 48 + 1):
        world.advance(1_799_000)
        assert world.heartbeat(member, generation) is ErrorCode.NONE
    assert world.committed("access") == (1, "")
    assert world.committed("errors") == (-1, ""), "not subscribed to"
    assert world.leave(member) is ErrorCode.NONE
    world.advance(6 * DAY_MS)
    assert world.committed("access") == (1, "")
    world.advance(DAY_MS + 600_000)
    assert world.state() == "Dead"


def test_an_old_client_says_how_long_to_keep_an_offset() -> None:
    world = ShardWorld(**settings())
    world.commit(1, version=4, retention_ms=30 * DAY_MS)
    world.commit(2, partition=1, version=4, retention_ms=1000)
    world.advance(600_000)
    assert world.committed(partition=1) == (-1, "")
    world.fail_over()
    world.advance(20 * DAY_MS)
    assert world.committed() == (1, "")
    world.advance(10 * DAY_MS)
    assert world.committed() == (-1, "")


def test_an_empty_group_without_offsets_goes_unless_someone_is_about_to_join() -> None:
    world = ShardWorld()
    world.advance(599_000)
    world.join()
    world.advance(1000)
    assert world.state() == "Empty"
    world.advance(600_000)
    assert world.state() == "Dead"


# ---- groups as a whole


def test_deleting_a_group() -> None:
    world = ShardWorld()
    (member,), generation = world.stable_group()
    world.commit(1, member_id=member, generation=generation)
    with pytest.raises(Exception, match="NON_EMPTY_GROUP"):
        world.shard.delete_group("payroll")
    with pytest.raises(Exception, match="GROUP_ID_NOT_FOUND"):
        world.shard.delete_group("other")
    world.leave(member)
    world.shard.delete_group("payroll")
    world.settle()
    assert world.state() == "Dead"
    assert world.committed() == (-1, "")
    assert world.replayed().contents() == world.shard.contents() == ({}, {})
    assert world.shard.next_deadline_s() == world.now.monotonic_s - 6.001 + 600


def test_describing_and_listing_groups() -> None:
    world = ShardWorld()
    members, _ = world.stable_group(1, client="console")
    world.commit(1, group="simple")
    described = world.shard.describe_group("payroll")
    (member,) = described.members
    assert (described.protocol_type, described.protocol_data) == ("consumer", "range")
    assert (member.member_id, member.client_id) == (members[0], "console")
    assert member.client_host == "/127.0.0.1"
    assert (member.member_metadata, member.member_assignment) == (
        b"\x00\x01",
        members[0].encode(),
    )
    listed = world.shard.list_groups((), ())
    assert [(g.group_id, g.group_state, g.protocol_type) for g in listed] == [
        ("payroll", "Stable", "consumer"),
        ("simple", "Empty", ""),
    ]
    assert [g.group_id for g in world.shard.list_groups(("empty",), ("classic",))] == ["simple"]
    assert world.shard.list_groups((), ("consumer",)) == []
    world.new_member()
    described = world.shard.describe_group("payroll")
    assert (described.group_state, described.protocol_data) == ("PreparingRebalance", "")
    assert all(m.member_metadata == m.member_assignment == b"" for m in described.members)
