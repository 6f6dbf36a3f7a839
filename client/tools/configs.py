"""kafka-configs: settings of topics, brokers and groups, quotas, and passwords of users."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass

from raftka.client.admin import (
    Admin,
    Alteration,
    AlterOp,
    ConfigEntry,
    ConfigSource,
    Resource,
    ResourceType,
)
from raftka.client.tools.notices import warn_without_effect
from raftka.client.tools.options import (
    Options,
    UsageError,
    admin_settings,
    given,
    read_properties,
    require,
    whole_number,
)
from raftka.client.tools.passwords import PasswordJob, alter_passwords, without_passwords
from raftka.client.tools.quotas import KINDS, QuotaJob, alter_quotas, describe_quotas, read_job
from raftka.client.tools.running import run

options = Options(
    "kafka-configs",
    "This tool helps to manipulate and describe entity config for a topic, client, user, broker,"
    " ip, client-metrics or group",
)
options.servers()
options.text("--bootstrap-controller", metavar="HOST:PORT", help="The controllers to connect to.")
options.flag("--describe", help="Show settings.")
options.flag("--alter", help="Change settings.")
options.flag("--all", help="With --describe: also what was not set for the entity itself.")
options.text(
    "--add-config", metavar="K=V,...", help="Settings to set; [] around a value keeps its commas."
)
options.text("--add-config-file", metavar="FILE", help="A properties file of settings to set.")
options.text("--delete-config", metavar="K,...", help="Settings to reset to their defaults.")
options.many(
    "--entity-type",
    metavar="TYPE",
    help="topics, brokers, broker-loggers, groups, client-metrics, users, clients or ips;"
    "\nusers and clients may come together.",
)
options.many("--entity-name", metavar="NAME", help="The topic, the broker's id, the user, ...")
options.add_argument(
    "--entity-default",
    action="append_const",
    const="",
    dest="entity_name",
    help="The default of all brokers, users, clients or addresses.",
)
options.text("--topic", metavar="NAME", help="The topic.")
options.text("--broker", metavar="ID", help="The broker.")
options.flag("--broker-defaults", help="The defaults for all brokers.")
options.text("--broker-logger", metavar="ID", help="The broker whose loggers are meant.")
options.text("--group", metavar="ID", help="The group.")
options.text("--client-metrics", metavar="NAME", help="The client metrics subscription.")
for _name, _what in (
    ("user", "user's name"),
    ("client", "client's id"),
    ("ip", "address"),
):
    options.text(f"--{_name}", metavar="NAME", help=f"The {_what}, for quotas.")
    options.flag(f"--{_name}-defaults", help=f"Any {_what} that has no quotas of its own.")

_SHORT = {
    "topic": "topics",
    "broker": "brokers",
    "broker_logger": "broker-loggers",
    "group": "groups",
    "client_metrics": "client-metrics",
    "user": "users",
    "client": "clients",
    "ip": "ips",
}
_DEFAULTS = {
    "broker_defaults": "brokers",
    "user_defaults": "users",
    "client_defaults": "clients",
    "ip_defaults": "ips",
}
_ANY_DEFAULT = ""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A type of entity: its names, and the source of its own settings."""

    type: ResourceType
    word: str
    source: ConfigSource


_KINDS = {
    "topics": _Kind(ResourceType.TOPIC, "topic", ConfigSource.DYNAMIC_TOPIC_CONFIG),
    "brokers": _Kind(ResourceType.BROKER, "broker", ConfigSource.DYNAMIC_BROKER_CONFIG),
    "broker-loggers": _Kind(
        ResourceType.BROKER_LOGGER, "broker-logger", ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG
    ),
    "groups": _Kind(ResourceType.GROUP, "group", ConfigSource.DYNAMIC_GROUP_CONFIG),
    "client-metrics": _Kind(
        ResourceType.CLIENT_METRICS, "client-metric", ConfigSource.DYNAMIC_CLIENT_METRICS_CONFIG
    ),
}


@dataclass(frozen=True, slots=True)
class _Job:
    found: argparse.Namespace
    kind: _Kind
    name: str | None
    """None for all entities of the kind, "" for the default of brokers."""
    changes: tuple[Alteration, ...]


def main(argv: Sequence[str]) -> int:
    failure = f"Error while executing config command with args '{without_passwords(argv)}'\n"
    return run(options, argv, _read, _work, failure=failure)


def _read(argv: Sequence[str]) -> _Job | QuotaJob | PasswordJob:
    found = options.read(argv)
    if len(given(found, "describe", "alter")) != 1:
        raise UsageError("Command must include exactly one action: --describe, --alter")
    if not found.bootstrap_controller:
        require(found, "bootstrap-server")
    entities = _entities(found)
    if entities[0][0] in KINDS:
        added, removed = _wishes(found) if found.alter else (None, ())
        return read_job(found, entities, added, removed)
    if len(entities) > 1:
        raise UsageError("Only 'users' and 'clients' entity types may be specified together")
    type_name, name = entities[0]
    changes: tuple[Alteration, ...] = ()
    if found.alter:
        if name is None:
            raise UsageError(f"An entity name must be specified with --alter of {type_name}")
        changes = _changes(found)
    if type_name in ("brokers", "broker-loggers") and name and not _is_id(name):
        raise UsageError(
            f"The entity name for {type_name} must be a valid integer broker id, but it is: {name}"
        )
    return _Job(found, _KINDS[type_name], name, changes)


def _is_id(name: str) -> bool:
    try:
        return whole_number(name) >= 0
    except ValueError:
        return False


