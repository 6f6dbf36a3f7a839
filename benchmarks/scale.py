"""How many partitions three nodes carry: the curve of times, memory and idle CPU.

    python -m benchmarks.scale
    python -m benchmarks.scale --partitions 1000 10000 100000 --directory /some/disk
    python -m benchmarks.scale --groups 5000

A tenth of the partitions is hosted by each of three nodes, the rest by seven stand-ins: brokers
that register and send heartbeats and do nothing else, so that the metadata of a cluster of ten fits
on one machine. For each step: until the requests that create the partitions are answered, until the
last ones on each node serve, memory and idle CPU of the three. At the end the active controller is
killed (until another one creates a topic), and started again (until it serves, and until its last
partition takes a record). `--groups`: as many connections, each with a group that commits.
"""

from __future__ import annotations

import argparse
import functools
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Final

import trio

from benchmarks.load import cpu_seconds, pss_mb
from benchmarks.metadata import first_ack
from raftka import logs
from raftka.client.admin import Admin, NewTopic, SomeFailed
from raftka.local_cluster import LocalCluster
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection
from raftka.net.channel import Channel
from raftka.net.clock import system_clock
from raftka.net.protocol.messages.broker_heartbeat import BrokerHeartbeatRequest
from raftka.net.protocol.messages.broker_registration import (
    BrokerRegistrationRequest,
    Feature,
    Listener,
)
from raftka.net.protocol.messages.find_coordinator import FindCoordinatorRequest
from raftka.net.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from raftka.net.transport import TcpNetwork

NODES: Final = (1, 2, 3)
STAND_INS: Final = tuple(range(4, 11))
_WIDTH: Final = 1000
"""Partitions of a topic."""
_BEAT_S: Final = 1.0
_CAUGHT_UP: Final = 1 << 60
"""A metadata offset that is beyond all that a stand-in would have to know."""
_IDLE_S: Final = 5.0


def report(what: str, figure: str) -> None:
    print(f"{what:<62}{figure:>18}", flush=True)


async def _hang_up(stream: trio.SocketStream) -> None:
    """Refuse service: the connection is closed on return."""


class StandIn:
    """A broker that exists in the metadata only: it registers, and sends heartbeats."""

    def __init__(self, cluster: LocalCluster, node_id: int) -> None:
        self._node_id = node_id
        self._port = 0
        self._cluster_id = cluster.cluster_id
        self._controllers = [("127.0.0.1", port) for port in cluster.controller_ports.values()]
        self.serves = trio.Event()
        """Set when it is unfenced."""

    async def run(self) -> None:
        """Live until cancelled, at whichever controller is active."""
        async with trio.open_nursery() as nursery:
            # A controller that begins asks whether anything listens there, and fences it if not.
            listen = functools.partial(trio.serve_tcp, host="127.0.0.1")
            [listener] = await nursery.start(listen, _hang_up, 0)
            self._port = listener.socket.getsockname()[1]
            await self._follow_controllers()

    async def _follow_controllers(self) -> None:
        incarnation, directory = os.urandom(16), os.urandom(16)
        epoch = -1
        while True:
            for place in self._controllers:
                try:
                    connection = await TcpNetwork().connect(*place, timeout_s=2.0)
                except BrokenConnection:
                    await trio.sleep(0.05)
                    continue
                channel = Channel(connection, f"stand-in-{self._node_id}", system_clock())
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(channel.run)
                    try:
                        epoch = await self._live(channel, incarnation, directory, epoch)
                    except (BrokenConnection, KafkaError):
                        await trio.sleep(0.05)
                    channel.close("the stand-in goes on elsewhere")
                    nursery.cancel_scope.cancel()

    async def _live(
        self, channel: Channel, incarnation: bytes, directory: bytes, epoch: int
    ) -> int:
        """Be a broker of one controller until that is not the active one any longer."""
        await channel.negotiate("raftka", "stand-in", 2.0)
        if epoch < 0:
            epoch = await self._register(channel, incarnation, directory)
        while epoch >= 0:
            beat = BrokerHeartbeatRequest(
                broker_id=self._node_id, broker_epoch=epoch, current_metadata_offset=_CAUGHT_UP
            )
            version = channel.version_for(BrokerHeartbeatRequest)
            answer = await channel.request(beat, version, 2.0)
            if answer.error_code:
                break
            if not answer.is_fenced:
                self.serves.set()
            await trio.sleep(_BEAT_S if self.serves.is_set() else 0.05)
        return epoch

    async def _register(self, channel: Channel, incarnation: bytes, directory: bytes) -> int:
        request = BrokerRegistrationRequest(
            broker_id=self._node_id,
            cluster_id=self._cluster_id,
            incarnation_id=incarnation,
            listeners=[Listener(name="PLAINTEXT", host="127.0.0.1", port=self._port)],
            features=[
                Feature(name=name, min_supported_version=0, max_supported_version=32767)
                for name in channel.features.levels
            ],
            log_dirs=[directory],
        )
        version = channel.version_for(BrokerRegistrationRequest)
        answer = await channel.request(request, version, 5.0)
        return answer.broker_epoch if answer.error_code == ErrorCode.NONE else -1


