"""Records a second, and CPU of the client for each, of four clients of Python on one node.

    python -m benchmarks.clients                        100-byte and 1 KB records, three turns
    python -m benchmarks.clients --client raftka --size 100 --records 500000
    python -m benchmarks.clients --counts               calls for each record, of our client

Producing: acks=1, one partition, batches of 64 KB, linger 5 ms, every delivery is waited for.
Consuming: the same records, from the start. Clients run in turns, each in a fresh process, and the
median of the turns counts. CPU seconds depend less than rates on what else the machine does; calls
repeat exactly.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import trio

from raftka.client.admin import Admin, NewTopic
from raftka.client.consumer import Consumer
from raftka.client.producer import Producer
from raftka.local_cluster import LocalCluster
from raftka.model.ids import TopicPartition

_BATCH: Final = 65_536
_WARM: Final = 2_000
"""Records before the clock starts, so that connections and metadata exist."""


class Job(NamedTuple):
    """The work of one process."""

    bootstrap: str
    topic: str
    records: int
    size: int


class Spent(NamedTuple):
    """Wall and CPU seconds of this process."""

    seconds: float
    cpu_s: float


def _timed(begun: tuple[float, float]) -> Spent:
    return Spent(time.perf_counter() - begun[0], time.process_time() - begun[1])


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


# Producing


def _produce_ours(job: Job) -> Spent:
    async def work() -> Spent:
        settings = {
            "bootstrap.servers": job.bootstrap,
            "acks": "1",
            "batch.size": _BATCH,
            "enable.idempotence": False,
        }
        value = b"x" * job.size
        async with Producer(settings) as producer:
            for _ in range(_WARM):
                await producer.send(job.topic, value)
            await producer.flush()
            begun = _now()
            deliveries = [await producer.send(job.topic, value) for _ in range(job.records)]
            await producer.flush()
            assert all(delivery.result().offset >= 0 for delivery in deliveries)
            return _timed(begun)

    return trio.run(work)


def _produce_confluent(job: Job) -> Spent:
    from confluent_kafka import Producer as Librdkafka

    delivered = 0

    def count(error: object, _: object) -> None:
        nonlocal delivered
        assert error is None, error
        delivered += 1

    producer = Librdkafka(
        {
            "bootstrap.servers": job.bootstrap,
            "acks": "1",
            "batch.size": _BATCH,
            "linger.ms": 5,
            "queue.buffering.max.messages": 10_000_000,
        }
    )
    value = b"x" * job.size
    for _ in range(_WARM):
        producer.produce(job.topic, value, on_delivery=count)
    producer.flush()
    delivered = 0
    begun = _now()
    for number in range(job.records):
        producer.produce(job.topic, value, on_delivery=count)
        if number % 1_000 == 0:
            producer.poll(0)
    producer.flush()
    assert delivered == job.records
    return _timed(begun)


def _produce_aiokafka(job: Job) -> Spent:
    from aiokafka import AIOKafkaProducer

    async def work() -> Spent:
        producer = AIOKafkaProducer(
            bootstrap_servers=job.bootstrap, acks=1, max_batch_size=_BATCH, linger_ms=5
        )
        value = b"x" * job.size
        async with producer:
            for _ in range(_WARM):
                await producer.send(job.topic, value)
            await producer.flush()
            begun = _now()
            deliveries = [await producer.send(job.topic, value) for _ in range(job.records)]
            await producer.flush()
            assert all(delivery.result().offset >= 0 for delivery in deliveries)
            return _timed(begun)

    return asyncio.run(work())


def _produce_kafka_python(job: Job) -> Spent:
    from kafka import KafkaProducer

    producer = KafkaProducer(
        bootstrap_servers=job.bootstrap.split(","),
        acks=1,
        batch_size=_BATCH,
        linger_ms=5,
        enable_idempotence=False,
    )
    value = b"x" * job.size
    for _ in range(_WARM):
        producer.send(job.topic, value)
    producer.flush()
    begun = _now()
    deliveries = [producer.send(job.topic, value) for _ in range(job.records)]
    producer.flush()
    assert all(delivery.value.offset >= 0 for delivery in deliveries)
    return _timed(begun)


# Consuming


def _consume_ours(job: Job) -> Spent:
    async def work() -> Spent:
        settings = {"bootstrap.servers": job.bootstrap, "auto.offset.reset": "earliest"}
        async with Consumer(settings) as consumer:
            consumer.assign([TopicPartition(job.topic, 0)])
            seen = len(await consumer.poll(10))
            begun, first = _now(), seen
            while seen < first + job.records:
                seen += len(await consumer.poll(10))
            return _timed(begun)

    return trio.run(work)


def _consume_confluent(job: Job) -> Spent:
    from confluent_kafka import Consumer as Librdkafka
    from confluent_kafka import TopicPartition as Place

    consumer = Librdkafka(
        {"bootstrap.servers": job.bootstrap, "group.id": "g", "enable.auto.commit": False}
    )
    consumer.assign([Place(job.topic, 0, 0)])
    seen = len(consumer.consume(1, 10))
    begun, first = _now(), seen
    while seen < first + job.records:
        for message in consumer.consume(500, 10):
            assert message.value() is not None
            seen += 1
    spent = _timed(begun)
    consumer.close()
    return spent


def _consume_aiokafka(job: Job) -> Spent:
    from aiokafka import AIOKafkaConsumer
    from aiokafka.structs import TopicPartition as Place

    async def work() -> Spent:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=job.bootstrap, auto_offset_reset="earliest", group_id=None
        )
        async with consumer:
            consumer.assign([Place(job.topic, 0)])
            seen = sum(
                map(len, (await consumer.getmany(timeout_ms=10_000, max_records=500)).values())
            )
            begun, first = _now(), seen
            while seen < first + job.records:
                fetched = await consumer.getmany(timeout_ms=10_000, max_records=500)
                seen += sum(map(len, fetched.values()))
            return _timed(begun)

    return asyncio.run(work())


def _consume_kafka_python(job: Job) -> Spent:
    from kafka import KafkaConsumer
    from kafka import TopicPartition as Place

    consumer = KafkaConsumer(
        bootstrap_servers=job.bootstrap.split(","), auto_offset_reset="earliest", group_id=None
    )
    consumer.assign([Place(job.topic, 0)])
    seen = sum(map(len, consumer.poll(10_000).values()))
    begun, first = _now(), seen
    while seen < first + job.records:
        seen += sum(map(len, consumer.poll(10_000).values()))
    return _timed(begun)


JOBS: Final[dict[str, dict[str, Callable[[Job], Spent]]]] = {
    "produce": {
        "raftka": _produce_ours,
        "confluent": _produce_confluent,
        "aiokafka": _produce_aiokafka,
        "kafka-python": _produce_kafka_python,
    },
    "consume": {
        "raftka": _consume_ours,
        "confluent": _consume_confluent,
        "aiokafka": _consume_aiokafka,
        "kafka-python": _consume_kafka_python,
    },
}


def counted(kind: str, job: Job) -> float:
    """Calls of Python and C functions for each record."""
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        JOBS[kind]["raftka"](job)
    finally:
        sys.setprofile(None)
    return calls / (job.records + _WARM)


async def _create(bootstrap: str, names: Sequence[str]) -> None:
    async with Admin({"bootstrap.servers": bootstrap}) as admin:
        await admin.create_topics([NewTopic(name, 1, 1) for name in names])


def _in_process(kind: str, client: str, job: Job) -> Spent:
    command = [sys.executable, "-m", "benchmarks.clients", "--job", kind, client, json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{kind} with {client}: {done.stderr[-1_000:]}")
    return Spent(*json.loads(done.stdout.splitlines()[-1]))


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    if options.job:
        kind, client, text = options.job
        print(json.dumps(JOBS[kind][client](Job(*json.loads(text)))))
        return 0
    sizes = [int(size) for size in options.size.split(",")]
    clients = list(JOBS["produce"]) if options.client == "all" else options.client.split(",")
    with (
        tempfile.TemporaryDirectory(dir=options.directory) as directory,
        LocalCluster(directory, nodes=1) as cluster,
    ):
        cluster.start(60)
        for size in sizes:
            _compare(cluster.bootstrap, size, clients, options)
    return 0


def _compare(
    bootstrap: str, size: int, clients: Sequence[str], options: argparse.Namespace
) -> None:
    if options.counts:
        job = Job(bootstrap, f"counts-{size}", 20_000, size)
        trio.run(_create, bootstrap, [job.topic])
        for kind in JOBS:
            print(f"{kind:8} {size:5} bytes: {counted(kind, job):6.1f} calls a record", flush=True)
        return
    spent: dict[tuple[str, str], list[Spent]] = {}
    for turn in range(options.turns):
        names = {client: f"{client}-{size}-{turn}" for client in clients}
        trio.run(_create, bootstrap, list(names.values()))
        for kind in JOBS:
            for client in clients:
                job = Job(bootstrap, names[client], options.records, size)
                spent.setdefault((kind, client), []).append(_in_process(kind, client, job))
    for (kind, client), turns in spent.items():
        seconds = statistics.median(each.seconds for each in turns)
        cpu_s = statistics.median(each.cpu_s for each in turns)
        print(
            f"{kind:8} {size:5} bytes {client:13} {options.records / seconds:10,.0f} records/s"
            f" {cpu_s / options.records * 1e6:7.2f} µs CPU each",
            flush=True,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--client", default="all", help=", ".join(JOBS["produce"]))
    parser.add_argument("--size", default="100,1000", help="bytes of a record's value")
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--counts", action="store_true", help="count calls, of our client")
    parser.add_argument("--directory", help="where the node keeps its data")
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
