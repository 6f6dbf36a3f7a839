"""`raftka doctor [FILE]`, `raftka doctor --bootstrap-server H:P`: exit code 1 with a problem."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence

from raftka.client.admin import Admin
from raftka.client.tools.options import Options, UsageError, admin_settings
from raftka.client.tools.running import run
from raftka.configuration import Unreadable, gather, make_config
from raftka.doctor import clients, cluster, configuration
from raftka.doctor.facts import gather as gather_facts
from raftka.doctor.finding import Finding
from raftka.model.settings import WrongSettings
from raftka.net.clock import system_clock

options = Options(
    "raftka doctor",
    "Look at the settings of a node, or at a running cluster, and say what is wrong and what to"
    " do. The exit code is 1 when something is.",
)
options.add_argument("file", metavar="FILE", nargs="?", help="A node's server.properties.")
options.servers()
options.many("--override", metavar="NAME=VALUE", help="With FILE: as of raftka server.")
options.flag("--json", help='One JSON object: {"problems": [{"what", "remedy"}], "clients": []}.')


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    if (found.file is None) == (found.bootstrap_server is None):
        raise UsageError("give either FILE, to look at settings, or --bootstrap-server")
    return found


async def _work(found: argparse.Namespace) -> int:
    met = clients.Clients()
    if found.file is not None:
        problems = _of_settings(found.file, found.override)
    else:
        async with Admin(admin_settings(found)) as admin:
            facts = await gather_facts(admin, system_clock().wall_ms())
        problems, met = list(cluster.examine(facts)), facts.clients
    if found.json:
        told = {
            "problems": [each._asdict() for each in problems],
            "clients": clients.as_json(met),
        }
        print(json.dumps(told, indent=1))
    else:
        _print(problems)
        if words := list(clients.lines(met)):
            print("", *words, sep="\n")
    return 1 if problems else 0


def _of_settings(path: str, overrides: list[str]) -> list[Finding]:
    try:
        config = make_config(gather(path, overrides, os.environ))
    except WrongSettings as error:
        return [
            Finding(line.strip(), "correct it: the node does not start with it")
            for line in str(error).splitlines()
            if line.strip()
        ]
    except (Unreadable, ValueError) as error:
        return [Finding(str(error), "correct it: the node does not start with it")]
    return list(configuration.examine(config))


def _print(problems: list[Finding]) -> None:
    for number, each in enumerate(problems, 1):
        print(f"{number}. {each.what}\n   -> {each.remedy}")
    if not problems:
        print("Nothing is wrong that can be seen from here.")
    else:
        print(f"\n{len(problems)} problem{'s' if len(problems) > 1 else ''} found.")
