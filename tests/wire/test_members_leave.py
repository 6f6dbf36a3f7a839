"""Consumers that are stopped leave their group at once, whatever they are doing."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from raftka.local_cluster import LocalCluster
from raftka.net.protocol.messages.describe_groups import DescribeGroupsRequest
from raftka.testing.wire import ask
from tests.support.processes import until

pytestmark = pytest.mark.wire

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One node that lets the first member of a group wait, as is Kafka's default."""
    settings = {"group.initial.rebalance.delay.ms": "3000", "offsets.topic.num.partitions": "5"}
    with LocalCluster(tmp_path_factory.mktemp("leave"), nodes=1, settings=settings) as cluster:
        cluster.start()
        raftka(cluster, "topics", "--create", "--topic", "t", "--partitions", "2")
        raftka(cluster, "console-producer", "--topic", "t", text="a\nb\nc\n")
        yield cluster


def command(node: LocalCluster, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "raftka", *arguments, "--bootstrap-server", node.bootstrap]


def raftka(node: LocalCluster, *arguments: str, text: str = "") -> str:
    done = subprocess.run(
        command(node, *arguments), capture_output=True, text=True, input=text, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Member:
    """A console consumer in a process of its own; `stop` must be called."""

    def __init__(self, node: LocalCluster, group: str, directory: Path) -> None:
        self._node = node
        self._group = group
        self._out = directory / f"{group}.out"
        self._err = directory / f"{group}.err"
        consume = ("console-consumer", "--topic", "t", "--from-beginning", "--group", group)
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(command(node, *consume), stdout=out, stderr=err)

    def reads(self) -> bool:
        return b"c\n" in self._out.read_bytes()

    def state(self) -> str:
        """The group's state as the cluster reports it."""
        request = DescribeGroupsRequest(groups=[self._group])
        state: str = ask(self._node.ports[1], request, 5).groups[0].group_state
        return state

    def stop(self, number: signal.Signals) -> None:
        """Stop it, and check that the group has no member and can be reset at once."""
        self._process.send_signal(number)
        try:
            self._process.wait(10)
        finally:
            self._process.kill()
            self._process.wait()
        assert "Traceback" not in self._err.read_text()
        reset = ("--reset-offsets", "--topic", "t", "--to-earliest", "--execute")
        raftka(self._node, "consumer-groups", "--group", self._group, *reset)
        assert self.state() == "Empty"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_member_that_joins_leaves_at_once(
    node: LocalCluster, topic: str, tmp_path: Path, number: signal.Signals
) -> None:
    member = Member(node, topic, tmp_path)
    until(lambda: member.state() == "PreparingRebalance", "it joins")
    member.stop(number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_member_that_reads_leaves_at_once(
    node: LocalCluster, topic: str, tmp_path: Path, number: signal.Signals
) -> None:
    member = Member(node, topic, tmp_path)
    until(member.reads, "it reads")
    member.stop(number)


def test_a_member_leaves_at_any_moment(node: LocalCluster, topic: str, tmp_path: Path) -> None:
    dice = random.Random(topic)

    def one(number: int) -> None:
        member = Member(node, f"{topic}-{number}", tmp_path)
        time.sleep(dice.uniform(0.2, 5))
        # Python itself is not ready for SIGINT in its first moments.
        member.stop(signal.SIGTERM)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
