"""`raftka demo`: runs the scenario on three processes of this machine."""

from __future__ import annotations

import argparse
import logging
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Final

import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from raftka.console import OutputConsole
from raftka.demo.log_lines import write_log
from raftka.demo.report import print_report
from raftka.demo.scenario import GaveUp, Scenario
from raftka.local_cluster import LocalCluster, NodeFailed
from raftka.local_ports import free_ports
from raftka.model.errors import KafkaError

NODES: Final = 3
_CONTROLLER_PORTS_ABOVE: Final = 100
SETTINGS: Final = {
    "min.insync.replicas": "2",
    "default.replication.factor": "3",
    "num.partitions": "3",
    "group.initial.rebalance.delay.ms": "0",
}
"""Settings of every node; all others are Kafka's defaults."""


def main(argv: list[str]) -> int:
    """Exit code 0 when every acknowledged record was read and none was written twice, else 1."""
    options = _parser().parse_args(argv)
    # The demo reports each failover itself, in order and in full: silence the clients' own lines.
    logging.getLogger("raftka").setLevel(logging.ERROR)
    console = OutputConsole(highlight=False)
    ports, controller_ports = _ports(options.port)
    taken = [port for port in (*ports, *controller_ports) if _is_taken(port)]
    if taken:
        console.print(f"Port {taken[0]} is in use; --port chooses others.", style="red")
        return 1
    directory = Path(options.directory or tempfile.mkdtemp(prefix="raftka-demo-"))
    cluster = LocalCluster(
        directory,
        nodes=NODES,
        ports=ports,
        controller_ports=controller_ports,
        settings=SETTINGS,
        outlives=options.keep,
    )
    done = False
    try:
        done = _run(console, cluster, options)
    except (GaveUp, KafkaError, NodeFailed, OSError) as error:
        console.print(f"The demo could not go on: {error}", style="bold red", markup=False)
    except KeyboardInterrupt:
        console.print("Interrupted.")
    finally:
        if options.keep and cluster.processes:
            _tell_how_to_go_on(console, cluster)
        else:
            cluster.stop()
            if options.directory is None and done:
                shutil.rmtree(directory, ignore_errors=True)
            else:
                console.print(f"Data and logs are in {directory}.")
    return 0 if done else 1


def _run(console: Console, cluster: LocalCluster, options: argparse.Namespace) -> bool:
    """Whether no acknowledged record was lost or duplicated."""
    cluster.directory.mkdir(parents=True, exist_ok=True)
    lines = cluster.directory / "access.log"
    write_log(lines, options.records, options.seed)
    console.print(f"{options.records:,} lines of a web server's log: {lines}", soft_wrap=True)
    cluster.start()
    console.print(f"{NODES} nodes, each broker and controller: {cluster.bootstrap}", soft_wrap=True)
    columns = (TextColumn("{task.description:>13}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        scenario = Scenario(
            cluster, lines, records_per_s=options.rate, say=lambda words: _say(console, words)
        )
        trio.run(_with_progress, scenario, progress)
    return print_report(console, scenario).kept


async def _with_progress(scenario: Scenario, progress: Progress) -> None:
    """Run a scenario and show its progress."""
    total = len(scenario.lines)
    acknowledged = progress.add_task("acknowledged", total=total)
    read = progress.add_task("read", total=total)
    error: GaveUp | KafkaError | NodeFailed | None = None
    async with trio.open_nursery() as nursery:

        async def follow() -> None:
            while True:
                progress.update(acknowledged, completed=len(scenario.ledger.acknowledged))
                progress.update(read, completed=scenario.ledger.read)
                await trio.sleep(0.2)

        nursery.start_soon(follow)
        try:
            await scenario.run()
        except* (GaveUp, KafkaError, NodeFailed) as group:
            error = _first(group)
        nursery.cancel_scope.cancel()
    progress.update(read, completed=scenario.ledger.read)
    if error is not None:
        raise error


def _first(
    group: BaseExceptionGroup[GaveUp | KafkaError | NodeFailed],
) -> GaveUp | KafkaError | NodeFailed:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _say(console: Console, words: str) -> None:
    console.print(f"  {words}", markup=False)


def _tell_how_to_go_on(console: Console, cluster: LocalCluster) -> None:
    servers = ",".join(f"localhost:{port}" for port in cluster.ports.values())
    pids = " ".join(str(process.pid) for process in cluster.processes.values())
    console.print(
        f"\nThe cluster runs on: bootstrap.servers={servers}\n"
        f"Data and logs: {cluster.directory}\n"
        f"Stop it with: kill {pids}",
        markup=False,
        soft_wrap=True,
    )


def _ports(first: int) -> tuple[list[int], list[int]]:
    """The ports of the brokers, and of the controllers; free ones for 0."""
    if first == 0:
        free = free_ports(2 * NODES)
        return free[:NODES], free[NODES:]
    ports = [first + i for i in range(NODES)]
    return ports, [port + _CONTROLLER_PORTS_ABOVE for port in ports]


def _is_taken(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="raftka demo",
        description="Three nodes on this machine: web-server log lines are written with acks=all"
        " and read by a group of two, while the partition leader and then the active controller"
        " are killed with SIGKILL. The exit code says whether every acknowledged record was read.",
    )
    parser.add_argument("--keep", action="store_true", help="leave the cluster running")
    parser.add_argument("--records", type=int, default=50_000, help="lines (default: 50000)")
    parser.add_argument("--rate", type=int, default=5_000, help="lines a second (default: 5000)")
    parser.add_argument("--seed", type=int, default=1, help="of the log lines (default: 1)")
    parser.add_argument(
        "--port",
        type=int,
        default=29092,
        help="of the first node, the others follow, controllers 100 above; 0: any (default: 29092)",
    )
    parser.add_argument("--directory", help="where data and logs go (default: a temporary one)")
    return parser
