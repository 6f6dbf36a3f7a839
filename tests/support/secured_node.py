"""One real node whose listeners require a login, and its permissions."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

CLUSTER_ID = "securedClusterOfRaftka"


class SecuredNode:
    """A node that runs; its files are in a folder of its own."""

    def __init__(self, folder: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.bootstrap = f"127.0.0.1:{port}"
        self.process = process
        self.bootstrap_option = "--bootstrap-server"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def tool(
        self, *words: str, client: Mapping[str, str], stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """One console tool, with the settings of its client in a file."""
        config = self.folder / "client.properties"
        config.write_text("".join(f"{name}={value}\n" for name, value in client.items()))
        option = {"console-producer": "--producer.config", "console-consumer": "--consumer.config"}
        return subprocess.run(
            [
                *(sys.executable, "-m", "raftka", words[0], self.bootstrap_option, self.bootstrap),
                *(option.get(words[0], "--command-config"), str(config), *words[1:]),
            ],
            capture_output=True,
            text=True,
            input=stdin,
            timeout=60,
        )


@contextmanager
def secured_node(
    folder: Path, settings: Mapping[str, str], format_options: Sequence[str] = ()
) -> Iterator[SecuredNode]:
    """Format and start a node of both roles, and stop it at the end. `settings` have the protocols
    of its listeners CLIENT and CONTROLLER. With `process.roles` controller it has only the latter,
    and receives requests there.
    """
    is_broker = "broker" in settings.get("process.roles", "broker")
    client, controller = _free_ports(2)
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"CLIENT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "log.dirs": str(folder / "data"),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "2",
        "group.initial.rebalance.delay.ms": "0",
        **settings,
    }
    if not is_broker:
        properties["listeners"] = f"CONTROLLER://127.0.0.1:{controller}"
        del properties["inter.broker.listener.name"]
    file = folder / "server.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    base = [sys.executable, "-m", "raftka"]
    subprocess.run(
        [*base, "storage", "format", "-t", CLUSTER_ID, "-c", str(file), *format_options],
        check=True,
        capture_output=True,
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*base, "server", str(file)], stdout=log, stderr=log)
    node = SecuredNode(folder, client if is_broker else controller, process)
    if not is_broker:
        node.bootstrap_option = "--bootstrap-controller"
    try:
        deadline = time.monotonic() + 30
        serves = "unfenced and serves" if is_broker else "is active"
        while serves not in node.log:
            assert process.poll() is None and time.monotonic() < deadline, node.log
            time.sleep(0.02)
        yield node
    finally:
        process.terminate()
        process.wait(20)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
