"""Nodes in virtual time: share group members over the wire, and state that outlives a leader."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from raftka.model.errors import ErrorCode
from raftka.simulation import Stage, run_scenario
from tests.support.raw_client import RawClient, connected, produced
from tests.support.share_member import Member

ACCEPT, RELEASE = 1, 2
Client = Callable[[str], Awaitable[RawClient]]


def on_a_node(story: Callable[[Stage, Client], Awaitable[None]], **settings: str) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.topic("t", replicas=1, min_insync_replicas="1")

        async def client(client_id: str) -> RawClient:
            return await connected(stage, stage.nodes[0], client_id)

        await story(stage, client)

    outcome = run_scenario(
        scenario,
        nodes=1,
        settings={
            "offsets.topic.replication.factor": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            **settings,
        },
    )
    assert outcome.violation is None, outcome.violation


def test_members_share_a_partition() -> None:
    async def story(stage: Stage, client: Client) -> None:
        one, other = Member(await client("a"), "a"), Member(await client("b"), "b")
        await one.join()
        await other.join()
        assert await one.take(max_wait_ms=500) == [], "it begins at the end"
        for _ in range(3):
            await one.client.ask(produced("t", 100), 9)
        assert await one.take(records=1) == [(0, 0, 1)]
        assert await other.take(records=1) == [(1, 1, 1)]
        answer = await one.acknowledge(0, 0)
        assert answer.responses[0].partitions[0].error_code == 0
        assert await other.take(records=5) == [(2, 2, 1)]
        answer = await one.acknowledge(1, 1)
        code = answer.responses[0].partitions[0].error_code
        assert code == ErrorCode.INVALID_RECORD_STATE
        await other.acknowledge(1, 2, RELEASE)
        assert await one.take(records=5) == [(1, 2, 2)]

    on_a_node(story)


def test_a_member_that_joins_is_answered_its_partitions_at_once() -> None:
    async def story(stage: Stage, client: Client) -> None:
        member = Member(await client("a"))
        await member.join()
        other = Member(await client("b"), "b", group="h")
        started = stage.now
        await other.heartbeat()
        assert other.assigned, "though nobody has begun the state of this group's partitions"
        assert stage.now - started < 1

    on_a_node(story)


def test_members_that_wait_get_each_record_once() -> None:
    async def story(stage: Stage, client: Client) -> None:
        members = [Member(await client(name), name) for name in "abc"]
        producer = await client("p")
        for member in members:
            await member.join()
            await member.take()
        got: list[int] = []

        async def work(member: Member) -> None:
            for _ in range(8):
                for first, last, count in await member.take(records=2):
                    assert count == 1
                    got.extend(range(first, last + 1))

        async with trio.open_nursery() as nursery:
            for member in members:
                nursery.start_soon(work, member)
            for _ in range(12):
                await producer.ask(produced("t", 100), 9)
        assert sorted(got) == list(range(12))

    on_a_node(story)