async def create(admin: Admin, first: int, count: int) -> None:
    """`count` partitions in topics of _WIDTH, a tenth on each of ten brokers."""
    everyone = (*NODES, *STAND_INS)
    for topic in range(first // _WIDTH, (first + count) // _WIDTH):
        assignments = {index: [everyone[index % len(everyone)]] for index in range(_WIDTH)}
        problem: ErrorCode | None = None
        while True:
            try:
                await admin.create_topics([NewTopic(f"wide-{topic}", assignments=assignments)])
                break
            except SomeFailed as error:
                if error.code is ErrorCode.TOPIC_ALREADY_EXISTS:
                    break  # The first attempt was done, and its answer lost.
                # A stand-in is fenced for a while where the controller was replaced.
                passing = (ErrorCode.NOT_CONTROLLER, ErrorCode.INVALID_REPLICA_ASSIGNMENT)
                if not error.retriable and error.code not in passing:
                    raise
                if error.code is not problem:
                    problem = error.code
                    report(f"  trying again to create wide-{topic}", problem.name)
                await trio.sleep(0.1)


async def step(cluster: LocalCluster, admin: Admin, before: int, total: int) -> None:
    """Grow from `before` partitions to `total`, and measure."""
    pids = [process.pid for process in cluster.processes.values()]
    memory_mb, cpu_s = pss_mb(pids), cpu_seconds(pids)
    begin_s = time.monotonic()
    await create(admin, before, total - before)
    report(f"{total:,} partitions: answered", f"{time.monotonic() - begin_s:.2f} s")
    last = total // _WIDTH - 1
    for node in NODES:
        # Roles are taken in the order of the partitions.
        await first_ack(cluster.bootstrap, f"wide-{last}", _WIDTH - 10 + node - 1)
    report("  led, the last ones of each node serve", f"{time.monotonic() - begin_s:.2f} s")
    report("  CPU of the three nodes for it", f"{cpu_seconds(pids) - cpu_s:.2f} s")
    await trio.sleep(3)
    hosted = (total - before) * len(NODES) / 10
    grown_mb = pss_mb(pids) - memory_mb
    report(
        "  memory (PSS) of the three; more for each hosted partition",
        f"{pss_mb(pids):.0f} MB; {grown_mb * 1024 / hosted:.1f} KB",
    )
    cpu_s = cpu_seconds(pids)
    await trio.sleep(_IDLE_S)
    share = (cpu_seconds(pids) - cpu_s) / _IDLE_S / len(NODES)
    report("  idle CPU of each, of a core", f"{share * 100:.1f} %")


async def end_of_controller(cluster: LocalCluster, total: int) -> None:
    """Kill the active controller, then start it again."""
    async with Admin({"bootstrap.servers": cluster.bootstrap}) as admin:
        controller = (await admin.describe_quorum()).leader_id
    alive = [f"127.0.0.1:{port}" for node, port in cluster.ports.items() if node != controller]
    other = next(node for node in NODES if node != controller)
    async with Admin({"bootstrap.servers": ",".join(alive)}) as admin:
        await admin.list_topics()
        cluster.kill(controller)
        begin_s = time.monotonic()
        while True:
            try:
                await admin.create_topics([NewTopic("after", assignments={0: [other]})])
                break
            except KafkaError:
                await trio.sleep(0.01)
        report("kill -9 of the active controller: it acts again", _since(begin_s))
    begin_s = time.monotonic()
    await trio.to_thread.run_sync(cluster.start_node, controller, 120)
    report("its start until it serves", _since(begin_s))
    partition = _WIDTH - 10 + controller - 1
    await first_ack(cluster.bootstrap, f"wide-{total // _WIDTH - 1}", partition)
    report("... until its last partition takes a record", _since(begin_s))


def _since(begin_s: float) -> str:
    return f"{time.monotonic() - begin_s:.2f} s"


async def grow(cluster: LocalCluster, totals: Sequence[int]) -> None:
    """The curve."""
    async with trio.open_nursery() as nursery:
        stand_ins = [StandIn(cluster, node) for node in STAND_INS]
        for each in stand_ins:
            nursery.start_soon(each.run)
        for each in stand_ins:
            await each.serves.wait()
        before = 0
        async with Admin({"bootstrap.servers": cluster.bootstrap}) as admin:
            for total in totals:
                await step(cluster, admin, before, total)
                before = total
        await end_of_controller(cluster, before)
        nursery.cancel_scope.cancel()


async def many_groups(cluster: LocalCluster, count: int) -> None:
    """`count` connections, each with a group of its own that commits an offset."""
    pids = [process.pid for process in cluster.processes.values()]
    async with Admin({"bootstrap.servers": cluster.bootstrap}) as admin:
        await admin.create_topics([NewTopic("grouped", 3, 3)])
        memory_mb, begin_s = pss_mb(pids), time.monotonic()
        latencies: list[float] = []
        limit = trio.Semaphore(64)
        async with trio.open_nursery() as nursery:
            gone = trio.Event()
            left = count

            def done() -> None:
                nonlocal left
                left -= 1
                if not left:
                    gone.set()

            for number in range(count):
                nursery.start_soon(_member, cluster, number, limit, latencies, done)
            await gone.wait()
            report(f"{count:,} connections, each group committed once", _since(begin_s))
            ordered = sorted(latencies)
            p99_ms = ordered[int(len(ordered) * 0.99)] * 1000
            report("  a commit, p50 / p99", f"{ordered[count // 2] * 1000:.0f} / {p99_ms:.0f} ms")
            grown_kb = (pss_mb(pids) - memory_mb) * 1024 / count
            report("  memory (PSS) for each, over three nodes", f"{grown_kb:.1f} KB")
            cpu_s = cpu_seconds(pids)
            await trio.sleep(_IDLE_S)
            share = (cpu_seconds(pids) - cpu_s) / _IDLE_S / len(NODES)
            report("  idle CPU of each node with them open", f"{share * 100:.1f} %")
            nursery.cancel_scope.cancel()


async def _member(
    cluster: LocalCluster,
    number: int,
    limit: trio.Semaphore,
    latencies: list[float],
    done: Callable[[], None],
) -> None:
    group, clock = f"group-{number}", system_clock()
    ports = list(cluster.ports.values())
    node = 0
    await limit.acquire()
    while True:
        connection = await TcpNetwork().connect("127.0.0.1", ports[node], timeout_s=30.0)
        channel = Channel(connection, group, clock)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.run)
            found = await _commit(channel, group, latencies)
            if found is None:
                limit.release()
                done()
                await trio.sleep_forever()
            node = ports.index(found) if found in ports else (node + 1) % len(ports)
            channel.close("its coordinator is elsewhere")
            nursery.cancel_scope.cancel()


