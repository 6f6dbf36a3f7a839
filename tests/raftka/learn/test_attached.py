"""`raftka learn --attach`: the answers to a page about running nodes."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from raftka.client.admin.recorders import RecorderContent
from raftka.learn.attached import MESSAGES_MAX, Attached, endpoint_of
from raftka.model.ids import Endpoint
from raftka.testing import Cluster
from raftka.top.sample import Sample

pytestmark = pytest.mark.wire


async def until(attached: Attached, request: dict[str, Any], holds: Any) -> dict[str, Any]:
    while True:
        answer = await attached.handle(request)
        if answer["ok"] and holds(answer):
            return answer
        await trio.sleep(0.1)


async def test_the_console_and_the_recorders_of_a_cluster() -> None:
    confluent_kafka = pytest.importorskip("confluent_kafka")
    with trio.fail_after(90), Cluster(nodes=1) as cluster:
        cluster.create_topic("orders", partitions=2, configs={"retention.ms": "12345678"})
        producer = confluent_kafka.Producer({"bootstrap.servers": cluster.bootstrap_servers})
        for number in range(MESSAGES_MAX + 20):
            producer.produce("orders", value=f"<i>{number}</i>", partition=1)
        producer.produce("orders", key=b"\x1b", value=b"\xff" * 9000, partition=1)
        assert await trio.to_thread.run_sync(producer.flush, 20) == 0
        async with Attached(cluster.bootstrap_servers, {}) as attached:
            answer = await until(attached, {"id": 1, "op": "look"}, lambda it: it["look"]["topics"])
            look = answer["look"]
            assert answer["id"] == 1 and look["controller"] == 1
            assert [each["id"] for each in look["brokers"]] == [1]
            led = [each for each in look["partitions"] if each["topic"] == "orders"]
            assert [(each["leader"], each["isr"]) for each in led] == [(1, [1])] * 2
            assert led[1]["end"] == MESSAGES_MAX + 21

            found = await attached.handle({"op": "configs", "topic": "orders"})
            rows = {each["name"]: each for each in found["configs"]}
            assert rows["retention.ms"] == {
                "name": "retention.ms",
                "value": "12345678",
                "sensitive": False,
                "set": True,
            }
            assert (await attached.handle({"op": "configs", "broker": 1}))["configs"]

            found = await attached.handle({"op": "messages", "partition": "orders-1"})
            assert len(found["messages"]) == MESSAGES_MAX
            last = found["messages"][-1]
            assert last["offset"] == MESSAGES_MAX + 20 and last["size"] == 9000
            assert last["key"] == "\\x1b" and len(last["value"]) < 2100
            assert found["messages"][-2]["value"] == f"<i>{MESSAGES_MAX + 19}</i>"
            empty = await attached.handle({"op": "messages", "partition": "orders-0"})
            assert empty["ok"] and empty["messages"] == []

            trace = await attached.handle({"op": "trace"})
            assert any(each["kind"] == "leader-elected" for each in trace["trace"])
            again = await attached.handle({"op": "trace", "have": trace["stamp"]})
            assert again["ok"] and "trace" not in again

            for wrong in (
                7,
                {"op": "drop"},
                {"op": "messages", "partition": "../x"},
                {"op": "configs"},
                {"op": "configs", "broker": True},
                {"op": "messages", "partition": "nowhere-0"},
            ):
                answer = await attached.handle(wrong)
                assert answer["ok"] is False and answer["error"]["message"], wrong


async def test_a_cluster_that_does_not_answer_is_an_answer() -> None:
    with trio.fail_after(60):
        async with Attached("127.0.0.1:1", {}) as attached:
            answer = await attached.handle({"id": "a", "op": "look"})
    assert answer["id"] == "a" and answer["error"]["code"] == "unreachable"


async def test_pages_share_a_look_a_second(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    asked: list[str] = []

    async def take(*_: object) -> Sample:
        asked.append("look")
        await trio.sleep(0.1)
        return Sample(0.0, "c", 1, 1, (), {}, {}, {})

    async def contents(
        config: object, endpoints: list[Endpoint], **_: object
    ) -> dict[Endpoint, RecorderContent | str]:
        asked.append("recorders")
        await trio.sleep(0.1)
        return {each: RecorderContent(1) for each in endpoints}

    monkeypatch.setattr("raftka.learn.attached.take", take)
    monkeypatch.setattr("raftka.learn.attached.recorder_contents", contents)
    attached = Attached("127.0.0.1:1", {})

    async def page(op: str) -> None:
        for _ in range(2):
            assert (await attached.handle({"op": op, "have": "1:0"}))["ok"]
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(page, "look")
            nursery.start_soon(page, "trace")
    assert sorted(asked) == ["look"] * 2 + ["recorders"] * 2


def test_addresses_are_host_and_port() -> None:
    assert endpoint_of("[::1]:9092") == Endpoint("::1", 9092)
    for wrong in ("nonsense", ":9092", "host:", "host:99999"):
        with pytest.raises(ValueError, match="HOST:PORT"):
            endpoint_of(wrong)
