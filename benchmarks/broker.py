"""The data plane's figures, and those of a real Apache Kafka in the same run.

    python -m benchmarks.broker                       raftka alone
    python -m benchmarks.broker --kafka .../kafka     and a Kafka that this script starts (README)
    python -m benchmarks.broker --only produce-128k fetch-1m --seconds 5

CPU per unit of work is stable from run to run on a shared machine; rates are printed, too.
"""

from __future__ import annotations

import argparse
import os
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from benchmarks.load import Result, cpu_seconds, pss_mb, run
from raftka.client.admin import Admin, NewTopic
from raftka.local_cluster import LocalCluster
from raftka.local_ports import free_ports
from raftka.model.records import Record, encode_batch
from raftka.net.protocol import codec
from raftka.net.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)

TOPIC = "bench"


@dataclass
class Target:
    """A running cluster."""

    name: str
    bootstrap: str
    pids: list[int]

    def endpoint(self) -> tuple[str, int]:
        host, _, port = self.bootstrap.split(",")[0].rpartition(":")
        return host, int(port)


def batch(size: int) -> bytes:
    """One record batch of about `size` bytes with 1 KB records (or one small record)."""
    count, value = (1, 100) if size < 1024 else (size // 1024, 1024 - 12)
    body = os.urandom(value)
    now_ms = time.time_ns() // 1_000_000  # Retention deletes what is older than a week.
    return encode_batch(
        [Record(offset=i, timestamp=now_ms, key=None, value=body, headers=()) for i in range(count)]
    )


def produce_frame(records: bytes, acks: int, topic: str = TOPIC) -> bytes:
    request = ProduceRequest(
        acks=acks,
        timeout=30_000,
        topic_data=[
            TopicProduceData(
                name=topic, partition_data=[PartitionProduceData(index=0, records=records)]
            )
        ],
    )
    return b"".join(codec.encode_request(request, 9, 1, "bench"))  # type: ignore[arg-type]


def fetch_frame(max_bytes: int) -> bytes:
    request = FetchRequest(
        max_wait=500,
        min_bytes=1,
        max_bytes=max_bytes,
        topics=[
            FetchTopic(
                topic=TOPIC,
                partitions=[
                    FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=max_bytes)
                ],
            )
        ],
    )
    return b"".join(codec.encode_request(request, 11, 1, "bench"))  # type: ignore[arg-type]


def check_produce(answer: bytes, topic: str = TOPIC) -> None:
    # size, correlation id, tags, topics, name, partitions, index, error code
    at = 4 + 4 + 1 + 1 + 1 + len(topic) + 1 + 4
    (code,) = struct.unpack_from(">h", answer, at)
    if code:
        raise RuntimeError(f"the broker answered error code {code}")


def check_fetch(answer: bytes) -> None:
    (code,) = struct.unpack_from(">h", answer, 4 + 4 + 4)
    if code:
        raise RuntimeError(f"the broker answered error code {code}")
    if len(answer) < 100:
        raise RuntimeError("the broker answered without records")


def create_topic(target: Target, replication: int) -> None:
    async def create() -> None:
        async with Admin({"bootstrap.servers": target.bootstrap}) as admin:
            assignment = {0: list(range(1, replication + 1))}
            await admin.create_topics(
                [
                    NewTopic(
                        TOPIC,
                        assignments=assignment,
                        configs={"min.insync.replicas": str(min(2, replication))},
                    )
                ]
            )

    trio.run(create)
    time.sleep(1.0)


@contextmanager
def raftka(nodes: int) -> Iterator[Target]:
    with tempfile.TemporaryDirectory() as directory, LocalCluster(directory, nodes=nodes) as it:
        it.start()
        pids = [process.pid for process in it.processes.values()]
        target = Target("raftka", f"127.0.0.1:{it.ports[1]}", pids)
        create_topic(target, nodes)
        yield target


@contextmanager
def kafka(script: str, nodes: int) -> Iterator[Target]:
    with tempfile.TemporaryDirectory() as directory:
        port = free_ports(1)[0]
        subprocess.run([script, "start", directory, str(nodes), str(port)], check=True)
        pids = [int((Path(directory) / f"{i}.pid").read_text()) for i in range(1, nodes + 1)]
        try:
            target = Target("Apache Kafka", f"127.0.0.1:{port}", pids)
            create_topic(target, nodes)
            yield target
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    name: str
    unit: str
    nodes: int
    measure: Callable[[Target, float], str]


