"""A node in virtual time: a share group's offsets, resetting them, and deleting the group."""

from __future__ import annotations

from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages import alter_share_group_offsets as altering
from raftka.net.protocol.messages import describe_share_group_offsets as describing
from raftka.net.protocol.messages.delete_groups import DeleteGroupsRequest
from raftka.net.protocol.messages.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsRequestTopic,
)
from raftka.net.protocol.messages.list_groups import ListGroupsRequest
from raftka.net.protocol.messages.share_group_describe import ShareGroupDescribeRequest
from raftka.simulation import Stage
from tests.broker.share.test_share_story import Client, on_a_node
from tests.support.raw_client import RawClient, produced
from tests.support.share_member import Member


async def offsets(client: RawClient) -> list[tuple[int, int]]:
    """(start offset, lag) of the group's partitions."""
    wanted = describing.DescribeShareGroupOffsetsRequestGroup(group_id="g", topics=None)
    answer = await client.ask(describing.DescribeShareGroupOffsetsRequest(groups=[wanted]), 1)
    (group,) = answer.groups
    assert group.error_code == 0, group
    return [(each.start_offset, each.lag) for topic in group.topics for each in topic.partitions]


async def found(client: RawClient, topic: str | None) -> list[tuple[int, int, int]]:
    """(error, start offset, lag) of partition 0 of a topic, or of all that the group has."""
    wanted = describing.DescribeShareGroupOffsetsRequestGroup(group_id="g", topics=None)
    if topic is not None:
        first = describing.DescribeShareGroupOffsetsRequestTopic(topic_name=topic, partitions=[0])
        wanted = describing.DescribeShareGroupOffsetsRequestGroup(group_id="g", topics=[first])
    answer = await client.ask(describing.DescribeShareGroupOffsetsRequest(groups=[wanted]), 1)
    (group,) = answer.groups
    assert group.error_code == 0, group
    parts = [each for topic in group.topics for each in topic.partitions]
    return [(each.error_code, each.start_offset, each.lag) for each in parts]


async def alter(client: RawClient, offset: int) -> int:
    part = altering.AlterShareGroupOffsetsRequestPartition(partition_index=0, start_offset=offset)
    topic = altering.AlterShareGroupOffsetsRequestTopic(topic_name="t", partitions=[part])
    request = altering.AlterShareGroupOffsetsRequest(group_id="g", topics=[topic])
    return (await client.ask(request, 0)).error_code


def test_offsets_follow_acknowledgements_and_can_be_moved() -> None:
    async def story(stage: Stage, client: Client) -> None:
        member, admin = Member(await client("a")), await client("admin")
        await member.join()
        assert await offsets(admin) == [(-1, -1)], "the group has not begun"
        await member.take()
        for _ in range(4):
            await admin.ask(produced("t", 100), 9)
        assert await member.take(records=2) == [(0, 1, 1)]
        await member.acknowledge(1, 1)
        assert await offsets(admin) == [(0, 3)], "one of four is done"
        await member.acknowledge(0, 0)
        assert await offsets(admin) == [(2, 2)]
        assert await alter(admin, 0) == ErrorCode.NON_EMPTY_GROUP
        await member.leave()
        assert await alter(admin, 1) == 0
        assert await offsets(admin) == [(1, 3)]
        await member.join()
        assert await member.take(records=9) == [(1, 3, 1)], "its leader has read the state again"

    on_a_node(story)


def test_a_new_group_begins_where_an_administrator_says() -> None:
    async def story(stage: Stage, client: Client) -> None:
        member, admin = Member(await client("a")), await client("admin")
        await member.find_coordinator()
        for _ in range(3):
            await admin.ask(produced("t", 100), 9)
        # As Apache Kafka 4.4.0 answers: what is not there has no offsets, and that is no error.
        assert await found(admin, None) == []
        assert await found(admin, "t") == [(0, -1, -1)]
        assert await found(admin, "none") == [(0, -1, -1)]
        nothing = altering.AlterShareGroupOffsetsRequest(group_id="g", topics=[])
        assert (await admin.ask(nothing, 0)).error_code == 0
        listed = await admin.ask(ListGroupsRequest(types_filter=["share"]), 5)
        assert listed.groups == []
        assert await alter(admin, 1) == 0
        listed = await admin.ask(ListGroupsRequest(types_filter=["share"]), 5)
        assert [(each.group_id, each.group_state) for each in listed.groups] == [("g", "Empty")]
        assert await found(admin, None) == [(0, 1, 2)]
        await member.join()
        assert await member.take(records=9) == [(1, 2, 1)]
        nameless = altering.AlterShareGroupOffsetsRequest(group_id="", topics=[])
        assert (await admin.ask(nameless, 0)).error_code == ErrorCode.INVALID_GROUP_ID

    on_a_node(story)


def test_a_member_is_named_by_1_to_36_characters() -> None:
    async def story(stage: Stage, client: Client) -> None:
        await Member(await client("a"), "m" * 36).join()
        for wrong in ("", "m" * 37):
            answer = await Member(await client(wrong), wrong).heartbeat()
            assert answer.error_code == ErrorCode.INVALID_REQUEST
            assert "MemberId" in (answer.error_message or "")

    on_a_node(story)


def test_a_group_is_described_listed_and_deleted() -> None:
    async def story(stage: Stage, client: Client) -> None:
        member, admin = Member(await client("a")), await client("admin")
        await member.join()
        described = await admin.ask(ShareGroupDescribeRequest(group_ids=["g", "none"]), 1)
        group, missing = described.groups
        assert (group.group_state, group.assignor_name) == ("Stable", "simple")
        assert group.members[0].assignment.topic_partitions[0].topic_name == "t"
        assert missing.error_code == ErrorCode.GROUP_ID_NOT_FOUND
        listed = await admin.ask(ListGroupsRequest(types_filter=["share"]), 5)
        assert [(each.group_id, each.group_type) for each in listed.groups] == [("g", "share")]
        answer = await admin.ask(DeleteGroupsRequest(groups_names=["g"]), 2)
        assert answer.results[0].error_code == ErrorCode.NON_EMPTY_GROUP
        await member.leave()
        forget = DeleteShareGroupOffsetsRequest(
            group_id="g", topics=[DeleteShareGroupOffsetsRequestTopic(topic_name="t")]
        )
        assert (await admin.ask(forget, 0)).error_code == 0
        assert await offsets(admin) == []
        answer = await admin.ask(DeleteGroupsRequest(groups_names=["g"]), 2)
        assert answer.results[0].error_code == 0
        listed = await admin.ask(ListGroupsRequest(types_filter=["share"]), 5)
        assert listed.groups == []

    on_a_node(story)
