"""How long an admin client retries, and with which message it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from raftka.client.admin import Admin, NewTopic, SomeFailed
from raftka.client.consumer import Consumer
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages.create_topics import (
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from raftka.net.protocol.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from raftka.net.protocol.messages.list_groups import ListGroupsRequest
from tests.support import scripted_cluster
from tests.support.scripted_cluster import ScriptedCluster

BOOTSTRAP = {"bootstrap.servers": "b1:9092"}
NO_CONTROLLER = "no controller is active: voters 2 and 3 do not answer"


def failing(
    code: ErrorCode, words: str, takes_s: float, times: int = 1_000_000
) -> tuple[Callable[[], Awaitable[str]], list[float]]:
    """An attempt that fails so many times, and the times of its calls."""
    asked: list[float] = []

    async def attempt() -> str:
        asked.append(trio.current_time())
        await trio.sleep(takes_s)
        if len(asked) <= times:
            raise KafkaError(code, words)
        return "done"

    return attempt, asked


async def test_a_broker_without_a_controller_is_asked_twice(
    cluster: ScriptedCluster,
    world: dict[str, Any],
    autojump_clock: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempt, asked = failing(ErrorCode.REQUEST_TIMED_OUT, NO_CONTROLLER, 10)
    async with Admin(BOOTSTRAP, **world) as admin:
        with pytest.raises(KafkaError, match=NO_CONTROLLER) as caught:
            await admin.retrying(attempt)
    assert caught.value.code == ErrorCode.REQUEST_TIMED_OUT
    assert len(asked) == 2
    warned = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warned == [f"trying again: {NO_CONTROLLER}"]


async def test_a_controller_that_is_elected_meanwhile_serves_the_second_attempt(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    attempt, asked = failing(ErrorCode.REQUEST_TIMED_OUT, NO_CONTROLLER, 10, times=1)
    async with Admin(BOOTSTRAP, **world) as admin:
        assert await admin.retrying(attempt) == "done"
    assert len(asked) == 2


async def test_an_attempt_cut_short_ends_with_the_words_of_the_one_before(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    attempt, _ = failing(ErrorCode.REQUEST_TIMED_OUT, NO_CONTROLLER, 10)
    async with Admin({**BOOTSTRAP, "default.api.timeout.ms": 15_000}, **world) as admin:
        begun = trio.current_time()
        with pytest.raises(KafkaError, match=NO_CONTROLLER):
            await admin.retrying(attempt)
        assert trio.current_time() - begun == pytest.approx(15, abs=1e-3)


async def test_an_error_that_does_not_pass_is_said_once_while_it_is_retried(
    cluster: ScriptedCluster,
    world: dict[str, Any],
    autojump_clock: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempt, asked = failing(ErrorCode.LEADER_NOT_AVAILABLE, "no leader", 0)
    async with Admin({**BOOTSTRAP, "default.api.timeout.ms": 30_000}, **world) as admin:
        with pytest.raises(KafkaError, match="no leader"):
            await admin.retrying(attempt)
    assert len(asked) > 10
    warned = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warned == ["trying again: no leader"]


def creating(
    cluster: ScriptedCluster, monkeypatch: pytest.MonkeyPatch, rounds: list[dict[str, ErrorCode]]
) -> list[CreateTopicsRequest]:
    """Let brokers answer CreateTopics with these codes by topic; returns their requests."""
    asked: list[CreateTopicsRequest] = []
    others = cluster._answer

    def answer(broker: int, request: Request[Any], *, failing: bool) -> Response:
        if not isinstance(request, CreateTopicsRequest):
            return others(broker, request, failing=failing)
        asked.append(request)
        codes = rounds[min(len(asked), len(rounds)) - 1]
        topics = [CreatableTopicResult(name=n, error_code=int(c)) for n, c in codes.items()]
        return CreateTopicsResponse(topics=topics)

    monkeypatch.setattr(cluster, "_answer", answer)
    served = (*scripted_cluster.SERVED, CreateTopicsRequest)
    monkeypatch.setattr(scripted_cluster, "SERVED", served)
    return asked


RESIGNED = {"a": ErrorCode.NOT_CONTROLLER, "b": ErrorCode.NOT_CONTROLLER}


async def test_a_request_whose_controller_resigned_goes_to_the_next_one(
    cluster: ScriptedCluster,
    world: dict[str, Any],
    autojump_clock: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = dict.fromkeys(RESIGNED, ErrorCode.NONE)
    asked = creating(cluster, monkeypatch, [RESIGNED, RESIGNED, done])
    async with Admin(BOOTSTRAP, **world) as admin:
        created = await admin.create_topics([NewTopic("a"), NewTopic("b")])
    assert sorted(created) == ["a", "b"]
    assert len(asked) == 3


async def test_what_one_controller_has_done_is_not_asked_of_the_next(
    cluster: ScriptedCluster,
    world: dict[str, Any],
    autojump_clock: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = creating(cluster, monkeypatch, [{**RESIGNED, "a": ErrorCode.NONE}])
    async with Admin(BOOTSTRAP, **world) as admin:
        with pytest.raises(SomeFailed) as caught:
            await admin.create_topics([NewTopic("a"), NewTopic("b")])
    assert caught.value.code == ErrorCode.NOT_CONTROLLER
    assert len(asked) == 1


async def test_controllers_that_all_resign_are_asked_until_the_time_is_over(
    cluster: ScriptedCluster,
    world: dict[str, Any],
    autojump_clock: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = creating(cluster, monkeypatch, [RESIGNED])
    async with Admin({**BOOTSTRAP, "default.api.timeout.ms": 8_000}, **world) as admin:
        with pytest.raises(KafkaError, match="resigned before it had decided"):
            await admin.create_topics([NewTopic("a"), NewTopic("b")])
    assert len(asked) > 3
    assert trio.current_time() >= 8


@pytest.mark.parametrize("ask", ["describe", "offsets"])
async def test_a_group_without_a_coordinator_ends_with_the_brokers_words(
    cluster: ScriptedCluster,
    world: dict[str, Any],
    autojump_clock: object,
    monkeypatch: pytest.MonkeyPatch,
    ask: str,
) -> None:
    async def answer(request: Request[Any]) -> Response:
        assert isinstance(request, FindCoordinatorRequest)
        return FindCoordinatorResponse(
            coordinators=[
                Coordinator(
                    key="g",
                    node_id=-1,
                    error_code=ErrorCode.COORDINATOR_NOT_AVAILABLE,
                    error_message="the topic could not be created yet",
                )
            ]
        )

    monkeypatch.setattr(cluster.group, "answer", answer)
    async with Admin({**BOOTSTRAP, "default.api.timeout.ms": 8_000}, **world) as admin:
        with pytest.raises(KafkaError, match="the topic could not be created yet"):
            if ask == "describe":
                await admin.describe_groups(["g"])
            else:
                await admin.list_group_offsets("g")


async def test_a_coordinator_that_cannot_be_reached_is_named(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    cluster.kill(1)
    settings = {"bootstrap.servers": "b2:9092", "default.api.timeout.ms": 8_000}
    async with Admin(settings, **world) as admin:
        with pytest.raises(KafkaError, match="broker 1, the coordinator of group g, cannot be"):
            await admin.list_group_offsets("g")


async def test_a_broker_that_cannot_be_reached_is_named(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object
) -> None:
    async with Admin({**BOOTSTRAP, "default.api.timeout.ms": 8_000}, **world) as admin:
        await admin.know_brokers()
        cluster.network.kill("b1", 9092)
        await trio.sleep(1)
        with pytest.raises(KafkaError, match=r"broker 1 \(b1:9092\) does not answer: .*b1:9092"):
            await admin.ask_broker(1, ListGroupsRequest())


async def test_a_consumer_looks_for_its_coordinator_as_long_as_it_takes(
    cluster: ScriptedCluster, world: dict[str, Any], autojump_clock: object, nursery: trio.Nursery
) -> None:
    cluster.create("t")
    cluster.kill(1)

    async def come_back() -> None:
        await trio.sleep(20)
        cluster.start(1)

    nursery.start_soon(come_back)
    settings = {"bootstrap.servers": "b2:9092", "group.id": "g"}
    target = TopicPartition("t", 0)
    async with Consumer(settings, **world) as consumer:
        consumer.assign([target])
        assert await consumer.committed([target]) == {}
    assert trio.current_time() >= 20
