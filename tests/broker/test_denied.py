"""A whole node under an authorizer that allows nothing: no API serves a user without permissions.

Each route of the table is asked in each version, with requests that name a topic and a group that
exist. They are filled in by the names of their fields, so that a new API is tried as it comes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from raftka.broker.node import Node
from raftka.broker.routes import routes
from raftka.client.group_offsets import OffsetAndMetadata
from raftka.model.access import ANONYMOUS, REFUSALS, Principal
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from raftka.model.records import Record, encode_batch
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol.layout import Shape, Slot, shape_of
from raftka.net.protocol.message import Struct
from raftka.net.protocol.messages.describe_cluster import (
    DescribeClusterRequest,
    MetadataLogAfter,
    RecorderAfter,
)
from raftka.net.router import Listener, Route
from raftka.net.session import Session
from raftka.simulations.scenarios.stage import Stage, run_scenario
from tests.support.asking import Answer, ask

TOPIC, GROUP = "salaries", "payroll"
NOBODY = Principal("User", "nobody")
SETTINGS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
REFUSED: Final = frozenset(
    int(code)
    # Delegation tokens are for authenticated users, and no user here is.
    for code in (*REFUSALS.values(), ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED)
)
SHOWS_NODES: Final = {"ApiVersions", "Metadata", "DescribeCluster"}
"""APIs for everyone: Apache Kafka lists its nodes to every client that may connect."""
FILTERED: Final = {"ListGroups", "ListTransactions"}
"""APIs whose answers omit forbidden items without an error."""
NO_ROOM: Final = {("DescribeLogDirs", 1), ("DescribeLogDirs", 2)}
"""Versions without a place for an error: they show nothing."""
NO_SASL: Final = {"SaslHandshake", "SaslAuthenticate"}
TELEMETRY: Final = {"GetTelemetrySubscriptions", "PushTelemetry"}
"""A client's own metrics need no permission (KIP-714), and show nothing of the cluster."""


class Filler:
    """Makes requests that name existing items, or that name none and so ask for all."""

    def __init__(self, topic_id: bytes, *, names: bool, by_id: bool = False) -> None:
        """`by_id`: name topics by their ids where their names would do as well."""
        self._names = names
        self._by_id = by_id
        self._topic_id = topic_id
        self._records = encode_batch([Record(0, 1000, b"k", b"v", ())], base_offset=0)

    def fill(self, shape: Shape) -> Struct:
        message = shape.cls()
        slots = {slot.name: slot for slot in (*shape.plain, *shape.tagged)}
        if "name" in slots and "topic_id" in slots:
            del slots["name" if self._by_id else "topic_id"]
        for slot in slots.values():
            value = self._value(slot)
            if value is not None:
                setattr(message, slot.name, value)
        return message

    def _value(self, slot: Slot) -> Any:
        if slot.is_array:
            if not self._names or slot.name == "forgotten_topics_data":
                return None if slot.nullable else []
            single = self._single(slot)
            return None if single is None else [single]
        return self._single(slot)

    def _single(self, slot: Slot) -> Any:
        if slot.shape is not None:
            return self.fill(slot.shape)
        name = slot.name
        if slot.type == "string" and self._names:
            if "group" in name or ("key" in name and "config" not in name):
                return GROUP
            if "topic" in name or name in ("name", "resource_name"):
                return TOPIC
            return "protocol" if not slot.nullable else None
        if slot.type == "uuid" and name == "topic_id" and self._names:
            return self._topic_id
        if slot.type == "records":
            return self._records
        known = {
            "acks": 1,
            "resource_type": 2,
            "max_bytes": 1000,
            "replica_id": -1,
            "partition_indexes": 0,
            "partitions": 0,
            "timeout": 1000,
        }
        if slot.type.startswith("int") and name in known:
            return known[name]
        return {"uuid": bytes(16), "bytes": b""}.get(slot.type, 0) if slot.is_array else None


def denies(answer: Struct) -> bool:
    """Whether an answer, or each of the things that it is about, is refused."""
    code = getattr(answer, "error_code", None) or getattr(answer, "partition_error_code", None)
    if code:
        assert code in REFUSED, ErrorCode(code).name
        return True
    inside = [
        each
        for name in answer.__slots__
        if type(value := getattr(answer, name)) is list
        for each in value
        if isinstance(each, Struct)
    ]
    return bool(inside) and all(map(denies, inside))


async def answer_to(
    stage: Stage, node: Node, route: Route[Any], message: Any, version: int, who: Principal
) -> Any:
    """The node's answer to a user, once it answers."""
    kind: Listener = "controller" if route.listeners == "controller" else "broker"
    name = next(each.name for each in node.listeners.values() if each.kind == kind)
    dispatcher: Dispatcher[Any] = Dispatcher(
        node, routes(kind), forward=node.forward, authorizer=node.authorizer
    )
    answer: Answer[Any]
    session = Session("10.9.9.9:1", name, who)
    answer, waiting = ask(dispatcher, session, message, version)
    if waiting is not None:
        await waiting
    await answer.beside()
    await stage.until(lambda: not answer.is_waiting)
    return answer.message


def versions() -> list[tuple[Route[Any], int]]:
    table = {**routes("broker"), **routes("controller")}
    return [
        (route, version)
        for route in table.values()
        for version in range(route.min_version, route.max_version + 1)
    ]


