"""A node in virtual time: a client over its quota is answered at once, and then not read from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import trio

from raftka.client.admin import QuotaType
from raftka.model.errors import ErrorCode
from raftka.net.protocol.message import Response
from raftka.net.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from raftka.net.protocol.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
)
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest
from raftka.simulation import Stage, run_scenario
from tests.support.raw_client import RawClient, connected, produced

R = TypeVar("R", bound=Response)
Quotas = Mapping[tuple[tuple[QuotaType, str | None], ...], Mapping[str, float | None]]
SLOW = ((QuotaType.CLIENT_ID, "slow"),)


def fetched(offset: int, session_id: int = 0, epoch: int = -1) -> FetchRequest:
    part = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
    return FetchRequest(
        max_wait=0, session_id=session_id, session_epoch=epoch,
        topics=[FetchTopic(topic="t", partitions=[part])],
    )  # fmt: skip


def size_of_records(answer: FetchResponse) -> int:
    records = answer.responses[0].partitions[0].records
    assert isinstance(records, bytes | bytearray | memoryview)
    return len(records)


def on_a_node(
    story: Callable[[Stage, Callable[[str], Awaitable[RawClient]]], Awaitable[None]],
    quotas: Quotas,
    **settings: str,
) -> None:
    """Run a story on one node with these quotas and a topic t."""

    async def scenario(stage: Stage) -> None:
        await stage.topic("t", replicas=1, min_insync_replicas="1")
        async with stage.admin() as admin:
            await admin.alter_client_quotas(quotas)
            assert await admin.describe_client_quotas() == quotas

        async def client(client_id: str) -> RawClient:
            return await connected(stage, stage.nodes[0], client_id)

        await story(stage, client)

    outcome = run_scenario(scenario, nodes=1, settings=settings)
    assert outcome.violation is None, outcome.violation


def test_a_producer_is_answered_at_once_and_its_next_request_waits() -> None:
    async def story(stage: Stage, client: Callable[[str], Awaitable[RawClient]]) -> None:
        slow, other = await client("slow"), await client("other")
        start = stage.now
        answer = await slow.ask(produced("t", 15_000), 9)
        assert stage.now - start < 0.5
        throttle_ms = answer.throttle_time
        assert 5_000 < throttle_ms < 5_400, "what is above 10,000 bytes in ten seconds"
        assert (await other.ask(produced("t", 15_000), 9)).throttle_time == 0
        start = stage.now
        again = await slow.ask(produced("t", 10, acks=-1), 9)
        assert throttle_ms / 1000 - 0.5 < stage.now - start < throttle_ms / 1000 + 0.5
        assert again.responses[0].partition_responses[0].error_code == 0
        assert again.throttle_time > 0, "it is all within the windows still, as with Kafka"

    on_a_node(story, {SLOW: {"producer_byte_rate": 1_000.0}})


def test_requests_that_came_together_wait_too() -> None:
    async def story(stage: Stage, client: Callable[[str], Awaitable[RawClient]]) -> None:
        slow = await client("slow")
        await slow.send((produced("t", 15_000, acks=0), 9), (HeartbeatRequest(group_id="g"), 4))
        start = stage.now
        await slow.answer(HeartbeatRequest.RESPONSE, 4)
        assert stage.now - start > 4.5

    on_a_node(story, {SLOW: {"producer_byte_rate": 1_000.0}})


def test_a_consumer_gets_an_empty_answer_and_then_its_records() -> None:
    async def story(stage: Stage, client: Callable[[str], Awaitable[RawClient]]) -> None:
        other, slow = await client("other"), await client("slow")
        for _ in range(3):
            await other.ask(produced("t", 6_000), 9)
        first = await slow.ask(fetched(0, epoch=0), 11)
        size = size_of_records(first)
        assert (first.throttle_time, size // 6_000) == (0, 1), "no more than ten seconds' worth"
        assert first.session_id
        second = await slow.ask(fetched(1, first.session_id, 1), 11)
        assert second.throttle_time > 0
        assert (second.responses, second.session_id) == ([], first.session_id)
        await trio.sleep(12)
        third = await slow.ask(fetched(1, first.session_id, 2), 11)
        assert third.throttle_time == 0
        assert size_of_records(third) > 6_000

    on_a_node(story, {SLOW: {"consumer_byte_rate": 1_000.0}})


def test_a_session_does_not_begin_with_an_answer_that_was_held_back() -> None:
    async def story(stage: Stage, client: Callable[[str], Awaitable[RawClient]]) -> None:
        other, slow = await client("other"), await client("slow")
        await other.ask(produced("t", 6_000), 9)
        await slow.ask(fetched(0), 11)
        held = await slow.ask(fetched(0, epoch=0), 11)
        assert held.throttle_time > 0
        assert (held.session_id, held.responses) == (0, [])

    on_a_node(story, {SLOW: {"consumer_byte_rate": 1_000.0}})


def test_changes_of_the_metadata_are_refused_to_new_clients_and_put_off_for_old_ones() -> None:
    def wish(name: str, partitions: int) -> CreateTopicsRequest:
        topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1)
        return CreateTopicsRequest(topics=[topic], timeout=5_000)

    async def story(stage: Stage, client: Callable[[str], Awaitable[RawClient]]) -> None:
        slow = await client("slow")
        first = await slow.ask(wish("a", 15), 7)
        assert (first.topics[0].error_code, first.throttle_time) == (0, 0)
        refused = await slow.ask(wish("b", 1), 7)
        assert refused.topics[0].error_code == ErrorCode.THROTTLING_QUOTA_EXCEEDED
        assert 3_000 < refused.throttle_time <= 4_000
        assert "b" not in stage.world.image.topics
        start = stage.now
        old = await slow.ask(wish("c", 2), 5)
        assert stage.now - start > refused.throttle_time / 1000 - 0.5, "the connection was mute"
        assert old.topics[0].error_code == 0
        assert 1_000 < old.throttle_time <= 2_000

    on_a_node(story, {SLOW: {"controller_mutation_rate": 1.0}})


def test_connections_too_many_are_held_and_then_closed() -> None:
    async def story(stage: Stage, client: Callable[[str], Awaitable[RawClient]]) -> None:
        clients = [await client("any") for _ in range(40)]
        start = stage.now
        with trio.fail_after(5):
            await clients[-1].closed()
        assert 0.4 < stage.now - start < 1.5
        await clients[0].ask(HeartbeatRequest(group_id="g"), 4)

    on_a_node(story, {((QuotaType.IP, None),): {"connection_creation_rate": 2.0}})


def test_quotas_survive_a_restart() -> None:
    async def story(stage: Stage, client: Callable[[str], Awaitable[RawClient]]) -> None:
        stage.kill(stage.nodes[0])
        await trio.sleep(1)
        stage.restart(stage.nodes[0])
        await stage.until(lambda: stage.has_leader("t"))
        async with stage.admin() as admin:
            assert await admin.describe_client_quotas() == {SLOW: {"producer_byte_rate": 1_000.0}}
        slow = await client("slow")
        assert (await slow.ask(produced("t", 15_000), 9)).throttle_time > 5_000

    on_a_node(story, {SLOW: {"producer_byte_rate": 1_000.0}})
