"""A real Apache Kafka beside raftka, by a script that starts it: start DIR N PORT, restart DIR I.

The script keeps DIR/I.pid, the process id of node I, which listens on PORT + 10 * (I - 1).
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from raftka.local_ports import free_ports


class KafkaPeer:
    """Nodes 1 to n that run; killed and started again as those of a LocalCluster."""

    def __init__(self, script: str, directory: Path, nodes: int, port: int) -> None:
        self.node_ids = tuple(range(1, nodes + 1))
        self.bootstrap = ",".join(f"127.0.0.1:{port + 10 * (i - 1)}" for i in self.node_ids)
        self._script = script
        self._directory = directory

    @property
    def pids(self) -> tuple[int, ...]:
        """The process of each node."""
        return tuple(self._pid(node) for node in self.node_ids)

    def kill(self, node: int) -> None:
        """SIGKILL."""
        os.kill(self._pid(node), signal.SIGKILL)

    def start_node(self, node: int) -> None:
        """Start a dead node again, on its data."""
        self._run("restart", str(self._directory), str(node))

    def log(self, node: int) -> str:
        """What a node has printed so far."""
        return (self._directory / f"{node}.out").read_text(errors="replace")

    def stop(self) -> None:
        """End all nodes at once."""
        self._run("stop", str(self._directory))

    def _pid(self, node: int) -> int:
        return int((self._directory / f"{node}.pid").read_text())

    def _run(self, *arguments: str) -> None:
        subprocess.run([self._script, *arguments], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def kafka_peer(script: str, nodes: int) -> Iterator[KafkaPeer]:
    """A cluster in a folder of its own, for as long as the body takes."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_ports(1)[0]
        started = [script, "start", folder, str(nodes), str(port)]
        subprocess.run(started, check=True, stdout=subprocess.DEVNULL)
        peer = KafkaPeer(script, Path(folder), nodes, port)
        try:
            yield peer
        finally:
            peer.stop()