def produce_case(size: int, acks: int, connections: int, in_flight: int) -> Callable[..., str]:
    def measure(target: Target, seconds: float) -> str:
        records = batch(size)
        result = load(target, produce_frame(records, acks), seconds, connections, in_flight)
        if size < 1024:
            return f"{result.cpu_us:7.1f} µs CPU each, {result.rate:,.0f}/s"
        megabytes = result.requests * len(records) / 1e6
        return (
            f"{result.cpu / megabytes * 1000:7.2f} ms CPU per MB,"
            f" {megabytes / result.seconds:,.0f} MB/s"
        )

    return measure


def load(target: Target, frame: bytes, seconds: float, connections: int, in_flight: int) -> Result:
    return run(
        [target.endpoint()],
        frame,
        connections=connections,
        in_flight=in_flight,
        seconds=seconds,
        pids=target.pids,
        check=check_produce,
    )


def latency_case(acks: int) -> Callable[..., str]:
    def measure(target: Target, seconds: float) -> str:
        result = run(
            [target.endpoint()],
            produce_frame(batch(100), acks),
            connections=1,
            in_flight=1,
            seconds=seconds,
            pids=target.pids,
            check=check_produce,
            keep_latency=True,
        )
        return f"p50 {result.percentile_us(0.5):.0f} µs, p99 {result.percentile_us(0.99):.0f} µs"

    return measure


def fetch_case(size: int, batch_size: int) -> Callable[..., str]:
    def measure(target: Target, seconds: float) -> str:
        load(target, produce_frame(batch(batch_size), 1), 1.0, 1, 4)
        result = run(
            [target.endpoint()],
            fetch_frame(size),
            connections=2,
            in_flight=1,
            seconds=seconds,
            pids=target.pids,
            check=check_fetch,
        )
        megabytes = result.bytes_in / 1e6
        return (
            f"{result.cpu / megabytes * 1000:7.2f} ms CPU per MB,"
            f" {megabytes / result.seconds:,.0f} MB/s"
        )

    return measure


def idle(target: Target, seconds: float) -> str:
    time.sleep(1.0)
    before = cpu_seconds(target.pids)
    time.sleep(max(5.0, seconds))
    share = (cpu_seconds(target.pids) - before) / max(5.0, seconds)
    return f"{pss_mb(target.pids):.0f} MB, {share * 100:.1f} % of a core"


CASES = [
    Case("idle-1", "one node, idle", 1, idle),
    Case("produce-16k", "acks=1, 16 KB batches", 1, produce_case(16 << 10, 1, 4, 4)),
    Case("produce-128k", "acks=1, 128 KB batches", 1, produce_case(128 << 10, 1, 4, 2)),
    Case("produce-900k", "acks=1, 900 KB batches", 1, produce_case(900 << 10, 1, 2, 2)),
    Case("tiny-32", "one record, 32 connections", 1, produce_case(100, 1, 32, 1)),
    Case("tiny-4x32", "one record, 4 x 32 in flight", 1, produce_case(100, 1, 4, 32)),
    Case("latency-1", "one in flight, acks=1", 1, latency_case(1)),
    Case("fetch-1m", "fetch of 1 MB", 1, fetch_case(1 << 20, 128 << 10)),
    Case("fetch-128k", "fetch of 128 KB", 1, fetch_case(128 << 10, 16 << 10)),
    Case("idle-3", "three nodes, idle", 3, idle),
    Case("rf3-128k", "RF=3 acks=all, 128 KB", 3, produce_case(128 << 10, -1, 4, 2)),
    Case("rf3-16k", "RF=3 acks=all, 16 KB", 3, produce_case(16 << 10, -1, 4, 4)),
    Case(
        "rf3-tiny-32", "RF=3 acks=all, one record, 32 connections", 3, produce_case(100, -1, 32, 1)
    ),
    Case("rf3-latency", "RF=3 acks=all, one in flight", 3, latency_case(-1)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kafka", help="a script that starts a real Apache Kafka")
    parser.add_argument("--seconds", type=float, default=4.0, help="per figure")
    parser.add_argument("--only", nargs="*", default=[c.name for c in CASES])
    parser.add_argument("--warm", type=float, default=25.0, help="seconds of load for Kafka's JIT")
    options = parser.parse_args()
    for case in CASES:
        if case.name not in options.only:
            continue
        with raftka(case.nodes) as target:
            ours = case.measure(target, options.seconds)
        print(f"{case.unit:45} raftka        {ours}", flush=True)
        if options.kafka:
            with kafka(options.kafka, case.nodes) as target:
                if case.name.startswith("idle"):
                    time.sleep(10)
                else:
                    case.measure(target, options.warm)
                print(f"{'':45} Apache Kafka  {case.measure(target, options.seconds)}", flush=True)


if __name__ == "__main__":
    main()
