"""The whole table of routes: each API's permission, as in Kafka, and its enforcement."""

from __future__ import annotations

from random import Random
from typing import Any, cast

import pytest

from raftka.broker.node import Node
from raftka.broker.request import ROUTER
from raftka.broker.routes import forwarded_routes, routes
from raftka.model.access import NOTHING, PER_RESOURCE, Cluster, Operation, Principal, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Piece
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol.message import Request
from raftka.net.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from raftka.net.router import MAX_CONTROL_BYTES, CloseConnection, Context, Route, Router
from raftka.net.session import Session
from tests.support.asking import answered, ask
from tests.support.messages import random_message

TABLE = {**routes("broker"), **routes("controller")}

# "Operations and Resources on Protocols" in Kafka's documentation, and what its handlers check.
WHOLE = {
    "AddRaftVoter": Cluster.ALTER,
    "AllocateProducerIds": Cluster.CLUSTER_ACTION,
    "AlterClientQuotas": Cluster.ALTER_CONFIGS,
    "AlterReplicaLogDirs": Cluster.ALTER,
    "AssignReplicasToDirs": Cluster.CLUSTER_ACTION,
    "AlterPartition": Cluster.CLUSTER_ACTION,
    "CreateAcls": Cluster.ALTER,
    "DeleteAcls": Cluster.ALTER,
    "DescribeAcls": Cluster.DESCRIBE,
    "AlterPartitionReassignments": Cluster.ALTER,
    "BrokerHeartbeat": Cluster.CLUSTER_ACTION,
    "BrokerRegistration": Cluster.CLUSTER_ACTION,
    "DescribeClientQuotas": Cluster.DESCRIBE_CONFIGS,
    "DescribeLogDirs": Cluster.DESCRIBE,
    "DescribeQuorum": Cluster.DESCRIBE,
    "ElectLeaders": Cluster.ALTER,
    "Envelope": Cluster.CLUSTER_ACTION,
    "ListConfigResources": Cluster.DESCRIBE_CONFIGS,
    "ListPartitionReassignments": Cluster.DESCRIBE,
    "RemoveRaftVoter": Cluster.ALTER,
    "UnregisterBroker": Cluster.ALTER,
    "UpdateFeatures": Cluster.ALTER,
    "AlterUserScramCredentials": Cluster.ALTER,
    "DescribeUserScramCredentials": Cluster.DESCRIBE,
    **dict.fromkeys(
        (
            "InitializeShareGroupState",
            "ReadShareGroupState",
            "WriteShareGroupState",
            "DeleteShareGroupState",
            "ReadShareGroupStateSummary",
        ),
        Cluster.CLUSTER_ACTION,
    ),
}
FREE = {"ApiVersions", "SaslAuthenticate", "SaslHandshake"}
FREE |= {"GetTelemetrySubscriptions", "PushTelemetry"}


