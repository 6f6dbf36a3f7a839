"""Exactly once, while brokers are killed: every input once in the output, in order per key.

    python -m benchmarks.exactly_once                               our client, twenty rounds
    python -m benchmarks.exactly_once --client all --rounds 5       four clients, a table
    python -m benchmarks.exactly_once --seed 7 --records 5000
    python -m benchmarks.exactly_once --kafka .../kafka             a Kafka that this script starts

A round: two topics of three partitions on three nodes (RF=3, min.insync.replicas=2), the input
filled before; a worker (benchmarks/eos_workers.py) reads it, writes each record to the output, and
commits its positions in the same transactions. Meanwhile brokers die by SIGKILL, one at a time,
whichever and whenever the seed says, and come back. At the end the output is read with
isolation.level=read_committed and compared. A worker that ends by an error is started again.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import trio

from benchmarks.eos_workers import WORKERS, transformed
from benchmarks.kafka_peer import kafka_peer
from benchmarks.supervised import Supervised
from raftka.client.admin import Admin, NewTopic
from raftka.client.consumer import Consumer
from raftka.client.producer import Producer
from raftka.client.tools import features
from raftka.local_cluster import LocalCluster
from raftka.model.ids import TopicPartition

PARTITIONS: Final = 3
KEYS: Final = 30
_POLL_S: Final = 0.2
_SURPLUS_S: Final = 1.0
"""How long to continue reading after the last expected record: none may follow."""


class Machines(Protocol):
    """A cluster whose nodes die and come back."""

    node_ids: tuple[int, ...]

    @property
    def bootstrap(self) -> str: ...

    def kill(self, node: int, /) -> None: ...

    def start_node(self, node: int, /) -> None: ...


@dataclass(slots=True)
class Round:
    """The outcome of one round."""

    client: str
    number: int
    records: int = 0
    missing: int = 0
    twice: int = 0
    disordered: int = 0
    strange: int = 0
    kills: list[str] = field(default_factory=list)
    restarts: int = 0
    seconds: float = 0.0
    complaints: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not (self.missing or self.twice or self.disordered or self.strange)

    @property
    def verdict(self) -> str:
        if self.passed:
            return "every input once, in order"
        return (
            f"{self.missing} missing, {self.twice} twice, {self.disordered} out of order,"
            f" {self.strange} that no input stands for"
        )


Rows = Sequence[tuple[int, bytes, bytes]]
"""Records as (partition, key, value), in the order of their partitions."""


def judge(found: Round, source: Rows, output: Rows) -> None:
    """Compare the output with the input as its topic has it."""
    places = {transformed(value): place for place, (_, _, value) in enumerate(source)}
    counts = Counter(value for _, _, value in output)
    found.records = len(output)
    found.missing = sum(value not in counts for value in places)
    found.twice = sum(count - 1 for value, count in counts.items() if value in places)
    found.strange = sum(value not in places for value in counts)
    last: dict[tuple[int, bytes], int] = {}
    for partition, key, value in output:
        place = places.get(value, -1)
        found.disordered += 0 <= place < last.get((partition, key), -1)
        last[partition, key] = place


def inputs(records: int) -> Iterator[tuple[int, bytes, bytes]]:
    """(partition, key, value) of each input record; per key the numbers go up."""
    for number in range(records):
        key = number % KEYS
        yield key % PARTITIONS, b"k%d" % key, b"k%d:%d" % (key, number)


async def fill(bootstrap: str, source: str, sink: str, records: int) -> None:
    """Make both topics, and write the input."""
    servers = {"bootstrap.servers": bootstrap}
    configs = {"min.insync.replicas": "2"}
    async with Admin(servers) as admin:
        await admin.create_topics(
            [NewTopic(name, PARTITIONS, 3, configs=configs) for name in (source, sink)]
        )
    async with Producer(servers) as producer:
        for partition, key, value in inputs(records):
            await producer.send(source, value, key, partition=partition)
        await producer.flush()


async def read(bootstrap: str, topic: str, records: int, timeout_s: float) -> Rows:
    """The records of a read_committed consumer, until all are there and no more come."""
    settings = {
        "bootstrap.servers": bootstrap,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
    }
    output: list[tuple[int, bytes, bytes]] = []
    deadline = trio.current_time() + timeout_s
    async with Consumer(settings) as consumer:
        consumer.assign([TopicPartition(topic, index) for index in range(PARTITIONS)])
        quiet_since = trio.current_time()
        while trio.current_time() < deadline:
            polled = await consumer.poll(_POLL_S)
            output += [(r.partition, r.key or b"", r.value or b"") for r in polled]
            now = trio.current_time()
            if polled or len(output) < records:
                quiet_since = now
            elif now - quiet_since > _SURPLUS_S:
                break
    return output


@contextmanager
def killing(
    cluster: Machines | None, dice: random.Random, found: Round, most: int
) -> Iterator[None]:
    """One broker after the other dies and comes back, until the body is done, or `most` have."""
    stopped = threading.Event()
    thread = threading.Thread(target=_kill, args=(cluster, dice, found, stopped, most))
    if cluster is not None:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        if cluster is not None:
            thread.join()


def _kill(
    cluster: Machines, dice: random.Random, found: Round, stopped: threading.Event, most: int
) -> None:
    began = time.monotonic()
    while len(found.kills) < most and not stopped.wait(dice.uniform(0.2, 1.5)):
        victim = dice.choice(cluster.node_ids)
        found.kills.append(f"{victim} at {time.monotonic() - began:.1f} s")
        cluster.kill(victim)
        time.sleep(dice.uniform(0.0, 1.5))
        cluster.start_node(victim)
        trio.run(_in_sync, cluster.bootstrap)


async def _in_sync(bootstrap: str) -> None:
    """Wait until every partition has its replicas: with two dead at once other guarantees hold."""
    async with Admin({"bootstrap.servers": bootstrap}) as admin:
        with trio.move_on_after(30):
            while True:
                topics = await admin.describe_topics(await admin.list_topics())
                parts = [part for topic in topics.values() for part in topic.partitions]
                if all(len(part.isr) == len(part.replicas) for part in parts):
                    return
                await trio.sleep(0.1)


def play(
    client: str,
    number: int,
    cluster: Machines,
    options: argparse.Namespace,
) -> Round:
    """One round."""
    bootstrap = cluster.bootstrap
    found = Round(client, number)
    dice = random.Random(f"{options.seed} {client} {number}")
    stamp = f"{client}-{number}-{dice.randrange(1 << 32):08x}"
    source, sink = f"in-{stamp}", f"out-{stamp}"
    trio.run(fill, bootstrap, source, sink, options.records)
    began = time.monotonic()
    command = ("benchmarks.eos_workers", client, bootstrap, source, sink, f"worker-{stamp}")
    with Supervised(command) as worker:
        with killing(None if options.no_kills else cluster, dice, found, options.kills):
            trio.run(read, bootstrap, sink, options.records, options.timeout)
        found.seconds = time.monotonic() - began
    source_rows = trio.run(read, bootstrap, source, options.records, 15.0)
    output = trio.run(read, bootstrap, sink, options.records, 15.0)
    found.restarts, found.complaints = worker.restarts, worker.complaints
    judge(found, source_rows, output)
    return found


def report(rounds: Sequence[Round]) -> str:
    """A line for each client."""
    lines = [
        f"{'client':13} {'rounds':>6} {'passed':>6} {'records':>8} {'kills':>6} {'restarts':>8}"
        f" {'missing':>8} {'twice':>6} {'order':>6}"
    ]
    for client in dict.fromkeys(each.client for each in rounds):
        own = [each for each in rounds if each.client == client]
        lines.append(
            f"{client:13} {len(own):6} {sum(each.passed for each in own):6}"
            f" {sum(each.records for each in own):8} {sum(len(each.kills) for each in own):6}"
            f" {sum(each.restarts for each in own):8} {sum(each.missing for each in own):8}"
            f" {sum(each.twice for each in own):6} {sum(each.disordered for each in own):6}"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    clients = list(WORKERS) if options.client == "all" else options.client.split(",")
    rounds: list[Round] = []
    with _cluster(options) as cluster:
        for client in clients:
            for number in range(1, options.rounds + 1):
                found = play(client, number, cluster, options)
                rounds.append(found)
                print(
                    f"{client:13} {number:3}: {found.seconds:5.1f} s, killed"
                    f" {', '.join(found.kills) or 'no process'}; {found.restarts} restarts:"
                    f" {found.verdict}",
                    flush=True,
                )
                for words in dict.fromkeys(found.complaints):
                    print(f"    {words}")
                if not found.passed and options.keep:
                    input("the cluster still runs: Enter ends it ")
    print(report(rounds))
    return 0 if all(each.passed for each in rounds) else 1


@contextmanager
def _cluster(options: argparse.Namespace) -> Iterator[Machines]:
    if options.kafka:
        with kafka_peer(options.kafka, 3) as peer:
            yield peer
        return
    with (
        tempfile.TemporaryDirectory(dir=options.directory) as directory,
        LocalCluster(directory, nodes=3) as cluster,
    ):
        cluster.start(60)
        if options.transaction_version is not None:
            feature = f"transaction.version={options.transaction_version}"
            command = ["--bootstrap-server", cluster.bootstrap, "upgrade", "--feature", feature]
            features.main(command)
        yield cluster


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--client", default="raftka", help=f"{', '.join(WORKERS)}, or all")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--records", type=int, default=3_000, help="input records of a round")
    parser.add_argument("--seed", type=int, default=1, help="who dies when")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds until a round fails")
    parser.add_argument("--transaction-version", type=int, help="upgrade to it before the start")
    parser.add_argument(
        "--kills", type=int, default=1_000_000, help="so many a round at most (default: no end)"
    )
    parser.add_argument("--no-kills", action="store_true", help="the same without faults")
    parser.add_argument("--keep", action="store_true", help="stop at a round that fails")
    parser.add_argument("--kafka", help="a script that starts a real Apache Kafka")
    parser.add_argument("--directory", help="where the nodes keep their data")
    return parser


if __name__ == "__main__":
    sys.exit(main())