def _entities(found: argparse.Namespace) -> list[tuple[str, str | None]]:
    """The types and names of the entities, in order; None is any name. Raises UsageError."""
    chosen: list[tuple[str, str | None]] = [
        (type_name, getattr(found, option))
        for option, type_name in _SHORT.items()
        if getattr(found, option) is not None
    ]
    for option, type_name in _DEFAULTS.items():
        if getattr(found, option):
            chosen.append((type_name, _ANY_DEFAULT))
    types = [*found.entity_type, *(type_name for type_name, _ in chosen)]
    if len(set(types)) < len(types):
        doubled = sorted({each for each in types if types.count(each) > 1})
        raise UsageError(f"Duplicate entity type(s) specified: {','.join(doubled)}")
    if found.entity_type or found.entity_name:
        if chosen:
            raise UsageError(
                "--entity-{type,name,default} should not be used in conjunction with specific"
                " entity flags"
            )
        names = [*found.entity_name, *[None] * len(found.entity_type)]
        chosen = list(zip(found.entity_type, names, strict=False))
    if not chosen:
        raise UsageError("At least one entity type must be specified")
    for type_name, _ in chosen:
        if type_name not in _KINDS and type_name not in KINDS:
            raise UsageError(
                f"Invalid entity type {type_name}, the entity type must be one of"
                f" {', '.join((*_KINDS, *KINDS))}"
            )
    return chosen


def _wishes(found: argparse.Namespace) -> tuple[dict[str, str], list[str]]:
    """(settings to set, settings to delete). Raises UsageError."""
    if found.add_config and found.add_config_file:
        raise UsageError("Only one of --add-config or --add-config-file must be specified")
    if not given(found, "add-config", "add-config-file", "delete-config"):
        raise UsageError(
            "At least one of --add-config, --add-config-file, or --delete-config must be specified"
            " with --alter"
        )
    added = read_properties(found.add_config_file) | parse_settings(found.add_config or "")
    removed = [name.strip() for name in (found.delete_config or "").split(",") if name.strip()]
    return added, removed


def _changes(found: argparse.Namespace) -> tuple[Alteration, ...]:
    added, removed = _wishes(found)
    return (
        *(Alteration(name, value) for name, value in added.items()),
        *(Alteration(name, None, AlterOp.DELETE) for name in removed),
    )


def parse_settings(text: str) -> dict[str, str]:
    """k1=v1,k2=[v1,v2]: brackets keep the commas of a value. Raises UsageError."""
    found: dict[str, str] = {}
    for part in re.findall(r"(?:\[[^\]]*\]|[^,\[])+", text):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise UsageError(
                f"Invalid entity config: all configs to be added must be in the format"
                f' "key=val", but {part!r} is not'
            )
        found[name.strip()] = value.strip().removeprefix("[").removesuffix("]")
    return found


async def _work(job: _Job | QuotaJob | PasswordJob) -> None:
    settings = admin_settings(job.found, controllers=job.found.bootstrap_controller)
    async with Admin(settings) as admin:
        if isinstance(job, PasswordJob):
            await alter_passwords(admin, job)
        elif isinstance(job, QuotaJob):
            await (alter_quotas if job.found.alter else describe_quotas)(admin, job)
        elif job.found.alter:
            await _alter(admin, job)
        else:
            await _describe(admin, job)


async def _alter(admin: Admin, job: _Job) -> None:
    assert job.name is not None
    resource = Resource(job.kind.type, job.name)
    await admin.incremental_alter_configs({resource: job.changes})
    if job.kind.type in (ResourceType.TOPIC, ResourceType.BROKER) and job.name:
        given = [each.name for each in job.changes if each.op is not AlterOp.DELETE]
        await warn_without_effect(admin, {resource: given})
    if job.name == _ANY_DEFAULT:
        print(f"Completed updating default config for {job.kind.word}s in the cluster.")
    else:
        print(f"Completed updating config for {job.kind.word} {job.name}.")


async def _describe(admin: Admin, job: _Job) -> None:
    for name in await _names(admin, job):
        resource = Resource(job.kind.type, name)
        entries = (await admin.describe_configs([resource], synonyms=True))[resource]
        source = job.kind.source
        if name == _ANY_DEFAULT:
            source = ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG
            print(f"Default configs for {job.kind.word}s in the cluster are:")
        else:
            what = "All" if job.found.all else "Dynamic"
            print(f"{what} configs for {job.kind.word} {name} are:")
        for entry in sorted(entries.values(), key=lambda entry: entry.name):
            if job.found.all or entry.source == source:
                print(_line(entry))


async def _names(admin: Admin, job: _Job) -> list[str]:
    """The entities to show. Raises ToolError for a topic that does not exist."""
    kind = job.kind
    if kind.type == ResourceType.TOPIC:
        topics = list(await admin.list_topics())
        if job.name is None:
            return topics
        if job.name not in topics:
            print(f"The {kind.word} '{job.name}' doesn't exist and doesn't have dynamic config.")
            return []
    if job.name is not None:
        return [job.name]
    if kind.type in (ResourceType.BROKER, ResourceType.BROKER_LOGGER):
        ids = [str(node.id) for node in (await admin.describe_cluster()).nodes]
        return [*ids, *([_ANY_DEFAULT] if kind.type == ResourceType.BROKER else [])]
    if kind.type == ResourceType.GROUP:
        return [listing.group_id for listing in await admin.list_groups()]
    return sorted(resource.name for resource in await admin.list_config_resources([kind.type]))


def _line(entry: ConfigEntry) -> str:
    synonyms = ", ".join(f"{s.source.name}:{s.name}={_text(s.value)}" for s in entry.synonyms)
    sensitive = str(entry.sensitive).lower()
    return f"  {entry.name}={_text(entry.value)} sensitive={sensitive} synonyms={{{synonyms}}}"


def _text(value: str | None) -> str:
    return "null" if value is None else value
