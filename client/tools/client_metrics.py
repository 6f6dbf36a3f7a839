"""kafka-client-metrics: the metrics that the cluster collects from its clients (KIP-714)."""

from __future__ import annotations

import argparse
import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from raftka.client.admin import Admin, Alteration, AlterOp, Resource, ResourceType
from raftka.client.tools.options import Options, UsageError, admin_settings, given, require
from raftka.client.tools.running import run

_ACTIONS = ("list", "describe", "alter", "delete")
_SETTINGS = {"interval": "interval.ms", "metrics": "metrics", "match": "match"}

options = Options(
    "kafka-client-metrics",
    "This tool helps to manipulate and describe client metrics configurations.",
)
options.servers()
options.flag("--list", help="List the subscriptions.")
options.flag("--describe", help="Show the settings of one, or of all.")
options.flag("--alter", help="Make a subscription, or change it.")
options.flag("--delete", help="Remove a subscription.")
options.text("--name", metavar="NAME", help="The subscription.")
options.flag("--generate-name", help="With --alter: a name that nothing else has.")
options.text("--interval", metavar="MS", help="How often clients send; empty for the default.")
options.text("--metrics", metavar="LIST", help="The beginnings of the metrics' names; * is all.")
options.text(
    "--match", metavar="LIST", help="Which clients, as client_id=app.*,client_software_name=.*"
)


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work, failure="Error while executing config command: ")


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    if len(given(found, *_ACTIONS)) != 1:
        raise UsageError(
            "Command must include exactly one action: --alter, --delete, --describe or --list."
        )
    require(found, "bootstrap-server")
    if found.name is not None and found.generate_name:
        raise UsageError("One of --name or --generate-name can be given, not both")
    if found.alter and found.name is None and not found.generate_name:
        raise UsageError("One of --name or --generate-name must be specified with --alter.")
    if found.delete and found.name is None:
        raise UsageError("A client metrics name must be specified with --delete.")
    settings = given(found, *_SETTINGS)
    if found.alter and not settings:
        raise UsageError(
            "At least one of --interval, --metrics or --match must be specified with --alter."
        )
    if settings and not found.alter:
        raise UsageError("--interval, --metrics and --match go with --alter")
    return found


async def _work(found: argparse.Namespace) -> None:
    async with Admin(admin_settings(found)) as admin:
        if found.list:
            for name in await _names(admin):
                print(name)
        elif found.describe:
            await _describe(admin, [found.name] if found.name else await _names(admin))
        elif found.alter:
            name = found.name or urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
            await _alter(admin, name, found)
            print(f"Altered client metrics config for {name}.")
        else:
            resource = _resource(found.name)
            entries = (await admin.describe_configs([resource]))[resource]
            changes = [Alteration(each, None, AlterOp.DELETE) for each in entries]
            await admin.incremental_alter_configs({resource: changes})
            print(f"Deleted client metrics config for {found.name}.")


async def _alter(admin: Admin, name: str, found: argparse.Namespace) -> None:
    changes = []
    for option, setting in _SETTINGS.items():
        value = getattr(found, option)
        if value == "":
            changes.append(Alteration(setting, None, AlterOp.DELETE))
        elif value is not None:
            changes.append(Alteration(setting, value))
    await admin.incremental_alter_configs({_resource(name): changes})


async def _describe(admin: Admin, names: Sequence[str]) -> None:
    for name in names:
        resource = _resource(name)
        entries = (await admin.describe_configs([resource]))[resource]
        print(f"Client metrics configs for {name} are:")
        for entry in sorted(entries.values(), key=lambda each: each.name):
            print(f"  {entry.name}={entry.value}")


async def _names(admin: Admin) -> list[str]:
    found = await admin.list_config_resources([ResourceType.CLIENT_METRICS])
    return sorted(resource.name for resource in found)


def _resource(name: str) -> Resource:
    return Resource(ResourceType.CLIENT_METRICS, name)
