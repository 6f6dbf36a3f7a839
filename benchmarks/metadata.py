"""The rate of three nodes' controllers, and the duration of starts and failovers.

    python -m benchmarks.metadata
    python -m benchmarks.metadata --only start,topics --partitions 1000

Prints committed metadata operations one at a time and with many in flight, topics one at a time
and a thousand in one request, the time until 10,000 partitions are created and led, how long
until another controller acts once the active one is killed then, and the time from the start of
unformatted nodes to the first acknowledged record.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio

from raftka import logs
from raftka.client.admin import Admin, Alteration, NewTopic, Resource, ResourceType
from raftka.client.producer import Producer
from raftka.local_cluster import LocalCluster
from raftka.local_ports import free_ports
from raftka.model.errors import KafkaError

_PATIENCE_S: Final = 120.0
_IN_FLIGHT: Final = 64
"""Connections; each has one request of many alterations under way."""
_PER_REQUEST: Final = 50


def report(what: str, figure: str) -> None:
    print(f"{what:<58}{figure:>16}")
    sys.stdout.flush()


def _alteration(number: int, name: str) -> dict[Resource, list[Alteration]]:
    wanted = Alteration("retention.ms", str(1_000_000 + number))
    return {Resource(ResourceType.TOPIC, name): [wanted]}


async def operations(cluster: LocalCluster, seconds: float) -> None:
    """Alterations of topics' settings, each a commit by the quorum."""
    settings = {"bootstrap.servers": cluster.bootstrap}
    async with Admin(settings) as admin:
        names = [f"altered-{number}" for number in range(_PER_REQUEST)]
        await admin.create_topics([NewTopic(name, 1, 3) for name in names])
        count, begin_s = 0, time.monotonic()
        while time.monotonic() - begin_s < seconds:
            await admin.incremental_alter_configs(_alteration(count, names[0]))
            count += 1
        report("operations/s, one at a time", f"{count / (time.monotonic() - begin_s):,.0f}")

    done = 0

    async def many(first: int) -> None:
        nonlocal done
        async with Admin(settings) as admin:
            number = first
            while time.monotonic() < end_s:
                changes: dict[Resource, list[Alteration]] = {}
                for name in names:
                    changes |= _alteration(number, name)
                    number += 1
                await admin.incremental_alter_configs(changes)
                done += len(changes)

    begin_s = time.monotonic()
    end_s = begin_s + seconds
    async with trio.open_nursery() as nursery:
        for lane in range(_IN_FLIGHT):
            nursery.start_soon(many, lane * 1_000_000)
    rate = done / (time.monotonic() - begin_s)
    report(f"operations/s, {_IN_FLIGHT} requests of {_PER_REQUEST} in flight", f"{rate:,.0f}")


async def topics(cluster: LocalCluster) -> None:
    """Topics with three replicas: one after the other, and a thousand in one request."""
    async with Admin({"bootstrap.servers": cluster.bootstrap}) as admin:
        begin_s = time.monotonic()
        for number in range(100):
            await admin.create_topics([NewTopic(f"one-{number}", 1, 3)])
        rate = 100 / (time.monotonic() - begin_s)
        report("topics/s, one at a time", f"{rate:,.0f}")
        wanted = [NewTopic(f"bulk-{number}", 1, 3) for number in range(1000)]
        begin_s = time.monotonic()
        await admin.create_topics(wanted)
        report("1,000 topics in one request", f"{time.monotonic() - begin_s:.2f} s")
        await admin.delete_topics([topic.name for topic in wanted])


