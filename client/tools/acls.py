"""kafka-acls: add, list and remove access control lists."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from raftka.client.admin import Admin
from raftka.client.admin.acls import Acl, AclEntry, AclFilter, ResourcePattern
from raftka.client.tools.options import (
    Options,
    UsageError,
    admin_settings,
    exclude,
    given,
    require_one_bootstrap,
)
from raftka.client.tools.running import run
from raftka.model.access import (
    CLUSTER_NAME,
    OPERATIONS,
    WILDCARD,
    Operation,
    PatternType,
    Permission,
    ResourceType,
)

options = Options("kafka-acls", "This tool helps to manage acls on kafka.")
options.servers()
options.text("--bootstrap-controller", metavar="HOST:PORT", help="The controllers to connect to.")
options.flag("--add", help="Add ACLs.")
options.flag("--remove", help="Remove ACLs.")
options.flag("--list", help="List ACLs, of the resources named or of all.")
options.many("--topic", metavar="NAME", help="A topic; * is every topic.")
options.flag("--cluster", help="The cluster.")
options.many("--group", metavar="ID", help="A group; * is every group.")
options.many("--transactional-id", metavar="ID", help="A transactional id; * is every one.")
options.many("--delegation-token", metavar="ID", help="A delegation token; * is every one.")
options.many("--user-principal", metavar="TYPE:NAME", help="A user, whose tokens are meant.")
options.text(
    "--resource-pattern-type",
    metavar="TYPE",
    default="literal",
    help="literal or prefixed; to list and to remove also any, or match for all that concern it.",
)
options.many("--operation", metavar="NAME", help="What is allowed or denied (default: All).")
options.many("--allow-principal", metavar="TYPE:NAME", help="A principal that may; User:* is all.")
options.many(
    "--deny-principal",
    metavar="TYPE:NAME",
    help="A principal that must not; outweighs --allow-principal.",
)
options.many("--allow-host", metavar="ADDRESS", help="From where they may (default: *).")
options.many("--deny-host", metavar="ADDRESS", help="From where they must not (default: *).")
options.many("--principal", metavar="TYPE:NAME", help="With --list: ACLs of this principal.")
options.flag("--producer", help="What a producer needs: write, describe, create on the topic.")
options.flag("--consumer", help="What a consumer needs: read, describe on topic, read on group.")
options.flag("--idempotent", help="With --producer: idempotent writes.")
options.flag("--force", help="Do not ask before removing.")

_RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional_id": ResourceType.TRANSACTIONAL_ID,
    "delegation_token": ResourceType.DELEGATION_TOKEN,
    "user_principal": ResourceType.USER,
}
_CLUSTER = ResourcePattern(ResourceType.CLUSTER, CLUSTER_NAME)
_READS = (Operation.READ, Operation.DESCRIBE)
_WRITES = (Operation.WRITE, Operation.DESCRIBE, Operation.CREATE)
E = TypeVar("E", Operation, PatternType)
Entries = Mapping[ResourcePattern, Sequence[AclEntry]]


@dataclass(frozen=True, slots=True)
class _Job:
    found: argparse.Namespace
    resources: Sequence[ResourcePattern]
    entries: Entries = field(default_factory=dict)


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work, failure="Error while executing ACL command: ")


def _read(argv: Sequence[str]) -> _Job:
    found = options.read(argv)
    require_one_bootstrap(found)
    if len(given(found, "add", "remove", "list")) != 1:
        raise UsageError("Command must include exactly one action: --list, --add, --remove.")
    for role in ("producer", "consumer"):
        exclude(found, role, "operation", "deny-principal", "deny-host")
    exclude(
        found,
        "list",
        *("producer", "consumer", "allow-host", "allow-principal", "deny-host", "deny-principal"),
    )
    _check_roles(found)
    resources = _resources(found)
    if found.list:
        for principal in found.principal:
            _check_principal(principal)
        return _Job(found, resources)
    if not resources:
        raise UsageError(
            "You must provide at least one resource: --topic <topic> or --cluster or --group"
            " <group> or --delegation-token <Delegation Token ID>"
        )
    entries = _entries(found, resources)
    _check_operations(entries)
    if found.add:
        if resources[0].pattern not in (PatternType.LITERAL, PatternType.PREFIXED):
            raise UsageError(
                f"A '--resource-pattern-type' value of '{resources[0].pattern.name}' is not valid"
                " when adding acls."
            )
        if not all(entries.values()):
            raise UsageError(
                "You must specify one of: --allow-principal, --deny-principal when trying to add"
                " ACLs."
            )
    return _Job(found, resources, entries)


def _check_roles(found: argparse.Namespace) -> None:
    if found.principal and not found.list:
        raise UsageError("The --principal option is only available if --list is set")
    if found.producer and not found.topic:
        raise UsageError("With --producer you must specify a --topic")
    if found.idempotent and not found.producer:
        raise UsageError("The --idempotent option is only available if --producer is set")
    others = not found.producer and (found.cluster or found.transactional_id)
    if found.consumer and (not found.topic or not found.group or others):
        raise UsageError(
            "With --consumer you must specify a --topic and a --group and no --cluster or"
            " --transactional-id option should be specified."
        )


def _resources(found: argparse.Namespace) -> list[ResourcePattern]:
    pattern = _named(PatternType, found.resource_pattern_type, "--resource-pattern-type")
    resources = [
        ResourcePattern(kind, name.strip(), pattern)
        for option, kind in _RESOURCES.items()
        for name in getattr(found, option)
    ]
    if pattern is PatternType.LITERAL and (found.cluster or found.idempotent):
        resources.append(_CLUSTER)
    return resources


def _entries(found: argparse.Namespace, resources: Iterable[ResourcePattern]) -> Entries:
    """The ACLs that the options name, by resource."""
    if not found.producer and not found.consumer:
        names = found.operation or ["All"]
        operations = [_named(Operation, each, "--operation") for each in names]
        return {resource: _for(found, operations) for resource in resources}
    entries: dict[ResourcePattern, list[AclEntry]] = {}
    for resource in resources:
        operations = []
        if found.producer:
            if resource.type is ResourceType.TOPIC:
                operations += _WRITES
            elif resource.type is ResourceType.TRANSACTIONAL_ID:
                operations += (Operation.WRITE, Operation.DESCRIBE)
            elif resource == _CLUSTER and found.idempotent:
                operations.append(Operation.IDEMPOTENT_WRITE)
        if found.consumer:
            if resource.type is ResourceType.TOPIC:
                operations += _READS
            elif resource.type is ResourceType.GROUP:
                operations.append(Operation.READ)
        if operations:
            entries[resource] = _for(found, operations)
    return entries


def _for(found: argparse.Namespace, operations: Iterable[Operation]) -> list[AclEntry]:
    """These operations for every principal and host that the options name."""
    entries = []
    for permission, principals, hosts in (
        (Permission.ALLOW, found.allow_principal, found.allow_host),
        (Permission.DENY, found.deny_principal, found.deny_host),
    ):
        for principal in principals:
            _check_principal(principal)
            entries += [
                AclEntry(principal.strip(), operation, permission, host.strip())
                for operation in dict.fromkeys(operations)
                for host in hosts or [WILDCARD]
            ]
    return entries


def _check_principal(text: str) -> None:
    if ":" not in text:
        raise UsageError(f"expected a string in format principalType:principalName but got {text}")


def _check_operations(entries: Entries) -> None:
    for resource, wanted in entries.items():
        valid = [each for each in Operation if OPERATIONS[resource.type] >> each & 1]
        if any(each.operation not in (*valid, Operation.ALL) for each in wanted):
            words = ", ".join(_word(each) for each in (*valid, Operation.ALL))
            raise UsageError(f"ResourceType {resource.type.name} only supports operations {words}")


def _named(kind: type[E], text: str, option: str) -> E:
    plain = text.strip().replace("_", "").replace("-", "").upper()
    for each in kind:
        if each.name.replace("_", "") == plain:
            return each
    words = ", ".join(_word(each) for each in kind)
    raise UsageError(f"{option} {text}: it must be one of {words}")


def _word(each: Operation | PatternType) -> str:
    return "".join(part.capitalize() for part in each.name.split("_"))


async def _work(job: _Job) -> None:
    settings = admin_settings(job.found, controllers=job.found.bootstrap_controller)
    async with Admin(settings) as admin:
        if job.found.list:
            await _list(admin, job)
        elif job.found.add:
            await _add(admin, job)
        else:
            await _remove(admin, job)


async def _add(admin: Admin, job: _Job) -> None:
    for resource, entries in job.entries.items():
        print(f"Adding ACLs for resource `{_pattern(resource)}`:\n{_listed(entries)}\n")
        await admin.create_acls([Acl(resource, entry) for entry in entries])


async def _remove(admin: Admin, job: _Job) -> None:
    for resource, entries in job.entries.items():
        shown = _pattern(resource)
        if entries:
            question = (
                f"Are you sure you want to remove ACLs:\n{_listed(entries)}\n"
                f" from resource filter `{shown}`? (y/n)"
            )
        else:
            question = (
                f"Are you sure you want to delete all ACLs for resource filter `{shown}`? (y/n)"
            )
        if job.found.force or _confirms(question):
            base = AclFilter(resource.type, resource.name, resource.pattern)
            filters = [
                base._replace(
                    principal=entry.principal,
                    host=entry.host,
                    operation=entry.operation,
                    permission=entry.permission,
                )
                for entry in entries
            ]
            await admin.delete_acls(filters or [base])


def _confirms(question: str) -> bool:
    print(question)
    try:
        return input().strip().lower() == "y"
    except EOFError:
        return False


async def _list(admin: Admin, job: _Job) -> None:
    filters = [AclFilter(each.type, each.name, each.pattern) for each in job.resources]
    found: dict[ResourcePattern, dict[AclEntry, None]] = {}
    for wanted in filters or [AclFilter()]:
        for resource, entry in await admin.describe_acls(wanted):
            found.setdefault(resource, {})[entry] = None
    if not job.found.principal:
        _print(found)
    for principal in job.found.principal:
        print(f"ACLs for principal `{principal}`")
        _print(
            {
                resource: [each for each in entries if each.principal == principal]
                for resource, entries in found.items()
            }
        )


def _print(found: Mapping[ResourcePattern, Iterable[AclEntry]]) -> None:
    for resource, entries in found.items():
        if shown := _listed(entries):
            print(f"Current ACLs for resource `{_pattern(resource)}`:\n{shown}\n")


def _pattern(resource: ResourcePattern) -> str:
    return (
        f"ResourcePattern(resourceType={resource.type.name}, name={resource.name},"
        f" patternType={resource.pattern.name})"
    )


def _listed(entries: Iterable[AclEntry]) -> str:
    return "\n".join(
        f"\t(principal={each.principal}, host={each.host}, operation={each.operation.name},"
        f" permissionType={each.permission.name})"
        for each in entries
    )
