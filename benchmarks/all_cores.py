"""The gain of a node for each core: `raftka server --processes 2` against one, both on one core.

    python -m benchmarks.all_cores

A machine of two cores cannot show the rate of two nodes: the load generator takes one. But it can
show whether two nodes lose anything. The nodes are pinned to the last core, the generators to the
first, and one-record requests (acks=1, 32 connections in all) go to partitions that each node
leads. If each request costs the same CPU as on one node, and both nodes are equally busy, two cores
serve twice the requests of one; any difference is the loss.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import trio

from benchmarks.broker import batch, check_produce, produce_frame
from benchmarks.load import cpu_seconds, run
from raftka.client.admin import Admin, NewTopic
from raftka.local_ports import free_ports
from raftka.model.errors import KafkaError

_CONNECTIONS: Final = 32
_PATIENCE_S: Final = 60.0

Place = tuple[tuple[str, int], str]
"""Where a node listens, and the topic that it leads."""


def children(pid: int) -> list[int]:
    """The processes that one has started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return sorted(int(each) for task in tasks for each in task.read_text().split())


def pin(pid: int, core: int) -> None:
    """Keep all threads of a process on one core."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


async def prepare(bootstrap: str, nodes: int) -> list[Place]:
    """A topic for each node to lead; where they are."""
    async with Admin({"bootstrap.servers": bootstrap}) as admin:
        with trio.fail_after(_PATIENCE_S):
            brokers = (await admin.describe_cluster()).nodes
            while len(brokers) < nodes:  # nothing announces it
                await trio.sleep(0.1)
                brokers = (await admin.describe_cluster()).nodes
        places = []
        for broker in sorted(brokers, key=lambda each: each.id):
            topic = f"bench-{broker.id}"
            with trio.fail_after(_PATIENCE_S):
                while True:
                    try:
                        await admin.create_topics([NewTopic(topic, assignments={0: [broker.id]})])
                        break
                    except KafkaError:
                        await trio.sleep(0.2)
            places.append(((broker.host, broker.port), topic))
        await trio.sleep(1)
        return places


def generate(place: Place, connections: int, seconds: float, core: int) -> tuple[int, float]:
    """Load one node from a process of its own; requests and seconds."""
    endpoint, topic = place
    os.sched_setaffinity(0, {core})
    result = run(
        [endpoint],
        produce_frame(batch(100), 1, topic),
        connections=connections,
        in_flight=1,
        seconds=seconds,
        pids=[],
        check=partial(check_produce, topic=topic),
    )
    return result.requests, result.seconds


@contextmanager
def serving(processes: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`raftka server --processes N` in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        port, controller = free_ports(2)
        path = Path(folder) / "server.properties"
        path.write_text(
            "process.roles=broker,controller\n"
            "node.id=1\n"
            f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n"
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n"
            "controller.listener.names=CONTROLLER\n"
            f"controller.quorum.voters=1@127.0.0.1:{controller}\n"
            "offsets.topic.replication.factor=1\n"
            f"log.dirs={folder}/data\n"
        )
        command = [sys.executable, "-m", "raftka", "server", str(path), "--dev"]
        if processes > 1:
            command += ["--processes", str(processes)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield f"127.0.0.1:{port}", server
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def measure(processes: int, seconds: float) -> tuple[float, float, list[float]]:
    """Requests per second, CPU µs for each, and each node's share of the CPU that all used."""
    cores = sorted(os.sched_getaffinity(0))
    with serving(processes) as (bootstrap, server):
        places = trio.run(prepare, bootstrap, processes)
        pids = children(server.pid) if processes > 1 else [server.pid]
        for pid in pids:
            pin(pid, cores[-1])
        context = multiprocessing.get_context("spawn")
        with context.Pool(processes) as pool:
            work = [(place, _CONNECTIONS // processes, 1.0, cores[0]) for place in places]
            pool.starmap(generate, work)
            before = [cpu_seconds([pid]) for pid in pids]
            work = [(place, each, seconds, core) for place, each, _, core in work]
            found = pool.starmap(generate, work)
            used = [cpu_seconds([pid]) - was for pid, was in zip(pids, before, strict=True)]
    requests = sum(each for each, _ in found)
    longest = max(each for _, each in found)
    return requests / longest, sum(used) / requests * 1e6, [each / sum(used) for each in used]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(argv)
    costs: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(options.rounds):
        for processes in costs:
            rate, cost_us, shares = measure(processes, options.seconds)
            costs[processes].append(cost_us)
            busy = ", ".join(f"{share * 100:.0f} %" for share in shares)
            print(
                f"{processes} on one core: {rate:8,.0f} requests/s, {cost_us:6.1f} µs of CPU each,"
                f" shares {busy}",
                flush=True,
            )
    one, two = (sorted(each)[len(each) // 2] for each in costs.values())
    worth = 2 * one / two
    print(f"two cores are worth {worth:.2f} of one by the CPU for each request (medians)")
    return 0 if worth >= 1.7 else 1


if __name__ == "__main__":
    sys.exit(main())
