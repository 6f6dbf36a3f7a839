"""A cluster of real processes on this machine: for demos, tests and benchmarks.

    with LocalCluster(directory, nodes=3) as cluster:
        cluster.start()
        ... cluster.bootstrap ...
        cluster.kill(2)
        cluster.start_node(2)

Every node is `raftka server` with a server.properties of its own, as an operator would run it. If
this process ends without stopping them, for example by SIGKILL, its reaper does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from raftka.local_ports import free_ports
from raftka.model.ids import uuid_text
from raftka.reaper import Reaper

READY_LINE = "is unfenced and serves"
"""The line that a broker logs when it begins to serve clients."""


class NodeFailed(RuntimeError):
    """A node ended, or did not start serving in time; the message has the end of its log."""


class LocalCluster:
    """Nodes 1 to n, each broker and controller, data and logs under `directory`."""

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        nodes: int = 3,
        ports: Sequence[int] | None = None,
        controller_ports: Sequence[int] | None = None,
        settings: Mapping[str, str] | None = None,
        outlives: bool = False,
    ) -> None:
        """`outlives`: nodes keep running when this process ends."""
        self.directory = Path(directory)
        self.node_ids = tuple(range(1, nodes + 1))
        free = free_ports(2 * nodes)
        self.ports = dict(zip(self.node_ids, ports or free[:nodes], strict=True))
        self.controller_ports = dict(
            zip(self.node_ids, controller_ports or free[nodes:], strict=True)
        )
        self.cluster_id = uuid_text(os.urandom(16))
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self._settings = dict(settings or {})
        self._voter_ids = self.node_ids
        self._own: dict[int, dict[str, str]] = {}
        self._log_start: dict[int, int] = {}
        self._outlives = outlives
        self._reaper: Reaper | None = None

    @property
    def bootstrap(self) -> str:
        """bootstrap.servers with every broker in it."""
        return ",".join(
            f"127.0.0.1:{port}"
            for node_id, port in self.ports.items()
            if "broker" in self._own.get(node_id, {}).get("process.roles", "broker")
        )

    def configure(self, node_id: int, settings: Mapping[str, str]) -> None:
        """Set one node's own settings, which win over the cluster's. A new id adds a node, which is
        not among the configured voters, not formatted and not started. An empty value removes a
        setting.
        """
        if node_id not in self.node_ids:
            self.node_ids += (node_id,)
            self.ports[node_id], self.controller_ports[node_id] = free_ports(2)
        self._own.setdefault(node_id, {}).update(settings)

    def properties(self, node_id: int) -> dict[str, str]:
        """The server.properties of one node."""
        return {name: value for name, value in self._properties(node_id).items() if value}

    def _properties(self, node_id: int) -> dict[str, str]:
        voters = ",".join(f"{i}@127.0.0.1:{self.controller_ports[i]}" for i in self._voter_ids)
        replicas = min(3, len(self._voter_ids))
        own = {**self._settings, **self._own.get(node_id, {})}
        roles = own.get("process.roles", "broker,controller").split(",")
        broker = f"PLAINTEXT://127.0.0.1:{self.ports[node_id]}"
        controller = f"CONTROLLER://127.0.0.1:{self.controller_ports[node_id]}"
        listeners = {"broker": broker, "controller": controller}
        return {
            "process.roles": ",".join(roles),
            "node.id": str(node_id),
            "listeners": ",".join(listeners[role] for role in roles),
            **({"advertised.listeners": broker} if "broker" in roles else {}),
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": voters,
            "log.dirs": str(self.data(node_id)),
            "offsets.topic.replication.factor": str(replicas),
            "transaction.state.log.replication.factor": str(replicas),
            "transaction.state.log.min.isr": str(min(replicas, 2)),
            "share.coordinator.state.topic.replication.factor": str(replicas),
            "share.coordinator.state.topic.min.isr": str(min(replicas, 2)),
            **own,
        }

    def config_path(self, node_id: int) -> Path:
        """The node's server.properties."""
        return self.directory / f"node-{node_id}.properties"

    def log_path(self, node_id: int) -> Path:
        """The node's output since it was first started."""
        return self.directory / f"node-{node_id}.log"

    def log(self, node_id: int) -> str:
        """The node's whole log so far, over its restarts."""
        path = self.log_path(node_id)
        return path.read_text(errors="replace") if path.exists() else ""

    def write_properties(self, node_id: int) -> None:
        """Write the node's server.properties."""
        self.directory.mkdir(parents=True, exist_ok=True)
        lines = (f"{name}={value}" for name, value in self.properties(node_id).items())
        self.config_path(node_id).write_text("\n".join(lines) + "\n")

    def format(self, node_id: int, *options: str) -> None:
        """Write the properties and format the directory; does nothing the second time. `options`:
        further options of `raftka storage format`.
        """
        self.write_properties(node_id)
        self._run(
            "storage",
            "format",
            f"--cluster-id={self.cluster_id}",
            "--config",
            str(self.config_path(node_id)),
            "--ignore-formatted",
            *options,
        )

    def start(self, timeout_s: float = 20.0) -> None:
        """Format and start all nodes; returns when all of them serve. Raises NodeFailed."""
        for node_id in self.node_ids:
            self.write_properties(node_id)
            self.launch(node_id, format_first=True)
        deadline = time.monotonic() + timeout_s
        for node_id in self.node_ids:
            self.await_ready(node_id, deadline - time.monotonic())

    def start_node(self, node_id: int, timeout_s: float = 20.0) -> None:
        """Start one node again and wait until it serves."""
        self.launch(node_id)
        self.await_ready(node_id, timeout_s)

    def launch(self, node_id: int, *, format_first: bool = False) -> None:
        """Start one node and return at once; `format_first` formats its directory if necessary."""
        arguments = [str(self.config_path(node_id)), *(["--dev"] if format_first else [])]
        reaper = self._watched()
        with self.log_path(node_id).open("ab") as out:
            self._log_start[node_id] = out.tell()
            process = self.processes[node_id] = self._begin(node_id, arguments, out)
        if reaper is not None:
            reaper.watch(process.pid)

    def _begin(
        self,
        node_id: int,
        arguments: list[str],
        out: BinaryIO,
        command: Sequence[str] = ("-m", "raftka", "server"),
        descriptors: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Begin a node's process, which inherits `descriptors`."""
        return subprocess.Popen(
            [sys.executable, *command, *arguments],
            env={**os.environ, "CLUSTER_ID": self.cluster_id},
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            pass_fds=descriptors,
        )

    def _watched(self) -> Reaper | None:
        if self._reaper is None and not self._outlives:
            self._reaper = Reaper()
            for folder in self._folders_of_its_own():
                self._reaper.own_folder(folder)
        return self._reaper

    def _folders_of_its_own(self) -> list[Path]:
        """The folders to remove when this process ends without stopping the cluster."""
        return []

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        """Note that the process has ended and was waited for."""
        if self._reaper is not None:
            self._reaper.forget(process.pid)

    def await_ready(self, node_id: int, timeout_s: float = 20.0) -> None:
        """Wait until a launched node serves. Raises NodeFailed."""
        deadline = time.monotonic() + timeout_s
        process = self.processes[node_id]
        while True:
            with self.log_path(node_id).open("rb") as log:
                log.seek(self._log_start[node_id])
                words = log.read().decode(errors="replace")
            if READY_LINE in words:
                return
            if process.poll() is not None:
                raise NodeFailed(
                    f"node {node_id} ended with {process.returncode}:\n{words[-3000:]}"
                )
            if time.monotonic() > deadline:
                raise NodeFailed(f"node {node_id} is not ready in {timeout_s} s:\n{words[-3000:]}")
            time.sleep(0.01)

    def data(self, node_id: int) -> Path:
        """The log directory of one node."""
        return self.directory / f"node-{node_id}"

    def kill(self, node_id: int) -> None:
        """SIGKILL: no shutdown, as in a crash."""
        process = self.processes.pop(node_id)
        process.kill()
        process.wait()
        self._ended(process)

    def stop_node(self, node_id: int, timeout_s: float = 30.0) -> int:
        """SIGTERM, a controlled shutdown; the exit code. Raises NodeFailed when it takes longer."""
        process = self.processes.pop(node_id)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait()
            raise NodeFailed(f"node {node_id} did not stop in {timeout_s} s") from error
        finally:
            self._ended(process)

    def stop(self) -> None:
        """Kill everything that still runs, without a controlled shutdown."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
        self.processes.clear()
        if self._reaper is not None:
            self._reaper.close()
            self._reaper = None

    def __enter__(self) -> LocalCluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "raftka", *arguments], capture_output=True, text=True
        )
        if done.returncode:
            raise NodeFailed(f"raftka {' '.join(arguments)}: {done.stdout}{done.stderr}")
