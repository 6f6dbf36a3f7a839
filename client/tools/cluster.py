"""kafka-cluster: the cluster's id, its nodes, and unregistering a broker."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from raftka.client.admin import Admin
from raftka.client.tools.options import (
    Options,
    UsageError,
    admin_settings,
    require_server_or_controller,
)
from raftka.client.tools.running import run
from raftka.client.tools.tables import Column, lines

options = Options("kafka-cluster", "The Kafka cluster tool.")
options.add_argument(
    "action",
    choices=("cluster-id", "unregister", "list-endpoints"),
    help="cluster-id: the id of the cluster\nunregister: forget a broker\n"
    "list-endpoints: brokers or controllers",
)
options.text("--bootstrap-server", "-b", metavar="HOST:PORT", help="The brokers to connect to.")
options.text(
    "--bootstrap-controller", "-C", metavar="HOST:PORT", help="The controllers to connect to."
)
options.text("--command-config", "-c", metavar="FILE", help="A properties file for the client.")
options.text("--config", metavar="FILE", help="Older name of --command-config.")
options.number("--id", "-i", help="With unregister: the id of the broker.")
options.flag("--include-fenced-brokers", help="With list-endpoints: fenced brokers, too.")


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    require_server_or_controller(found)
    if found.action == "unregister" and found.id is None:
        raise UsageError("argument --id/-i is required")
    if found.include_fenced_brokers and found.bootstrap_controller:
        raise UsageError(
            "The option --include-fenced-brokers is only supported with --bootstrap-server option"
        )
    found.command_config = found.command_config or found.config
    return found


async def _work(found: argparse.Namespace) -> None:
    settings = admin_settings(found, controllers=found.bootstrap_controller)
    async with Admin(settings) as admin:
        if found.action == "unregister":
            await admin.unregister_broker(found.id)
            print(f"Broker {found.id} is no longer registered.")
            return
        controllers = found.bootstrap_controller is not None
        described = await admin.describe_cluster(
            controllers=controllers, include_fenced=found.include_fenced_brokers
        )
    if found.action == "cluster-id":
        print(f"Cluster ID: {described.cluster_id}")
        return
    columns = [
        Column("ID", 10),
        Column("HOST", 0, grows=True),
        Column("PORT", 10),
        Column("RACK", 10, grows=True),
        *([] if controllers else [Column("STATE", 10)]),
        Column("ENDPOINT_TYPE", 15),
    ]
    rows = [
        [
            str(node.id),
            node.host,
            str(node.port),
            node.rack or "null",
            *([] if controllers else ["fenced" if node.fenced else "unfenced"]),
            "controller" if controllers else "broker",
        ]
        for node in described.nodes
    ]
    print("\n".join(lines(columns, rows)))