async def with_data(stage: Stage) -> tuple[Node, bytes]:
    """A topic with records and a group with an offset; (the node, the topic's id)."""
    await stage.topic(TOPIC, replicas=1, min_insync_replicas="1")
    stage.produce(TOPIC)
    await stage.until(lambda: stage.acked > 0)
    async with stage.admin() as admin:
        await admin.alter_group_offsets(GROUP, {TopicPartition(TOPIC, 0): OffsetAndMetadata(1)})
    node: Node = stage.nodes[0].process.node  # type: ignore[union-attr]
    return node, node.image.topics[TOPIC].topic_id


def perform(story: Callable[[Stage], Awaitable[None]]) -> None:
    outcome = run_scenario(story, nodes=1, settings=SETTINGS)
    if outcome.violation is not None:
        pytest.fail(f"{outcome.violation.name}: {outcome.violation.story}")


def test_who_may_do_nothing_gets_nothing_from_any_api() -> None:
    served: set[str] = set()

    async def story(stage: Stage) -> None:
        node, topic_id = await with_data(stage)
        for route, version in versions():
            if route.name in NO_SASL | TELEMETRY:
                continue
            for names, by_id in ((True, False), (True, True), (False, False)):
                request: Any = Filler(topic_id, names=names, by_id=by_id).fill(
                    shape_of(route.request, version)
                )
                answer = await answer_to(stage, node, route, request, version, NOBODY)
                where = f"{route.name} {version} {'naming' if names else 'for all'}: {answer}"
                shown = repr(answer)
                if names and route.name not in SHOWS_NODES | FILTERED:
                    assert denies(answer) or (route.name, version) in NO_ROOM, where
                if not names:
                    assert TOPIC not in shown and GROUP not in shown, where
                    assert repr(topic_id) not in shown, where
        for route, version in versions():
            # A user with permission gets answers to the same requests: otherwise this would prove
            # little.
            message: Any = Filler(topic_id, names=True).fill(shape_of(route.request, version))
            if route.name.startswith(("Delete", "Remove", "Unregister", "BrokerReg")):
                continue
            answer = await answer_to(stage, node, route, message, version, ANONYMOUS)
            if "error_code=0" in repr(answer):
                served.add(route.name)

    perform(story)
    assert served >= {
        *("Produce", "Fetch", "ListOffsets", "Metadata", "OffsetCommit", "OffsetFetch"),
        *("FindCoordinator", "DescribeGroups", "ListGroups", "DescribeConfigs"),
        *("DescribeTopicPartitions", "OffsetForLeaderEpoch", "DescribeProducers", "InitProducerId"),
    }


def test_a_topic_that_one_may_not_describe_does_not_exist_for_one() -> None:
    """The answers about an existing topic and an unknown one are the same."""

    async def story(stage: Stage) -> None:
        node, topic_id = await with_data(stage)
        for route, version in versions():
            if route.name in NO_SASL | TELEMETRY | {"ApiVersions"}:
                continue
            message: Any = Filler(topic_id, names=True).fill(shape_of(route.request, version))
            there = repr(await answer_to(stage, node, route, message, version, NOBODY))
            missing: Any = Filler(bytes(16), names=True).fill(shape_of(route.request, version))
            _rename(missing)
            gone = repr(await answer_to(stage, node, route, missing, version, NOBODY))
            if repr(topic_id) in repr(message):
                continue  # Ids are not secret: an unknown id may be reported as such.
            assert gone.replace("nothing_", TOPIC) == there, f"{route.name} {version}"

    perform(story)


def _rename(message: Struct) -> None:
    for name in message.__slots__:
        value = getattr(message, name)
        if value == TOPIC:
            setattr(message, name, "nothing_")
        elif isinstance(value, Struct):
            _rename(value)
        elif type(value) is list:
            setattr(message, name, ["nothing_" if each == TOPIC else each for each in value])
            for each in value:
                if isinstance(each, Struct):
                    _rename(each)


def test_recorder_and_metadata_log_are_for_those_who_may_describe_the_cluster() -> None:
    """The permission is about topics, in an API that shows nodes to every client."""

    async def story(stage: Stage) -> None:
        node, _ = await with_data(stage)
        route = routes("broker")[DescribeClusterRequest.API_KEY]
        wish = DescribeClusterRequest(recorder=[RecorderAfter()])
        history = DescribeClusterRequest(metadata_log=[MetadataLogAfter()])
        for version in range(route.min_version, route.max_version + 1):
            refused = await answer_to(stage, node, route, wish, version, NOBODY)
            assert refused.error_code == ErrorCode.CLUSTER_AUTHORIZATION_FAILED
            assert not refused.recorder
            refused = await answer_to(stage, node, route, history, version, NOBODY)
            assert refused.error_code == ErrorCode.CLUSTER_AUTHORIZATION_FAILED
            assert not refused.metadata_log
            answer = await answer_to(stage, node, route, history, version, ANONYMOUS)
            assert any(TOPIC.encode() in each.records for each in answer.metadata_log[0].batches)
            answer = await answer_to(stage, node, route, wish, version, ANONYMOUS)
            (part,) = answer.recorder
            assert part.error_code == ErrorCode.RESOURCE_NOT_FOUND, "a simulated node has none"
            plain = await answer_to(stage, node, route, DescribeClusterRequest(), version, NOBODY)
            assert (plain.error_code, plain.recorder, plain.metadata_log) == (0, [], [])

    perform(story)