class Denying:
    """Denies everything, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Operation, ResourceType, str]] = []

    def allows(
        self,
        principal: Principal,
        host: str,
        operation: Operation,
        resource_type: ResourceType,
        name: str,
    ) -> bool:
        self.asked.append((f"{principal} from {host}", operation, resource_type, name))
        return False

    def allows_somewhere(
        self, principal: Principal, host: str, operation: Operation, resource_type: ResourceType
    ) -> bool:
        return False


def test_every_route_names_its_access_as_kafka_checks_it() -> None:
    expected = {
        route.name: WHOLE.get(route.name, NOTHING if route.name in FREE else PER_RESOURCE)
        for route in TABLE.values()
    }
    assert {route.name: route.access for route in TABLE.values()} == expected
    assert set(WHOLE) | FREE <= set(expected)


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_request_that_needs_the_cluster_is_refused_as_a_whole(name: str) -> None:
    """Before its handler is called: there is no node that could answer."""
    (route,) = (each for each in TABLE.values() if each.name == name)
    operation = cast(Cluster, route.access).value
    session = Session("10.0.0.7:1", "PLAINTEXT")
    for version in range(route.min_version, route.max_version + 1):
        denying = Denying()
        dispatcher: Dispatcher[Any] = Dispatcher(None, {route.api_key: route}, authorizer=denying)
        request = naming_something(route.request, version)
        answer, waiting = ask(dispatcher, session, request, version)
        assert waiting is None
        if (name, version) in (("DescribeLogDirs", 1), ("DescribeLogDirs", 2)):
            # As Apache Kafka: without a place for the error, nothing is shown.
            assert cast(Any, answer.message).results == []
        else:
            code = int(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
            assert f"error_code={code}" in repr(answer.message), version
        assert denying.asked == [
            ("User:ANONYMOUS from 10.0.0.7", operation, ResourceType.CLUSTER, "kafka-cluster"),
        ]


def test_what_carries_records_may_be_large_and_nothing_else() -> None:
    large = {route.name for route in TABLE.values() if route.max_bytes > MAX_CONTROL_BYTES}
    assert large == {"Produce", "Envelope"}


def test_a_listener_serves_its_own_kind_and_what_is_forwarded() -> None:
    served = {route.name for route in routes("controller").values()}
    assert {"Envelope", "BrokerHeartbeat", "CreateTopics", "ApiVersions"} <= served
    assert not {"Produce", "Fetch", "JoinGroup"} & served
    served = {route.name for route in routes("broker").values()}
    assert {"Produce", "CreateTopics", "ApiVersions"} <= served
    assert not {"Envelope", "BrokerHeartbeat"} & served
    assert all(route.forward for route in forwarded_routes().values())


def test_one_handler_for_each_api() -> None:
    route = TABLE[0]
    with pytest.raises(ValueError, match="Produce has two handlers"):
        ROUTER.handles(route.request, versions=(3, 13), access=PER_RESOURCE)(route.handler)


def test_what_is_forwarded_is_async_and_answered_in_its_turn() -> None:
    request = next(iter(forwarded_routes().values())).request

    def at_once(context: Context[None], request: Any) -> None: ...
    async def beside(context: Context[None], request: Any) -> None: ...

    router: Router[None] = Router()
    last = request.VALID_VERSIONS[1]
    with pytest.raises(ValueError, match="is async"):
        router.handles(request, versions=(last, last), access=NOTHING, forward=True)(at_once)
    with pytest.raises(ValueError, match="is async"):
        router.handles(
            request, versions=(last, last), access=NOTHING, forward=True, concurrent=True
        )(beside)
    with pytest.raises(ValueError, match="not within what is written"):
        router.handles(request, versions=(0, last + 1), access=NOTHING)


def test_a_request_above_its_bound_ends_the_connection() -> None:
    (route,) = (each for each in TABLE.values() if each.name == "CreateTopics")
    dispatcher: Dispatcher[Any] = Dispatcher(None, {route.api_key: route})
    request = CreateTopicsRequest(topics=[CreatableTopic(name="x" * 30_000) for _ in range(300)])
    with pytest.raises(CloseConnection, match="8388608 are allowed"):
        ask(dispatcher, Session("10.0.0.7:1", "PLAINTEXT"), request, route.max_version)


@pytest.mark.parametrize("route", forwarded_routes().values(), ids=lambda route: route.name)
async def test_a_request_that_no_controller_decides_is_answered_with_an_error(
    route: Route[Node],
) -> None:
    """In all versions: an answer without an error would be taken for success."""

    async def no_controller(context: Any) -> list[Piece]:
        raise KafkaError(ErrorCode.REQUEST_TIMED_OUT, "no controller is active")

    dispatcher: Dispatcher[Any] = Dispatcher(
        None, {route.api_key: route}, forward=no_controller, authorizer=Denying()
    )
    session = Session("10.0.0.7:1", "PLAINTEXT")
    for version in range(route.min_version, route.max_version + 1):
        request = naming_something(route.request, version)
        message: Any
        if route.looks_first:
            assert route.refusal is not None
            message = route.refusal(request, KafkaError(ErrorCode.REQUEST_TIMED_OUT))
        else:
            message = await answered(dispatcher, session, request, version)
        assert f"error_code={int(ErrorCode.REQUEST_TIMED_OUT)}" in repr(message), version


def naming_something(request: type[Request[Any]], version: int) -> Any:
    """A request that names something, so that there is something to refuse."""
    for seed in range(100):
        message = random_message(request, version, Random(seed))
        lists = [
            value for name in message.__slots__ if type(value := getattr(message, name)) is list
        ]
        if any(lists):
            break
    return message
