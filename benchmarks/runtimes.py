"""Kafka's own Streams, Connect and MirrorMaker on raftka, also while a broker is killed.

    python -m benchmarks.runtimes --kafka .../kafka                 every case, one after the other
    python -m benchmarks.runtimes --kafka .../kafka --no-kill pipe connect-distributed
    python -m benchmarks.runtimes --kafka .../kafka --libraries '.../libs/*' --libraries a.jar

The script starts a real Kafka and runs classes of its jars (`script class NAME`). `--libraries` is
a class path instead of its own, where that lacks classes: the examples of Streams, the connectors
for files, MirrorMaker. Every case has a cluster of three raftka nodes of its own, and every JVM is
ended as soon as the case has its answer.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.java_process import Runtime
from benchmarks.runtime_cases import connect, mirror, streams
from benchmarks.runtime_cases.stage import Missing, Stage, Unlike
from raftka.local_cluster import LocalCluster
from raftka.local_ports import free_ports

CASES: Final[dict[str, Callable[[Stage], str]]] = {
    **streams.CASES,
    **connect.CASES,
    **mirror.CASES,
}
_SETTINGS: Final = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "group.initial.rebalance.delay.ms": "0",
    "group.streams.initial.rebalance.delay.ms": "0",
    "group.streams.min.session.timeout.ms": "6000",
    "group.streams.session.timeout.ms": "6000",
}


def run(name: str, options: argparse.Namespace, *, killing: bool) -> str:
    """One case on a new cluster; what it found. Raises Unlike and Missing."""
    runtime = Runtime(options.kafka, options.libraries)
    ports = None
    if name in streams.NEEDS_PORT_9092:
        ports = [9092, *free_ports(2)]
        if not _is_free(ports[0]):
            raise Missing("it knows localhost:9092 only, which another process has")
    with (
        tempfile.TemporaryDirectory(dir=options.directory) as folder,
        LocalCluster(Path(folder) / "nodes", nodes=3, settings=_SETTINGS, ports=ports) as cluster,
    ):
        cluster.start(60)
        stage = Stage(cluster, runtime, Path(folder), options.kafka, killing=killing)
        try:
            found = CASES[name](stage)
        except Exception:
            if options.keep:
                shutil.copytree(folder, options.keep, dirs_exist_ok=True)
            raise
        return found


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return one.connect_ex(("127.0.0.1", port)) != 0


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    failed = 0
    for name in options.cases or CASES:
        for killing in (False, True) if options.kill is None else (options.kill,):
            title = f"{name}{', a broker killed' if killing else ''}"
            began = time.monotonic()
            try:
                words = run(name, options, killing=killing)
            except Missing as error:
                words = f"SKIPPED: {error}"
            except Unlike as error:
                failed += 1
                words = f"FAILED: {error}"
            print(f"{title}: {words} ({time.monotonic() - began:.0f} s)", flush=True)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--kafka", required=True, help="a script that runs a real Apache Kafka")
    parser.add_argument("--libraries", action="append", default=[], help="of a class path")
    parser.add_argument("--kill", action=argparse.BooleanOptionalAction, help="both by default")
    parser.add_argument("--directory", help="where the nodes keep their data")
    parser.add_argument("--keep", help="where everything of a case that fails is copied to")
    return parser


if __name__ == "__main__":
    sys.exit(main())
