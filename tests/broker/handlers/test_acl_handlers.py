"""CreateAcls, DescribeAcls and DeleteAcls, each through its bytes and the controller."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, TypeVar

from raftka.broker.routes import routes
from raftka.kraft.authorizer import StandardAuthorizer
from raftka.model.access import Operation, PatternType, Permission, Principal, ResourceType
from raftka.model.errors import ErrorCode
from raftka.net.dispatch import Dispatcher
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages.create_acls import AclCreation, CreateAclsRequest
from raftka.net.protocol.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest
from raftka.net.protocol.messages.describe_acls import DescribeAclsRequest
from raftka.net.session import Session
from tests.support.asking import answered
from tests.support.controller_world import World, in_a_world

R = TypeVar("R", bound=Response)
ROOT = Principal("User", "root")
ANY = 1


class Node:
    """A controller with an authorizer, or without one."""

    def __init__(self, one: World, authorizer: StandardAuthorizer | None) -> None:
        self.one = one
        node = SimpleNamespace(controller=one.controller, authorizer=authorizer, image=None)
        self.node = node
        table: Any = routes("controller")
        self.dispatcher: Dispatcher[Any] = Dispatcher(node, table, authorizer=authorizer)
        if authorizer is not None:
            authorizer.knows_acls = True
            one.loader.add(authorizer.published)

    async def ask(self, request: Request[R], version: int = 3, who: Principal = ROOT) -> R:
        self.node.image = self.one.image
        session = Session("10.0.0.7:1", "CONTROLLER", who)
        return await answered(self.dispatcher, session, request, version)


def creation(name: str, **changes: Any) -> AclCreation:
    made = AclCreation(
        resource_type=ResourceType.TOPIC,
        resource_name=name,
        resource_pattern_type=PatternType.LITERAL,
        principal="User:alice",
        host="*",
        operation=Operation.READ,
        permission_type=Permission.ALLOW,
    )
    for key, value in changes.items():
        setattr(made, key, value)
    return made


def everything(name: str | None = None) -> dict[str, Any]:
    return {
        "resource_type_filter": ANY,
        "resource_name_filter": name,
        "pattern_type_filter": ANY,
        "principal_filter": None,
        "host_filter": None,
        "operation": ANY,
        "permission_type": ANY,
    }


@in_a_world
async def test_acls_come_are_seen_take_effect_and_go(one: World) -> None:
    authorizer = StandardAuthorizer(["User:root"], allow_without_acls=False)
    node = Node(one, authorizer)

    def alice_reads() -> bool:
        alice = Principal("User", "alice")
        return authorizer.allows(alice, "::1", Operation.READ, ResourceType.TOPIC, "a")

    assert not alice_reads()
    wishes = [
        creation("a"),
        creation("b", operation=77),
        creation("a", principal="User:bob", permission_type=Permission.DENY),
        creation("pre", resource_pattern_type=PatternType.PREFIXED),
    ]
    created = await node.ask(CreateAclsRequest(creations=wishes))
    codes = [each.error_code for each in created.results]
    assert codes == [0, ErrorCode.INVALID_REQUEST, 0, 0]
    assert created.results[1].error_message == "Invalid operation 77"
    assert alice_reads()

    described = await node.ask(DescribeAclsRequest(**everything()))
    assert described.error_code == 0
    found = {(each.resource_name, each.pattern_type): each.acls for each in described.resources}
    assert {name for name, _ in found} == {"a", "pre"}
    assert sorted((each.principal, each.permission_type) for each in found["a", 3]) == [
        ("User:alice", 3),
        ("User:bob", 2),
    ]
    wrong = await node.ask(DescribeAclsRequest(**{**everything(), "operation": 99}))
    assert wrong.error_code == ErrorCode.INVALID_REQUEST

    filters = [DeleteAclsFilter(**everything("a")), DeleteAclsFilter(**everything("none"))]
    deleted = await node.ask(DeleteAclsRequest(filters=filters))
    assert [len(each.matching_acls) for each in deleted.filter_results] == [2, 0]
    assert not alice_reads()
    assert len(one.image.acls) == 1


@in_a_world
async def test_nobody_else_may_look_at_them_or_change_them(one: World) -> None:
    node = Node(one, StandardAuthorizer(["User:root"], allow_without_acls=False))
    mallory = Principal("User", "mallory")
    requests: list[Any] = [
        CreateAclsRequest(creations=[creation("a", principal="User:mallory")]),
        DeleteAclsRequest(filters=[DeleteAclsFilter(**everything())]),
        DescribeAclsRequest(**everything()),
    ]
    for request in requests:
        answer = await node.ask(request, who=mallory)
        assert f"error_code={int(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)}" in repr(answer)
    assert one.image.acls == {}


@in_a_world
async def test_without_an_authorizer_there_is_no_security(one: World) -> None:
    """As Apache Kafka answers."""
    node = Node(one, None)
    requests: list[Any] = [
        CreateAclsRequest(creations=[creation("a")]),
        DeleteAclsRequest(filters=[DeleteAclsFilter(**everything())]),
        DescribeAclsRequest(**everything()),
    ]
    for request in requests:
        answer = repr(await node.ask(request))
        assert f"error_code={int(ErrorCode.SECURITY_DISABLED)}" in answer
        assert "No Authorizer is configured" in answer
    assert one.image.acls == {}
