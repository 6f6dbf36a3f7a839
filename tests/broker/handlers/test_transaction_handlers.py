"""What the handlers of transactions add to the services: versions, names, who may ask for what."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
import trio
import trio.testing

from raftka.broker.handlers.add_offsets_to_txn import add_offsets_to_txn
from raftka.broker.handlers.add_partitions_to_txn import add_partitions_to_txn
from raftka.broker.handlers.end_txn import end_txn
from raftka.broker.handlers.init_producer_id import init_producer_id
from raftka.broker.handlers.list_transactions import list_transactions
from raftka.broker.handlers.offset_fetch import offset_fetch
from raftka.broker.handlers.txn_offset_commit import txn_offset_commit
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.control_records import EndMarker
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import OFFSETS_TOPIC, TopicPartition
from raftka.model.settings.config import Config
from raftka.net.protocol.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from raftka.net.protocol.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)
from raftka.net.protocol.messages.create_topics import (
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from raftka.net.protocol.messages.end_txn import EndTxnRequest
from raftka.net.protocol.messages.init_producer_id import InitProducerIdRequest
from raftka.net.protocol.messages.list_transactions import ListTransactionsRequest
from raftka.net.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from raftka.net.protocol.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from tests.support.both_coordinators import IMAGE, World
from tests.support.group_service import ACCESS, GROUP
from tests.support.group_service import PARTITION as GROUP_PARTITION
from tests.support.transactions import NAME, TOPICS

OK = ErrorCode.NONE


@pytest.fixture
async def world(nursery: trio.Nursery) -> World:
    found = World(nursery)
    await found.lead()
    return found


def topics(**names: list[int]) -> list[AddPartitionsToTxnTopic]:
    return [AddPartitionsToTxnTopic(name=n, partitions=p) for n, p in names.items()]


async def add_old(world: World, version: int, epoch: int, **names: list[int]) -> dict[Any, int]:
    request = AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=NAME,
        v3_and_below_producer_id=world.ids,
        v3_and_below_producer_epoch=epoch,
        v3_and_below_topics=topics(**names),
    )
    answer = await world.answered(add_partitions_to_txn(world.context(version), request))
    return {
        (topic.name, each.partition_index): each.partition_error_code
        for topic in answer.results_by_topic_v3_and_below
        for each in topic.results_by_partition
    }


async def test_partitions_join_all_or_none(world: World) -> None:
    await world.begin()
    found = await add_old(world, 3, 0, t=[0, 9], nowhere=[0], **{OFFSETS_TOPIC: [0]})
    assert found == {
        ("t", 0): ErrorCode.OPERATION_NOT_ATTEMPTED,
        ("t", 9): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ("nowhere", 0): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        (OFFSETS_TOPIC, 0): ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    }
    assert await add_old(world, 3, 0, t=[0, 1]) == {("t", 0): OK, ("t", 1): OK}


@pytest.mark.parametrize(
    ("version", "code"),
    [(1, ErrorCode.INVALID_PRODUCER_EPOCH), (2, ErrorCode.PRODUCER_FENCED)],
)
async def test_a_zombie_is_fenced_in_words_that_it_knows(
    world: World, version: int, code: ErrorCode
) -> None:
    await world.begin()
    await world.begin()
    assert await add_old(world, version, 0, t=[0]) == {("t", 0): code}
    offsets = AddOffsetsToTxnRequest(
        transactional_id=NAME, producer_id=world.ids, producer_epoch=0, group_id=GROUP
    )
    assert (await add_offsets_to_txn(world.context(version), offsets)).error_code == code
    ending = EndTxnRequest(transactional_id=NAME, producer_id=world.ids, producer_epoch=0)
    assert (await end_txn(world.context(version), ending)).error_code == code


async def test_a_group_that_nobody_has_looked_for_yet_gets_its_topic(world: World) -> None:
    """As a producer does that is the first client of the cluster to name any group."""
    producer_id, epoch = await world.begin()
    groups = world.groups.service
    groups.publish(MetadataImage(topics=TOPICS), MetadataDelta(IMAGE))
    world.node.image = MetadataImage(topics=TOPICS)
    count = {"offsets.topic.num.partitions": 2}
    world.node.config = Config({}, {}, {}, hostname=str, values=count)

    async def create(request: CreateTopicsRequest, *, timeout_s: float) -> CreateTopicsResponse:
        (wanted,) = request.topics
        assert (wanted.name, wanted.num_partitions) == (OFFSETS_TOPIC, 2)
        world.node.image = IMAGE
        groups.publish(IMAGE, MetadataDelta(EMPTY_IMAGE))
        return CreateTopicsResponse(topics=[CreatableTopicResult(name=wanted.name)])

    world.node.ask_controller = create
    world.node.loader = SimpleNamespace(wait_until=AsyncMock())
    request = AddOffsetsToTxnRequest(
        transactional_id=NAME, producer_id=producer_id, producer_epoch=epoch, group_id=GROUP
    )
    assert (await add_offsets_to_txn(world.context(3), request)).error_code == OK
    found = await world.transactions.describe(NAME)
    assert [(t.topic, t.partitions) for t in found.topics] == [(OFFSETS_TOPIC, [GROUP_PARTITION])]


async def test_brokers_ask_for_many_transactions_at_once(world: World) -> None:
    first = await world.begin()
    second = await world.begin("other")

    async def ask(version: int, *, verify_only: bool, index: int) -> dict[str, list[int]]:
        request = AddPartitionsToTxnRequest(
            transactions=[
                AddPartitionsToTxnTransaction(
                    transactional_id=name,
                    producer_id=producer_id,
                    producer_epoch=epoch,
                    verify_only=verify_only,
                    topics=topics(t=[0, index]),
                )
                for name, (producer_id, epoch) in ((NAME, first), ("other", second))
            ]
        )
        answer = await world.answered(add_partitions_to_txn(world.context(version), request))
        return {
            result.transactional_id: [
                each.partition_error_code for each in result.topic_results[0].results_by_partition
            ]
            for result in answer.results_by_transaction
        }

    both = [OK, OK]
    assert await ask(4, verify_only=False, index=1) == {NAME: both, "other": both}
    not_in = [OK, ErrorCode.TRANSACTION_ABORTABLE]
    assert await ask(5, verify_only=True, index=2) == {NAME: not_in, "other": not_in}
    assert await ask(4, verify_only=True, index=2) == {NAME: not_in, "other": not_in}
    empty = add_partitions_to_txn(world.context(5), AddPartitionsToTxnRequest())
    assert (await world.answered(empty)).results_by_transaction == []


async def commit_offset(
    world: World, version: int, *, topic_id: bytes = ACCESS.topic_id, epoch: int = 0
) -> tuple[bytes, int]:
    wanted = TxnOffsetCommitRequestPartition(partition_index=1, committed_offset=7)
    topic = TxnOffsetCommitRequestTopic(partitions=[wanted])
    if version >= 6:
        topic.topic_id = topic_id
    else:
        topic.name = ACCESS.name
    request = TxnOffsetCommitRequest(
        transactional_id=NAME,
        group_id=GROUP,
        producer_id=7,
        producer_epoch=epoch,
        topics=[topic],
    )
    answer = await world.answered(txn_offset_commit(world.context(version), request))
    (found,) = answer.topics
    return bytes(found.topic_id), found.partitions[0].error_code


@pytest.mark.parametrize(("version", "verify_only"), [(0, True), (4, True), (5, False), (6, False)])
async def test_offsets_join_or_are_verified_and_count_at_the_end(
    world: World, version: int, verify_only: bool
) -> None:
    _, code = await commit_offset(world, version)
    assert code == OK
    (question,) = world.joined
    assert question.verify_only is verify_only
    assert question.partitions == {TopicPartition(OFFSETS_TOPIC, GROUP_PARTITION)}

    async def fetch(version: int, *, stable: bool) -> tuple[int, int]:
        topics = [OffsetFetchRequestTopics(name=ACCESS.name, partition_indexes=[1])]
        request = OffsetFetchRequest(
            groups=[OffsetFetchRequestGroup(group_id=GROUP, topics=topics)], require_stable=stable
        )
        answer = await offset_fetch(world.context(version), request)
        found = answer.groups[0].topics[0].partitions[0]
        return found.committed_offset, found.error_code

    assert await fetch(8, stable=True) == (-1, ErrorCode.UNSTABLE_OFFSET_COMMIT)
    assert await fetch(8, stable=False) == (-1, OK)
    done: list[KafkaError | None] = []
    world.node.groups.complete_transaction(
        GROUP_PARTITION, EndMarker(7, 1, True, 3), 2, done.append
    )
    await trio.testing.wait_all_tasks_blocked()
    assert done == [None]
    assert await fetch(9, stable=True) == (7, OK)


@pytest.mark.parametrize(
    ("code", "version", "answer"),
    [
        (ErrorCode.NOT_COORDINATOR, 5, ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 5, ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (ErrorCode.CONCURRENT_TRANSACTIONS, 4, ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (ErrorCode.CONCURRENT_TRANSACTIONS, 5, ErrorCode.CONCURRENT_TRANSACTIONS),
        (ErrorCode.TRANSACTION_ABORTABLE, 3, ErrorCode.INVALID_TXN_STATE),
        (ErrorCode.TRANSACTION_ABORTABLE, 4, ErrorCode.TRANSACTION_ABORTABLE),
        (ErrorCode.PRODUCER_FENCED, 5, ErrorCode.INVALID_PRODUCER_EPOCH),
        (ErrorCode.INVALID_PRODUCER_ID_MAPPING, 3, ErrorCode.INVALID_PRODUCER_ID_MAPPING),
    ],
)
async def test_what_the_transactions_coordinator_says(
    world: World, code: ErrorCode, version: int, answer: ErrorCode
) -> None:
    world.code = code
    assert (await commit_offset(world, version))[1] == answer


async def test_a_transaction_that_has_offsets_here_is_not_asked_for_again(world: World) -> None:
    world.is_open = True
    world.code = ErrorCode.TRANSACTION_ABORTABLE
    assert (await commit_offset(world, 5))[1] == OK
    assert world.joined == []


async def test_a_follower_has_nobody_join_a_transaction(world: World) -> None:
    world.state.is_leader = False
    assert (await commit_offset(world, 5))[1] == ErrorCode.NOT_COORDINATOR
    assert world.joined == []


async def test_a_group_needs_a_name_whatever_the_transaction_is(world: World) -> None:
    world.code = ErrorCode.TRANSACTION_ABORTABLE
    wanted = TxnOffsetCommitRequestPartition(partition_index=1)
    topic = TxnOffsetCommitRequestTopic(name=ACCESS.name, partitions=[wanted])
    request = TxnOffsetCommitRequest(transactional_id=NAME, topics=[topic])
    answer = await world.answered(txn_offset_commit(world.context(5), request))
    assert answer.topics[0].partitions[0].error_code == ErrorCode.INVALID_GROUP_ID


@pytest.mark.parametrize("code", [OK, ErrorCode.INVALID_TXN_STATE, ErrorCode.PRODUCER_FENCED])
@pytest.mark.parametrize("group", [GROUP, ""])
async def test_partitions_that_do_not_exist_are_refused_before_all_else(
    world: World, code: ErrorCode, group: str
) -> None:
    """As Apache Kafka 4.4.0: topics are looked up before the group's name and the transaction."""
    world.code = code
    topics = [
        TxnOffsetCommitRequestTopic(
            name=name,
            partitions=[
                TxnOffsetCommitRequestPartition(partition_index=index) for index in (0, 99, -1)
            ],
        )
        for name in ("nope", ACCESS.name, "a b")
    ]
    request = TxnOffsetCommitRequest(
        transactional_id=NAME, group_id=group, producer_id=7, topics=topics
    )
    answer = await world.answered(txn_offset_commit(world.context(5), request))
    found = {
        topic.name: [(each.partition_index, each.error_code) for each in topic.partitions]
        for topic in answer.topics
    }
    assert len(answer.topics) == 3
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert found["nope"] == found["a b"] == [(0, unknown), (99, unknown), (-1, unknown)]
    assert found[ACCESS.name][:2] == [(99, unknown), (-1, unknown)]
    ((index, outcome),) = found[ACCESS.name][2:]
    assert index == 0 and outcome != unknown and (outcome == OK) == (code == OK and group == GROUP)


