"""Access control lists: who may do what with which resources, from where (KIP-11, KIP-140)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from raftka.client.admin.calls import Calls
from raftka.client.admin.outcomes import checked, error_of, raise_for
from raftka.model.access import WILDCARD, Operation, PatternType, Permission, ResourceType
from raftka.model.errors import KafkaError
from raftka.net.protocol.messages.create_acls import AclCreation, CreateAclsRequest
from raftka.net.protocol.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest
from raftka.net.protocol.messages.describe_acls import DescribeAclsRequest


class ResourcePattern(NamedTuple):
    """The resources of an ACL: one by its name, all (*), or all with a prefix."""

    type: ResourceType
    name: str
    pattern: PatternType = PatternType.LITERAL


class AclEntry(NamedTuple):
    """A permission or a prohibition of a principal, from a host."""

    principal: str
    """type:name; User:* is every user."""
    operation: Operation
    permission: Permission = Permission.ALLOW
    host: str = WILDCARD
    """An IP address; * is every host."""


class Acl(NamedTuple):
    """One entry for one pattern."""

    resource: ResourcePattern
    entry: AclEntry


class AclFilter(NamedTuple):
    """A filter of ACLs; None, or ANY, matches every value of a field."""

    type: ResourceType = ResourceType.ANY
    name: str | None = None
    pattern: PatternType = PatternType.ANY
    principal: str | None = None
    host: str | None = None
    operation: Operation = Operation.ANY
    permission: Permission = Permission.ANY


async def create_acls(admin: Calls, acls: Iterable[Acl]) -> None:
    """Add ACLs; one that already exists is left as it is. Raises SomeFailed."""
    wishes = list(acls)
    answer = await admin.ask(
        CreateAclsRequest(
            creations=[
                AclCreation(
                    resource_type=resource.type,
                    resource_name=resource.name,
                    resource_pattern_type=resource.pattern,
                    principal=entry.principal,
                    host=entry.host,
                    operation=entry.operation,
                    permission_type=entry.permission,
                )
                for resource, entry in wishes
            ]
        )
    )
    checked(
        {
            wish: error_of(each.error_code, each.error_message)
            for wish, each in zip(wishes, answer.results, strict=True)
        }
    )


async def describe_acls(admin: Calls, wanted: AclFilter) -> list[Acl]:
    """The ACLs that a filter matches. Raises KafkaError."""
    answer = await admin.ask(
        DescribeAclsRequest(
            resource_type_filter=wanted.type,
            resource_name_filter=wanted.name,
            pattern_type_filter=wanted.pattern,
            principal_filter=wanted.principal,
            host_filter=wanted.host,
            operation=wanted.operation,
            permission_type=wanted.permission,
        )
    )
    raise_for(answer.error_code, answer.error_message)
    return [
        _acl(
            resource.resource_type,
            resource.resource_name,
            resource.pattern_type,
            each.principal,
            each.host,
            each.operation,
            each.permission_type,
        )
        for resource in answer.resources
        for each in resource.acls
    ]


async def delete_acls(admin: Calls, filters: Iterable[AclFilter]) -> list[Acl]:
    """Remove the ACLs that the filters match, and return them. Raises SomeFailed."""
    wishes = list(filters)
    answer = await admin.ask(
        DeleteAclsRequest(
            filters=[
                DeleteAclsFilter(
                    resource_type_filter=wanted.type,
                    resource_name_filter=wanted.name,
                    pattern_type_filter=wanted.pattern,
                    principal_filter=wanted.principal,
                    host_filter=wanted.host,
                    operation=wanted.operation,
                    permission_type=wanted.permission,
                )
                for wanted in wishes
            ]
        )
    )
    outcomes: dict[AclFilter, list[Acl] | KafkaError] = {}
    for wanted, result in zip(wishes, answer.filter_results, strict=True):
        failure = error_of(result.error_code, result.error_message)
        outcomes[wanted] = failure or [
            _acl(
                each.resource_type,
                each.resource_name,
                each.pattern_type,
                each.principal,
                each.host,
                each.operation,
                each.permission_type,
            )
            for each in result.matching_acls
        ]
    return [acl for found in checked(outcomes).values() for acl in found]


def _acl(
    kind: int, name: str, pattern: int, principal: str, host: str, operation: int, permission: int
) -> Acl:
    return Acl(
        ResourcePattern(ResourceType(kind), name, PatternType(pattern)),
        AclEntry(principal, Operation(operation), Permission(permission), host),
    )
