"""What the handlers add to the service: the differences between the versions of each API."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing

import raftka.broker.auto_creation
from raftka.broker.handlers.delete_groups import delete_groups
from raftka.broker.handlers.describe_groups import describe_groups
from raftka.broker.handlers.find_coordinator import find_coordinator
from raftka.broker.handlers.heartbeat import heartbeat
from raftka.broker.handlers.join_group import join_group
from raftka.broker.handlers.leave_group import leave_group
from raftka.broker.handlers.list_groups import list_groups
from raftka.broker.handlers.offset_commit import offset_commit
from raftka.broker.handlers.offset_delete import offset_delete
from raftka.broker.handlers.offset_fetch import offset_fetch
from raftka.broker.handlers.sync_group import sync_group
from raftka.broker.node import Node
from raftka.kraft.image import (
    BrokerImage,
    ListenerEndpoint,
    MetadataImage,
    PartitionImage,
    TopicImage,
)
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import OFFSETS_TOPIC, SHARE_STATE_TOPIC, TRANSACTION_TOPIC
from raftka.model.ports import BrokenConnection
from raftka.net.protocol import codec
from raftka.net.protocol.messages.create_topics import CreatableTopic
from raftka.net.protocol.messages.delete_groups import DeleteGroupsRequest
from raftka.net.protocol.messages.describe_groups import DescribeGroupsRequest
from raftka.net.protocol.messages.find_coordinator import FindCoordinatorRequest
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest
from raftka.net.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from raftka.net.protocol.messages.leave_group import LeaveGroupRequest, MemberIdentity
from raftka.net.protocol.messages.list_groups import ListGroupsRequest
from raftka.net.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from raftka.net.protocol.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from raftka.net.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from raftka.net.protocol.messages.sync_group import SyncGroupRequest
from raftka.net.router import Context
from raftka.net.session import Session
from tests.support.group_service import GROUP, Answers, Coordinator
from tests.support.group_service import IMAGE as GROUP_IMAGE
from tests.support.offsets_log import MemoryOffsetsLog


@pytest.fixture
async def node(nursery: trio.Nursery) -> SimpleNamespace:
    coordinator = Coordinator(MemoryOffsetsLog(), nursery)
    await coordinator.lead()
    service = coordinator.service
    coordinators = SimpleNamespace(delete_group=service.delete_group)
    return SimpleNamespace(
        groups=service, coordinator=coordinator, coordinators=coordinators, image=GROUP_IMAGE
    )


def context(node: object, version: int) -> Context[Node]:
    session = Session("127.0.0.1:5000", "PLAIN")
    return Context(cast(Node, node), session, version, 1, "console", memoryview(b""))


def commit_request(offset: int = 7) -> OffsetCommitRequest:
    wanted = OffsetCommitRequestPartition(
        partition_index=1, committed_offset=offset, committed_metadata="note"
    )
    return OffsetCommitRequest(
        group_id=GROUP, topics=[OffsetCommitRequestTopic(name="access", partitions=[wanted])]
    )


async def test_offsets_of_one_group(node: SimpleNamespace) -> None:
    offset_commit(context(node, 8), commit_request())
    request = OffsetFetchRequest(
        group_id=GROUP,
        topics=[OffsetFetchRequestTopic(name="access", partition_indexes=[0, 1])],
    )
    answer = await offset_fetch(context(node, 5), request)
    first, second = answer.topics[0].partitions
    assert (first.committed_offset, second.committed_offset) == (-1, 7)
    assert second.metadata == "note"
    assert answer.groups == []


async def test_offsets_of_many_groups(node: SimpleNamespace) -> None:
    offset_commit(context(node, 8), commit_request())
    wanted = OffsetFetchRequestTopics(name="access", partition_indexes=[1])
    request = OffsetFetchRequest(
        groups=[
            OffsetFetchRequestGroup(group_id=GROUP, topics=None),
            OffsetFetchRequestGroup(group_id="none", topics=[wanted]),
        ]
    )
    answer = await offset_fetch(context(node, 8), request)
    found, none = answer.groups
    assert found.topics[0].partitions[0].committed_offset == 7
    assert (none.group_id, none.topics[0].partitions[0].committed_offset) == ("none", -1)


async def test_fetching_offsets_from_the_wrong_broker(node: SimpleNamespace) -> None:
    for partition in (0, 1):
        node.groups.on_partition_resigned(partition)
    topics = [OffsetFetchRequestTopic(name="access", partition_indexes=[1])]
    request = OffsetFetchRequest(group_id=GROUP, topics=topics)
    oldest = await offset_fetch(context(node, 1), request)
    assert oldest.topics[0].partitions[0].error_code == ErrorCode.NOT_COORDINATOR
    assert oldest.topics[0].partitions[0].committed_offset == -1
    older = await offset_fetch(context(node, 7), request)
    assert (older.error_code, older.topics) == (ErrorCode.NOT_COORDINATOR, [])
    many = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=GROUP, topics=None)])
    newer = await offset_fetch(context(node, 9), many)
    assert newer.groups[0].error_code == ErrorCode.NOT_COORDINATOR


async def test_deleting_offsets_and_groups(node: SimpleNamespace) -> None:
    offset_commit(context(node, 8), commit_request())
    wanted = OffsetDeleteRequestTopic(
        name="access", partitions=[OffsetDeleteRequestPartition(partition_index=1)]
    )
    request = OffsetDeleteRequest(group_id=GROUP, topics=[wanted])
    deleted = await offset_delete(context(node, 0), request)
    assert deleted.topics[0].partitions[0].error_code == ErrorCode.NONE
    twice = DeleteGroupsRequest(groups_names=[GROUP, "none", GROUP])
    answer = await delete_groups(context(node, 2), twice)
    assert [(result.group_id, result.error_code) for result in answer.results] == [
        (GROUP, ErrorCode.NONE),
        ("none", ErrorCode.GROUP_ID_NOT_FOUND),
    ]


async def test_describing_groups(node: SimpleNamespace) -> None:
    offset_commit(context(node, 8), commit_request())
    request = DescribeGroupsRequest(groups=[GROUP, "none"], include_authorized_operations=True)
    old = await describe_groups(context(node, 5), request)
    assert [(g.group_state, g.error_code) for g in old.groups] == [("Empty", 0), ("Dead", 0)]
    assert [group.authorized_operations for group in old.groups] == [3400, 3400]
    plain = DescribeGroupsRequest(groups=["none"])
    (new,) = (await describe_groups(context(node, 6), plain)).groups
    assert new.error_code == ErrorCode.GROUP_ID_NOT_FOUND
    assert new.authorized_operations == -(2**31)
    node.groups.on_partition_resigned(0)
    node.groups.on_partition_resigned(1)
    (lost,) = (await describe_groups(context(node, 6), plain)).groups
    assert lost.error_code == ErrorCode.NOT_COORDINATOR
    listed = await list_groups(context(node, 5), ListGroupsRequest())
    assert listed.groups == []


async def test_a_members_life(node: SimpleNamespace) -> None:
    request = JoinGroupRequest(
        group_id=GROUP,
        session_timeout=10_000,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=memoryview(b"\x00\x01"))],
    )
    joining = Answers(cast(Any, join_group(context(node, 0), request)))
    await trio.testing.wait_all_tasks_blocked()
    member_id, generation = joining.answer.member_id, joining.answer.generation_id
    assert member_id.startswith("console-")
    sync = SyncGroupRequest(group_id=GROUP, generation_id=generation, member_id=member_id)
    with pytest.raises(KafkaError, match="INCONSISTENT_GROUP_PROTOCOL"):
        sync_group(context(node, 5), sync)
    synced = Answers(sync_group(context(node, 4), sync))
    await trio.testing.wait_all_tasks_blocked()
    assert synced.code is ErrorCode.NONE
    beat = HeartbeatRequest(group_id=GROUP, generation_id=generation, member_id=member_id)
    assert heartbeat(context(node, 4), beat).error_code == ErrorCode.NONE
    described = await describe_groups(context(node, 5), DescribeGroupsRequest(groups=[GROUP]))
    assert described.groups[0].members[0].client_host == "/127.0.0.1"
    stranger = LeaveGroupRequest(group_id=GROUP, member_id="stranger")
    refused = await leave_group(context(node, 2), stranger)
    assert refused.error_code == ErrorCode.UNKNOWN_MEMBER_ID
    many = LeaveGroupRequest(
        group_id=GROUP, members=[MemberIdentity(member_id=m) for m in (member_id, "stranger")]
    )
    left = await leave_group(context(node, 3), many)
    assert left.error_code == ErrorCode.NONE
    assert [member.error_code for member in left.members] == [0, ErrorCode.UNKNOWN_MEMBER_ID]


@pytest.mark.parametrize("version", range(10))
async def test_every_version_can_spell_every_answer(node: SimpleNamespace, version: int) -> None:
    def join(member_id: str = "") -> Any:
        protocol = JoinGroupRequestProtocol(name="range", metadata=b"")
        request = JoinGroupRequest(
            group_id=GROUP,
            session_timeout=10_000,
            member_id=member_id,
            protocol_type="consumer",
            protocols=[protocol],
        )
        return Answers(cast(Any, join_group(context(node, version), request)))

    joined = join()
    await trio.testing.wait_all_tasks_blocked()
    if joined.code is ErrorCode.MEMBER_ID_REQUIRED:
        codec.encode(joined.answer, version)
        joined = join(joined.answer.member_id)
        await trio.testing.wait_all_tasks_blocked()
    assert joined.code is ErrorCode.NONE
    codec.encode(joined.answer, version)
    refused = join("stranger")
    assert refused.code is ErrorCode.UNKNOWN_MEMBER_ID
    codec.encode(refused.answer, version)
    sync_version = min(version, 5)
    sync = SyncGroupRequest(
        group_id=GROUP, member_id="stranger", protocol_type="consumer", protocol_name="range"
    )
    refused = Answers(sync_group(context(node, sync_version), sync))
    assert refused.code is ErrorCode.UNKNOWN_MEMBER_ID
    codec.encode(refused.answer, sync_version)


async def test_group_ids_that_no_record_can_hold_are_refused(node: SimpleNamespace) -> None:
    request = commit_request()
    request.group_id = "ü" * 20_000
    answers = Answers(cast(Any, offset_commit(context(node, 9), request)))
    assert answers.answer.topics[0].partitions[0].error_code == ErrorCode.INVALID_GROUP_ID


@pytest.mark.parametrize("member", ["", "stranger"])
@pytest.mark.parametrize("indexes", [(1, 99, -1), (99, -1)])
async def test_partitions_that_do_not_exist_are_refused_before_the_member_is_looked_at(
    node: SimpleNamespace, member: str, indexes: tuple[int, ...]
) -> None:
    """As Apache Kafka 4.4.0, in its order of partitions."""
    request = commit_request()
    request.member_id, request.generation_id_or_member_epoch = member, 5 if member else -1
    request.topics = [
        OffsetCommitRequestTopic(
            name=name,
            partitions=[OffsetCommitRequestPartition(partition_index=index) for index in indexes],
        )
        for name in ("nope", "access")
    ]
    returned = offset_commit(context(node, 8), request)
    if isinstance(returned, OffsetCommitResponse):
        answer: Any = returned
    else:
        answers = Answers(returned)
        await trio.testing.wait_all_tasks_blocked()
        answer = answers.answer
    found = {
        topic.name: {each.partition_index: each.error_code for each in topic.partitions}
        for topic in answer.topics
    }
    assert len(answer.topics) == 2
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert found["nope"] == dict.fromkeys(indexes, unknown)
    there = {1: ErrorCode.ILLEGAL_GENERATION if member else ErrorCode.NONE} if 1 in indexes else {}
    assert list(found["access"].items()) == [(99, unknown), (-1, unknown), *there.items()]


# ---- FindCoordinator


ENDPOINT = ListenerEndpoint("PLAIN", "broker-1", 9092, 0)
BROKER = BrokerImage(1, bytes(16), 1, (ENDPOINT,), fenced=False)
LED = PartitionImage(replicas=(1,), isr=(1,), leader=1)
LEADERLESS = dataclasses.replace(LED, leader=-1)


def found_by(image: MetadataImage, version: int, request: FindCoordinatorRequest) -> Any:
    """The answer on a node that has the offsets topic already."""
    node = SimpleNamespace(image=image)
    return trio.run(find_coordinator, context(node, version), request)


def test_a_topic_that_cannot_be_created_is_answered_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ask_controller(*_: Any, **__: Any) -> None:
        raise BrokenConnection("no controller is elected")

    async def why() -> str:
        return "no controller is active: voter 2 does not answer"

    monkeypatch.setattr(raftka.broker.auto_creation, "_creatable", lambda *_: CreatableTopic())
    node = SimpleNamespace(
        image=MetadataImage(),
        ask_controller=ask_controller,
        no_controller=SimpleNamespace(why=why),
    )
    request = FindCoordinatorRequest(coordinator_keys=["g"])
    answer = trio.run(find_coordinator, context(node, 4), request).coordinators[0]
    assert answer.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert answer.error_message == (
        "__consumer_offsets could not be created yet: "
        "no controller is active: voter 2 does not answer"
    )


def offsets_topic(partition: PartitionImage, **brokers: BrokerImage) -> MetadataImage:
    topic = TopicImage(OFFSETS_TOPIC, bytes(15) + b"\x01", [partition] * 3)
    return MetadataImage(
        topics={OFFSETS_TOPIC: topic}, brokers={each.broker_id: each for each in brokers.values()}
    )


def test_the_coordinator_is_the_partitions_leader() -> None:
    image = offsets_topic(LED, one=BROKER)
    alone = found_by(image, 3, FindCoordinatorRequest(key=GROUP))
    assert (alone.error_code, alone.node_id, alone.host, alone.port) == (0, 1, "broker-1", 9092)
    many = found_by(image, 4, FindCoordinatorRequest(coordinator_keys=[GROUP, ""]))
    assert [(each.key, each.node_id) for each in many.coordinators] == [(GROUP, 1), ("", 1)]


@pytest.mark.parametrize(
    "image",
    [
        offsets_topic(LEADERLESS, one=BROKER),
        offsets_topic(LED),
        offsets_topic(LED, one=dataclasses.replace(BROKER, fenced=True)),
        offsets_topic(LED, one=dataclasses.replace(BROKER, endpoints=())),
    ],
)
def test_a_coordinator_that_cannot_be_reached(image: MetadataImage) -> None:
    answer = found_by(image, 3, FindCoordinatorRequest(key=GROUP))
    assert answer.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert (answer.node_id, answer.host, answer.port) == (-1, "", -1)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("g:AAAAAAAAAAAAAAAAAAAAAQ:0", 0),
        ("g:AAAAAAAAAAAAAAAAAAAAAQ:-1", 0),
        ("g:AAAAAAAAAAAAAAAAAAAAAQ:+1", 0),
        ("a:b:AAAAAAAAAAAAAAAAAAAAAQ:0", 0),
        ("g:AAAAAAAAAAAAAAAAAAAAAQ:2147483648", ErrorCode.INVALID_REQUEST),
        ("g:AAAAAAAAAAAAAAAAAAAAAQ: 1", ErrorCode.INVALID_REQUEST),
        ("g:AAAAAAAAAAAAAAAAAAAAAQ:1_0", ErrorCode.INVALID_REQUEST),
        ("g:AAAAAAAAAAAAAAAAAAAAAQ:", ErrorCode.INVALID_REQUEST),
        ("g:x:0", ErrorCode.INVALID_REQUEST),
        (":AAAAAAAAAAAAAAAAAAAAAQ:0", ErrorCode.INVALID_REQUEST),
        ("g", ErrorCode.INVALID_REQUEST),
    ],
)
def test_share_partitions_are_named_as_kafka_takes_them(key: str, code: int) -> None:
    """Asked of Apache Kafka 4.4.0."""
    topic = TopicImage(SHARE_STATE_TOPIC, bytes(15) + b"\x03", [LED] * 3)
    image = MetadataImage(topics={SHARE_STATE_TOPIC: topic}, brokers={1: BROKER})
    request = FindCoordinatorRequest(coordinator_keys=[key], key_type=2)
    assert found_by(image, 6, request).coordinators[0].error_code == code


def test_transactional_ids_live_in_a_topic_of_their_own() -> None:
    topic = TopicImage(TRANSACTION_TOPIC, bytes(15) + b"\x02", [LED] * 3)
    image = MetadataImage(topics={TRANSACTION_TOPIC: topic}, brokers={1: BROKER})
    alone = found_by(image, 3, FindCoordinatorRequest(key="t", key_type=1))
    assert (alone.error_code, alone.node_id, alone.port) == (0, 1, 9092)
    many = found_by(image, 4, FindCoordinatorRequest(coordinator_keys=["t", "u"], key_type=1))
    assert [(each.key, each.node_id) for each in many.coordinators] == [("t", 1), ("u", 1)]


def test_there_are_no_coordinators_of_other_kinds() -> None:
    image = offsets_topic(LED, one=BROKER)
    unknown = found_by(image, 3, FindCoordinatorRequest(key="t", key_type=7))
    assert unknown.error_code == ErrorCode.INVALID_REQUEST


def test_the_offsets_topic_is_made_when_it_is_first_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    async def create(node: Any, topics: list[Any]) -> None:
        asked.append(topics)

    monkeypatch.setattr(raftka.broker.auto_creation, "_create", create)
    node = SimpleNamespace(image=MetadataImage(), config=SimpleNamespace(int=lambda name: 50))
    answer = trio.run(find_coordinator, context(node, 3), FindCoordinatorRequest(key=GROUP))
    assert answer.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    ((topic,),) = asked
    assert (topic.name, topic.num_partitions) == (OFFSETS_TOPIC, 50)