async def _commit(channel: Channel, group: str, latencies: list[float]) -> int | None:
    """Commit if the coordinator is here; otherwise the port of the node to ask, None when done."""
    finding = FindCoordinatorRequest(key=group, coordinator_keys=[group])
    answer = await channel.request(finding, 4, 30.0)
    told = answer.coordinators[0]
    if told.error_code:
        await trio.sleep(0.05)
        return 0
    if not channel.peer.endswith(f":{told.port}"):
        return told.port
    request = OffsetCommitRequest(
        group_id=group,
        topics=[
            OffsetCommitRequestTopic(
                name="grouped",
                partitions=[OffsetCommitRequestPartition(partition_index=0, committed_offset=1)],
            )
        ],
    )
    begin_s = time.monotonic()
    committed = await channel.request(request, 8, 30.0)
    if committed.topics[0].partitions[0].error_code:
        await trio.sleep(0.05)
        return told.port
    latencies.append(time.monotonic() - begin_s)
    return None


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--partitions", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--groups", type=int, default=0, help="connections, with a group each")
    parser.add_argument("--directory", help="where the nodes keep their data")
    options = parser.parse_args(argv)
    if any(each % _WIDTH for each in options.partitions):
        parser.error(f"--partitions takes multiples of {_WIDTH}")
    logs.configure("error")  # The time until nodes answer is the measurement.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard) if soft < hard else (soft, hard))
    with (
        tempfile.TemporaryDirectory(dir=options.directory) as directory,
        LocalCluster(directory) as cluster,
    ):
        cluster.start(60)
        if options.groups:
            trio.run(many_groups, cluster, options.groups)
        elif options.partitions:
            trio.run(grow, cluster, sorted(options.partitions))
    return 0


if __name__ == "__main__":
    sys.exit(main())