async def test_an_empty_id_is_no_matter_of_who_coordinates(world: World) -> None:
    for partition in range(3):
        world.transactions.on_partition_resigned(partition)
    init = await init_producer_id(world.context(5), InitProducerIdRequest(transactional_id=""))
    end = await end_txn(world.context(5), EndTxnRequest(transactional_id=""))
    assert init.error_code == end.error_code == ErrorCode.INVALID_REQUEST


async def test_topics_by_id(world: World) -> None:
    assert await commit_offset(world, 6) == (ACCESS.topic_id, OK)
    unknown = bytes(15) + b"\x77"
    assert await commit_offset(world, 6, topic_id=unknown) == (unknown, ErrorCode.UNKNOWN_TOPIC_ID)


async def test_what_the_log_refuses_of_a_producer_it_alone_hears(world: World) -> None:
    world.groups.log.refuses = lambda entry: ErrorCode.INVALID_PRODUCER_EPOCH
    assert (await commit_offset(world, 5))[1] == ErrorCode.INVALID_PRODUCER_EPOCH
    world.groups.log.refuses = lambda entry: None
    assert (await commit_offset(world, 5))[1] == OK


@pytest.mark.parametrize("version", [1, 2])
async def test_a_coordinator_that_loads(world: World, version: int) -> None:
    world.node.groups.on_partition_resigned(GROUP_PARTITION)
    world.node.groups.on_partition_elected(GROUP_PARTITION, 2)
    assert (await commit_offset(world, version))[1] == (
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        if version >= 2
        else ErrorCode.COORDINATOR_NOT_AVAILABLE
    )


async def test_names_by_pattern_are_matched_as_a_whole_and_in_linear_time(world: World) -> None:
    for name in ("orders-1", "orders-2", "a" * 40):
        await world.begin(name)

    async def names(pattern: str | None) -> list[str]:
        request = ListTransactionsRequest(transactional_id_pattern=pattern)
        answer = await list_transactions(world.context(2), request)
        return sorted(each.transactional_id for each in answer.transaction_states)

    assert await names("orders-[0-9]") == ["orders-1", "orders-2"]
    assert await names("orders") == []
    assert len(await names(None)) == len(await names("")) == 3
    assert await names("(a*)*b") == [], "a backtracking engine would not come back"
    with pytest.raises(KafkaError, match="missing") as refused:
        await names("(")
    assert refused.value.code is ErrorCode.INVALID_REGULAR_EXPRESSION


async def test_an_id_and_its_epoch_come_together(world: World) -> None:
    for producer_id, epoch in ((5, -1), (-1, 5)):
        request = InitProducerIdRequest(
            transactional_id=NAME, producer_id=producer_id, producer_epoch=epoch
        )
        answer = await init_producer_id(world.context(5), request)
        assert answer.error_code == ErrorCode.INVALID_REQUEST
