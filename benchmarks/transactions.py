"""Transactions: CPU of the brokers for each, and how long until a commit is visible.

    python -m benchmarks.transactions                           three nodes of raftka
    python -m benchmarks.transactions --kafka .../kafka         and a Kafka that this script starts

Each transaction has 100 records of 100 bytes in three partitions, RF=3; ten are begun each second.
A read_committed consumer in the same process notes when the last record of each is there: the time
counts from the call of commit_transaction. CPU is that of all broker processes, less what they take
while idle. Both clusters do the same work in turns, and medians are compared.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

import trio

from benchmarks.kafka_peer import kafka_peer
from benchmarks.load import cpu_seconds
from raftka.client.admin import Admin, NewTopic
from raftka.client.consumer import Consumer
from raftka.client.producer import Producer
from raftka.client.tools import features
from raftka.local_cluster import LocalCluster
from raftka.model.ids import TopicPartition

TOPIC: Final = "transactions"
PARTITIONS: Final = 3
_WARM_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Contender:
    """A cluster under measurement, by its addresses and the processes of its brokers."""

    name: str
    bootstrap: str
    pids: tuple[int, ...]

    def cpu_s(self) -> float:
        """CPU seconds of all its processes so far."""
        return cpu_seconds(self.pids)


@dataclass(slots=True)
class Measured:
    """One turn."""

    transactions: int = 0
    cpu_ms: float = 0.0
    """For each transaction."""
    visible_ms: list[float] = field(default_factory=list)
    _seen: trio.Event = field(default_factory=trio.Event)

    def saw(self, after_ms: float) -> None:
        self.visible_ms.append(after_ms)
        self._seen.set()

    async def complete(self, count: int) -> None:
        """Wait until that many transactions were seen."""
        while len(self.visible_ms) < count:
            self._seen = trio.Event()
            await self._seen.wait()

    def share(self, part: float) -> float:
        ordered = sorted(self.visible_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


async def measure(contender: Contender, options: argparse.Namespace, turn: int) -> Measured:
    """One turn of one cluster."""
    found = Measured()
    await _create(contender.bootstrap, options.replicas)
    before = contender.cpu_s()
    await trio.sleep(options.idle)
    idle_s = (contender.cpu_s() - before) / options.idle
    asked: dict[bytes, float] = {}
    settings = {"bootstrap.servers": contender.bootstrap}
    reader = {**settings, "isolation.level": "read_committed", "auto.offset.reset": "latest"}
    writer = {**settings, "transactional.id": f"benchmark-{turn}", "linger.ms": 0}
    async with Consumer(reader) as consumer, Producer(writer) as producer:
        consumer.assign([TopicPartition(TOPIC, index) for index in range(PARTITIONS)])
        for index in range(PARTITIONS):
            await consumer.position(TopicPartition(TOPIC, index))
        await producer.init_transactions()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, consumer, asked, found)
            await _produce(producer, options, asked, int(_WARM_S * options.rate), b"warm")
            found.visible_ms.clear()
            before, began = contender.cpu_s(), trio.current_time()
            count = int(options.seconds * options.rate)
            await _produce(producer, options, asked, count, b"timed")
            with trio.move_on_after(5):
                await found.complete(count)
            took_s = trio.current_time() - began
            spent_s = contender.cpu_s() - before - idle_s * took_s
            nursery.cancel_scope.cancel()
    found.transactions = count
    found.cpu_ms = 1000 * spent_s / count
    return found


async def _produce(
    producer: Producer,
    options: argparse.Namespace,
    asked: dict[bytes, float],
    count: int,
    word: bytes,
) -> None:
    due = trio.current_time()
    for number in range(count):
        due += 1 / options.rate
        await trio.sleep_until(due)
        producer.begin_transaction()
        for each in range(options.records):
            await producer.send(TOPIC, b"x" * 100, partition=each % PARTITIONS)
        mark = b"%s %d" % (word, number)
        await producer.send(TOPIC, mark, partition=0)
        asked[mark] = trio.current_time()
        await producer.commit_transaction()


async def _watch(consumer: Consumer, asked: dict[bytes, float], found: Measured) -> None:
    async for record in consumer:
        began = asked.pop(record.value or b"", None)
        if began is not None:
            found.saw((trio.current_time() - began) * 1000)


async def _create(bootstrap: str, replicas: int) -> None:
    async with Admin({"bootstrap.servers": bootstrap}) as admin:
        if TOPIC not in await admin.list_topics():
            configs = {"min.insync.replicas": str(min(2, replicas))}
            await admin.create_topics([NewTopic(TOPIC, PARTITIONS, replicas, configs=configs)])


def table(results: dict[str, list[Measured]]) -> str:
    """A line for each cluster, and the ratios to the first."""
    lines = [f"{'':14} {'CPU, each':>16} {'visible, p50':>12} {'visible, p99':>12} {'turns':>6}"]
    medians = {
        name: (
            statistics.median(each.cpu_ms for each in turns),
            statistics.median(each.share(0.5) for each in turns),
            statistics.median(each.share(0.99) for each in turns),
        )
        for name, turns in results.items()
    }
    for name, (cpu, half, most) in medians.items():
        lines.append(
            f"{name:14} {cpu:13.2f} ms {half:9.1f} ms {most:9.1f} ms {len(results[name]):6}"
        )
    own, *peers = medians
    for peer in peers:
        ratios = [theirs / ours for ours, theirs in zip(medians[own], medians[peer], strict=True)]
        cells = f"{ratios[0]:13.1f} x  {ratios[1]:9.1f} x  {ratios[2]:9.1f} x"
        lines.append(f"{peer + ' / ' + own:14} {cells}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    results: dict[str, list[Measured]] = {}
    with _contenders(options) as contenders:
        for turn in range(options.turns):
            for contender in contenders:
                found = trio.run(measure, contender, options, turn)
                results.setdefault(contender.name, []).append(found)
                print(
                    f"{contender.name:14} turn {turn + 1}: {found.cpu_ms:6.2f} ms CPU each,"
                    f" visible after {found.share(0.5):.1f} ms (p50), {found.share(0.99):.1f} ms"
                    f" (p99), {len(found.visible_ms)} of {found.transactions} seen",
                    flush=True,
                )
    print(table(results))
    return 0


@contextmanager
def _contenders(options: argparse.Namespace) -> Iterator[list[Contender]]:
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(dir=options.directory))
        cluster = stack.enter_context(LocalCluster(directory, nodes=3))
        cluster.start(60)
        upgrade = ["upgrade", "--feature", "transaction.version=2"]
        features.main(["--bootstrap-server", cluster.bootstrap, *upgrade])
        pids = tuple(process.pid for process in cluster.processes.values())
        contenders = [Contender("raftka", cluster.bootstrap, pids)]
        if options.kafka:
            peer = stack.enter_context(kafka_peer(options.kafka, 3))
            contenders.append(Contender("Apache Kafka", peer.bootstrap, peer.pids))
        yield contenders


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kafka", help="a script that starts a real Apache Kafka")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each turn")
    parser.add_argument("--rate", type=float, default=10.0, help="transactions a second")
    parser.add_argument("--records", type=int, default=100, help="records of a transaction")
    parser.add_argument("--replicas", type=int, default=3, help="replication factor")
    parser.add_argument("--idle", type=float, default=3.0, help="seconds to see what idling costs")
    parser.add_argument("--directory", help="where the nodes keep their data")
    return parser


if __name__ == "__main__":
    sys.exit(main())
