"""`raftka stop` (kafka-server-stop): a controlled shutdown of the nodes that run on this machine.

The options are those of Apache Kafka's script: without any, all nodes stop.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from raftka.configuration import SINGLE_NODE, Unreadable, read_file
from raftka.model.settings.reading import parse_overrides
from raftka.model.settings.setting import split_list


class RunningNode(NamedTuple):
    """A process that runs `raftka server`."""

    pid: int
    settings: dict[str, str]

    def matches(self, node_id: str | None, role: str | None) -> bool:
        """Whether it is the requested node and has the requested role; None matches any."""
        if node_id is not None and self.settings.get("node.id") != node_id:
            return False
        return role is None or role in split_list(self.settings.get("process.roles", ""))


def main(argv: list[str]) -> int:
    """Send SIGTERM to the chosen nodes; returns exit code 1 when there is none."""
    options = _parser().parse_args(argv)
    listing = subprocess.run(
        ["ps", "-ww", "-axo", "pid=,command="], capture_output=True, text=True, check=True
    )
    chosen = [
        node
        for node in running_nodes(listing.stdout.splitlines())
        if node.pid != os.getpid() and node.matches(options.node_id, options.process_role)
    ]
    for node in chosen:
        os.kill(node.pid, signal.SIGTERM)
    if not chosen:
        print("No kafka server to stop", file=sys.stderr)
    return 0 if chosen else 1


def running_nodes(lines: Iterable[str]) -> list[RunningNode]:
    """The nodes among the lines of `ps`: each a process id and a command line."""
    found = []
    for line in lines:
        pid, _, command = line.strip().partition(" ")
        words = command.split()
        at = next((i for i, word in enumerate(words[1:], 1) if word == "server"), None)
        if at is not None and words[at - 1].rpartition("/")[2] == "raftka" and pid.isdecimal():
            found.append(RunningNode(int(pid), _settings(int(pid), words[at + 1 :])))
    return found


def _settings(pid: int, arguments: list[str]) -> dict[str, str]:
    """The settings that a node was started with, as far as its command line shows."""
    overrides = [value for name, value in itertools.pairwise(arguments) if name == "--override"]
    files = [each for each in arguments[:1] if not each.startswith("-")]
    base = dict(SINGLE_NODE)
    if files:
        try:
            base = read_file(str(_directory(pid) / files[0]))
        except Unreadable:
            base = {}
    try:
        return {**base, **parse_overrides(overrides)}
    except ValueError:
        return base


def _directory(pid: int) -> Path:
    """A process's working directory; this one's own on systems that do not show it."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return Path.cwd()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="raftka stop", description="Stop the nodes on this machine, leadership first."
    )
    parser.add_argument("--node-id", help="only the node with this node.id")
    parser.add_argument("--process-role", help="only nodes with this role")
    return parser