async def first_ack(bootstrap: str, topic: str, partition: int = 0) -> None:
    """Return when a record is acknowledged, whatever it takes until then."""
    # A measurement of a start must not add a pause of its own.
    backoff = {"reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 10, "retry.backoff.ms": 10}
    settings = {"bootstrap.servers": bootstrap, "acks": "all", **backoff}
    async with Producer(settings) as producer:
        await (await producer.send(topic, b"x", partition=partition))


async def _until_led(admin: Admin, name: str, count: int) -> None:
    while True:
        described = (await admin.describe_topics([name]))[name].partitions
        if len(described) == count and all(
            each.leader is not None and len(each.isr) == 3 for each in described
        ):
            return
        await trio.sleep(0.05)


async def many_partitions(cluster: LocalCluster, count: int) -> int:
    """Create them and wait until each is led and serves; the active controller's id."""
    async with Admin({"bootstrap.servers": cluster.bootstrap}) as admin:
        begin_s = time.monotonic()
        await admin.create_topics([NewTopic("wide", count, 3)])
        created_s = time.monotonic() - begin_s
        await _until_led(admin, "wide", count)
        # Roles are taken in the order of the partitions.
        for partition in range(count - 3, count):
            await first_ack(cluster.bootstrap, "wide", partition)
        report(f"{count:,} partitions: answered", f"{created_s:.2f} s")
        report(f"{count:,} partitions: led, the last ones serve", _since(begin_s))
        return (await admin.describe_quorum()).leader_id


async def controller_failover(cluster: LocalCluster, controller: int) -> None:
    """Kill the active controller; until a topic can be made, and until all partitions are led."""
    alive = [f"127.0.0.1:{port}" for node, port in cluster.ports.items() if node != controller]
    async with Admin({"bootstrap.servers": ",".join(alive)}) as admin:
        await admin.list_topics()
        cluster.kill(controller)
        begin_s = time.monotonic()
        await _retried(lambda: admin.create_topics([NewTopic("after", 1, 2)]))
        report("then kill -9 of the active controller: it acts again", _since(begin_s))
        while True:
            described = (await admin.describe_topics(["wide"]))["wide"].partitions
            leaders = [each.leader for each in described]
            if all(leader is not None and leader.id != controller for leader in leaders):
                break
            await trio.sleep(0.02)
        report("... and every partition has another leader", _since(begin_s))


async def _retried(attempt: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await attempt()
            return
        except KafkaError:
            await trio.sleep(0.01)


def _since(begin_s: float) -> str:
    return f"{time.monotonic() - begin_s:.2f} s"


@contextmanager
def unformatted(directory: Path, nodes: int) -> Iterator[str]:
    """Start nodes whose directories do not exist, as `raftka server --dev`; their addresses."""
    template = LocalCluster(directory, nodes=nodes, ports=free_ports(nodes))
    directory.mkdir()
    environment = {**os.environ, "CLUSTER_ID": template.cluster_id}
    processes = []
    try:
        for node_id in template.node_ids:
            path = template.config_path(node_id)
            lines = [f"{name}={value}" for name, value in template.properties(node_id).items()]
            path.write_text("\n".join(lines) + "\n")
            command = [sys.executable, "-m", "raftka", "server", str(path), "--dev"]
            with template.log_path(node_id).open("wb") as out:
                processes.append(subprocess.Popen(command, stdout=out, stderr=out, env=environment))
        yield template.bootstrap
    finally:
        for process in processes:
            process.kill()
            process.wait()


def starts(directory: Path, times: int = 3) -> None:
    """From the launch of unformatted nodes to the first acknowledged record; the best of a few."""
    for nodes in (1, 3):
        found = []
        for number in range(times):
            begin_s = time.monotonic()
            with unformatted(directory / f"start-{nodes}-{number}", nodes) as bootstrap:
                trio.run(first_ack, bootstrap, "first")
                found.append(time.monotonic() - begin_s)
        words = ", ".join(f"{each:.2f}" for each in sorted(found))
        report(f"start of {nodes} unformatted to the first acknowledgement", f"{words} s")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="start,operations,topics,partitions")
    parser.add_argument("--partitions", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--directory", help="where the nodes keep their data")
    options = parser.parse_args(argv)
    wanted = options.only.split(",")
    logs.configure("error")  # The time until nodes answer is the measurement.
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        if "start" in wanted:
            starts(Path(directory))
        with LocalCluster(Path(directory) / "three") as cluster:
            cluster.start(60)
            if "operations" in wanted:
                trio.run(operations, cluster, options.seconds)
            if "topics" in wanted:
                trio.run(topics, cluster)
            if "partitions" in wanted:
                controller = trio.run(many_partitions, cluster, options.partitions)
                trio.run(controller_failover, cluster, controller)
    return 0


if __name__ == "__main__":
    sys.exit(main())
