"""A cluster for tests: real nodes that a test kills, pauses and brings back.

    with Cluster(nodes=3) as cluster:
        producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers)
        cluster.kill(cluster.leader("orders", 0))

`async with` works under trio and asyncio alike. Methods that wait block the calling thread: from
async code, run them with `trio.to_thread.run_sync` or `asyncio.to_thread`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, TypeVar

from raftka.local_cluster import LocalCluster, NodeFailed
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from raftka.net.protocol.messages.describe_quorum import (
    DescribeQuorumRequest,
    RequestPartitionData,
    RequestTopicData,
)
from raftka.net.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from raftka.testing.wire import ask

T = TypeVar("T")

SETTINGS: Final[Mapping[str, str]] = {
    # A test waits neither for group members that never come nor for partitions that it does not
    # need.
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "4",
}
"""The settings of a test's cluster that differ from Kafka's defaults."""


_ANSWER_S: Final = 10.0
"""A timeout: a node answers at once, unless its machine is very busy."""
_MESSAGE_BYTES: Final = 1024


class Cluster(LocalCluster):
    """Nodes 1 to `nodes`, each broker and controller, each a process of its own.

    `settings` are those of server.properties, by Kafka's names. Without a `directory` the data is
    in a temporary one and is removed at the end, whatever ends the test run.
    """

    def __init__(
        self,
        nodes: int = 1,
        *,
        settings: Mapping[str, object] | None = None,
        directory: str | os.PathLike[str] | None = None,
    ) -> None:
        if nodes < 1:
            raise ValueError(f"a cluster has at least one node, not {nodes}")
        self._temporary = directory is None
        words = {name: _words(value) for name, value in (settings or {}).items()}
        super().__init__(
            tempfile.mkdtemp(prefix="raftka-") if directory is None else directory,
            nodes=nodes,
            settings={**SETTINGS, **words},
        )
        self._paused: set[int] = set()
        self._cuts: set[frozenset[int]] = set()
        self._sync_delay_s: dict[int, float] = {}
        self._controls: dict[int, socket.socket] = {}
        """The sockets that carry each node's faults."""
        self._messages = 0

    @property
    def bootstrap_servers(self) -> str:
        """The brokers' addresses, as clients want them in bootstrap.servers."""
        return self.bootstrap

    # Leaders and replicas.

    def leader(self, topic: str, partition: int = 0, timeout_s: float = 10.0) -> int:
        """The node that leads the partition, as the running nodes see it; waits for one."""
        found = partial(self._leader, topic, partition)
        return _until(found, f"{topic}-{partition} has no leader that runs", timeout_s)

    def controller(self, timeout_s: float = 10.0) -> int:
        """The node that is the active controller; waits for one."""
        return _until(self._controller, "there is no active controller", timeout_s)

    def isr(self, topic: str, partition: int = 0) -> list[int]:
        """The nodes in sync with the partition's leader."""
        found = self._partition(topic, partition)
        return [] if found is None else sorted(found.isr_nodes)

    def wait_for_isr(
        self, topic: str, partition: int = 0, size: int | None = None, timeout_s: float = 20.0
    ) -> list[int]:
        """Wait until `size` replicas are in sync, all of them by default; their nodes."""

        def enough() -> list[int]:
            found = self._partition(topic, partition)
            if found is None or not found.replica_nodes:
                return []
            wanted = len(found.replica_nodes) if size is None else size
            return sorted(found.isr_nodes) if len(found.isr_nodes) >= wanted else []

        return _until(enough, f"too few replicas of {topic}-{partition} are in sync", timeout_s)

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        replication_factor: int | None = None,
        configs: Mapping[str, object] | None = None,
    ) -> str:
        """Create a topic, on all nodes up to three by default; its name. Raises KafkaError."""
        topic = CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=replication_factor or min(3, len(self.node_ids)),
            configs=[
                CreatableTopicConfig(name=key, value=_words(value))
                for key, value in (configs or {}).items()
            ],
        )
        answer = self._ask(CreateTopicsRequest(topics=[topic]), 5).topics[0]
        if answer.error_code:
            raise KafkaError(ErrorCode(answer.error_code), answer.error_message or name)
        for partition in range(partitions):
            self.leader(name, partition)
        return name

    # Faults and repairs. `kill` and `stop_node` are LocalCluster's.

    def restart(self, node_id: int, timeout_s: float = 20.0) -> None:
        """Start the node again, after a SIGKILL if it still runs; returns when it serves."""
        if node_id in self.processes:
            self.kill(node_id)
        self.start_node(node_id, timeout_s)

    def kill(self, node_id: int) -> None:
        """SIGKILL: the process is gone at once, its disk stays as it is. Also for a paused node."""
        self._running(node_id)
        self._paused.discard(node_id)
        super().kill(node_id)

    def pause(self, node_id: int) -> None:
        """SIGSTOP: the process is suspended; its connections stay open, and it answers nothing."""
        os.kill(self._running(node_id), signal.SIGSTOP)
        self._paused.add(node_id)

    def resume(self, node_id: int) -> None:
        """SIGCONT: a paused node continues as if no time had passed."""
        os.kill(self._running(node_id), signal.SIGCONT)
        self._paused.discard(node_id)

    def partition(self, nodes: int | Iterable[int], others: int | Iterable[int] = ()) -> None:
        """Cut the network between `nodes` and `others`, all the rest by default, until `heal`.

        Clients still reach every node. Bytes in flight arrive after the cut, as with a cable that
        was pulled. Raises ValueError for a node that does not exist.
        """
        first = _ids(nodes)
        second = _ids(others) or set(self.node_ids) - first
        for node_id in first | second:
            self._known(node_id)
        self._cuts |= {frozenset((a, b)) for a in first for b in second if a != b}
        self._announce()

    def heal(self) -> None:
        """End every partition of the network."""
        self._cuts.clear()
        self._announce()

    def slow_disk(self, node_id: int, seconds: float) -> None:
        """Delay each sync of the node's disk by that time; 0 ends the delay."""
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"a sync takes 0 seconds longer or more, not {seconds}")
        self._known(node_id)
        self._sync_delay_s[node_id] = seconds
        self._announce()

    def _begin(
        self,
        node_id: int,
        arguments: list[str],
        out: BinaryIO,
        command: Sequence[str] = (),
        descriptors: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        self._forget(node_id)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with theirs:
            ours.settimeout(_ANSWER_S)
            ours.send(self._faults_of(node_id))
            self._controls[node_id] = ours
            command = ("-m", "raftka.testing.node", str(theirs.fileno()))
            return super()._begin(node_id, arguments, out, command, (theirs.fileno(),))

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        super()._ended(process)
        for node_id in set(self._controls) - set(self.processes):
            self._forget(node_id)

    def _forget(self, node_id: int) -> None:
        if (control := self._controls.pop(node_id, None)) is not None:
            control.close()

    def _faults_of(self, node_id: int) -> bytes:
        """The faults of a node, as raftka/testing/faults.py reads them."""
        away = [other for cut in self._cuts if node_id in cut for other in cut - {node_id}]
        ports = [port[other] for other in away for port in (self.ports, self.controller_ports)]
        self._messages += 1
        delay_s = self._sync_delay_s.get(node_id, 0.0)
        wanted = {"number": self._messages, "cut": sorted(ports), "sync_delay_s": delay_s}
        return json.dumps(wanted).encode()

    def _announce(self) -> None:
        """Send every node's process its faults; returns when all running ones have answered."""
        for node_id, control in self._controls.items():
            message = self._faults_of(node_id)
            try:
                control.send(message)
                while node_id not in self._paused:
                    if json.loads(control.recv(_MESSAGE_BYTES))["number"] == self._messages:
                        break
            except OSError:
                if node_id in self.processes and self.processes[node_id].poll() is None:
                    raise NodeFailed(f"node {node_id} does not answer its test") from None

    def stop(self) -> None:
        """End every node, and remove a temporary directory. A second call does nothing."""
        super().stop()
        self._paused.clear()
        for node_id in list(self._controls):
            self._forget(node_id)
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Cluster:
        if not self.processes:
            try:
                self.start()
            except BaseException:
                self.stop()
                raise
        return self

    async def __aenter__(self) -> Cluster:
        return await _in_thread(self.__enter__)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Quick, and a cancellation must not interrupt it half-way.
        self.stop()

    def _folders_of_its_own(self) -> list[Path]:
        return [self.directory] if self._temporary else []

    def _running(self, node_id: int) -> int:
        """The process of a node. Raises ValueError with the nodes that exist."""
        self._known(node_id)
        if node_id not in self.processes:
            raise ValueError(f"node {node_id} does not run; restart({node_id}) starts it")
        return self.processes[node_id].pid

    def _known(self, node_id: int) -> None:
        if node_id not in self.node_ids:
            raise ValueError(f"there is no node {node_id}; there are {list(self.node_ids)}")

    def _leader(self, topic: str, partition: int) -> int:
        found = self._partition(topic, partition)
        if found is None or found.leader_id not in self.processes:
            return 0
        return int(found.leader_id)

    def _controller(self) -> int:
        metadata = RequestTopicData(
            topic_name="__cluster_metadata", partitions=[RequestPartitionData(partition_index=0)]
        )
        answer = self._ask(DescribeQuorumRequest(topics=[metadata]), 1)
        if answer.error_code or not answer.topics:
            return 0
        leader = answer.topics[0].partitions[0].leader_id
        return int(leader) if leader in self.processes else 0

    def _partition(self, topic: str, partition: int) -> Any:
        wanted = MetadataRequest(
            topics=[MetadataRequestTopic(name=topic)], allow_auto_topic_creation=False
        )
        answer = self._ask(wanted, 9).topics[0]
        return next((p for p in answer.partitions if p.partition_index == partition), None)

    def _ask(self, request: Any, version: int) -> Any:
        """The answer of a running node, preferably one that is cut off from few others. Raises
        NodeFailed when none answers.
        """
        problem: OSError | None = None
        for node_id in sorted(self.processes, key=lambda i: sum(i in cut for cut in self._cuts)):
            if node_id in self._paused:
                continue
            try:
                return ask(self.ports[node_id], request, version)
            except OSError as error:
                problem = error
        raise NodeFailed("no node answers: none runs, or all are paused") from problem


def _until(condition: Callable[[], T], otherwise: str, timeout_s: float) -> T:
    """The condition's value, once it is true. Raises TimeoutError."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {timeout_s} s {otherwise}")
        time.sleep(0.01)
    return found


def _ids(nodes: int | Iterable[int]) -> set[int]:
    return {nodes} if isinstance(nodes, int) else set(nodes)


def _words(value: object) -> str:
    """A setting's text in server.properties: "true" for True."""
    return str(value).lower() if isinstance(value, bool) else str(value)


async def _in_thread(function: Callable[[], T]) -> T:
    """Run a blocking call in a thread, under trio or asyncio."""
    import trio

    if trio.lowlevel.in_trio_run():
        return await trio.to_thread.run_sync(function)
    import asyncio

    return await asyncio.to_thread(function)
