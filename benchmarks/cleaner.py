"""The cost of compaction: CPU per MB of 1 KB records, and its effect on other requests.

    python -m benchmarks.cleaner                      raftka alone
    python -m benchmarks.cleaner --kafka .../kafka    and a Kafka that this script starts (README)
    python -m benchmarks.cleaner --megabytes 1024 --latency 20

A topic is filled while nothing may be cleaned, then its min.cleanable.dirty.ratio is lowered. CPU
is that of the broker and of the processes that it started, less what it takes idle. A first topic
is cleaned to warm up. `--latency` asks for one record at a time, acks=1, on another topic for so
many seconds before and while the topic is cleaned.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

import raftka.local_ports
from benchmarks.load import TICKS, Result, run
from raftka.client.admin import Admin, Alteration, NewTopic, Resource, ResourceType
from raftka.local_cluster import LocalCluster
from raftka.model.records import Record, encode_batch
from raftka.net.protocol import codec
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)

BATCH_RECORDS = 16
NOT_YET = {"cleanup.policy": "compact", "segment.bytes": str(32 << 20)}
BACKOFF = "log.cleaner.backoff.ms"


@dataclass
class Target:
    """A running broker."""

    name: str
    directory: Path
    port: int
    pid: int

    def cpu_s(self) -> float:
        """CPU seconds of the broker and of its children that have ended."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(each) for each in fields[11:15]) / TICKS

    def cleaned_to(self, topic: str) -> int:
        for path in self.directory.rglob("cleaner-offset-checkpoint"):
            for line in path.read_text().splitlines()[2:]:
                if line.split()[0] == topic:
                    return int(line.split()[2])
        return 0


@contextmanager
def our_broker() -> Iterator[Target]:
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalCluster(directory, nodes=1, settings={BACKOFF: "200"}) as it,
    ):
        it.start()
        yield Target("raftka", Path(directory), it.ports[1], it.processes[1].pid)


@contextmanager
def kafka_broker(script: str) -> Iterator[Target]:
    with tempfile.TemporaryDirectory() as directory:
        (port,) = raftka.local_ports.free_ports(1)
        settings = Path(directory) / "settings"
        settings.write_text(f"{BACKOFF}=200\n")
        environment = dict(os.environ, KAFKA_PEER_CONFIG=str(settings))
        command = [script, "start", f"{directory}/kafka", "1", str(port)]
        subprocess.run(command, check=True, env=environment)
        pid = int(Path(f"{directory}/kafka/1.pid").read_text())
        try:
            yield Target("Apache Kafka", Path(directory), port, pid)
        finally:
            os.kill(pid, signal.SIGKILL)


def create(target: Target, topic: str, configs: dict[str, str]) -> None:
    async def main() -> None:
        async with Admin({"bootstrap.servers": f"127.0.0.1:{target.port}"}) as admin:
            await admin.create_topics([NewTopic(topic, assignments={0: [1]}, configs=configs)])

    trio.run(main)
    time.sleep(1)


def set_ratio(target: Target, topic: str, ratio: str) -> None:
    async def main() -> None:
        async with Admin({"bootstrap.servers": f"127.0.0.1:{target.port}"}) as admin:
            wanted = Alteration("min.cleanable.dirty.ratio", ratio)
            await admin.incremental_alter_configs({Resource(ResourceType.TOPIC, topic): [wanted]})

    trio.run(main)


def frame(topic: str, records: bytes) -> bytes:
    data = TopicProduceData(
        name=topic, partition_data=[PartitionProduceData(index=0, records=records)]
    )
    request = ProduceRequest(acks=1, timeout=30_000, topic_data=[data])
    return b"".join(codec.encode_request(request, 9, 1, "bench"))  # type: ignore[arg-type]


def check(topic: str, answer: bytes) -> None:
    (code,) = struct.unpack_from(">h", answer, 4 + 4 + 1 + 1 + 1 + len(topic) + 1 + 4)
    if code:
        raise RuntimeError(f"the broker answered error code {code}")


def fill(target: Target, topic: str, megabytes: int) -> None:
    """So many MB of 1 KB records over half as many keys, 16 to a batch, then a segment more."""
    dice = random.Random(1)
    value = os.urandom(1000)
    count = megabytes << 10
    with socket.create_connection(("127.0.0.1", target.port)) as link:
        for number in range(0, count + (40 << 10), BATCH_RECORDS):
            keys = count // 2 if number < count else 1
            records = [
                Record(0, 0, b"key-%08d" % dice.randrange(keys), value)
                for _ in range(BATCH_RECORDS)
            ]
            link.sendall(frame(topic, encode_batch(records)))
            size = struct.unpack(">i", link.recv(4, socket.MSG_WAITALL))[0]
            check(topic, b"\0\0\0\0" + link.recv(size, socket.MSG_WAITALL))


def clean(target: Target, topic: str, timeout_s: float = 600.0) -> tuple[float, float]:
    """(CPU seconds, seconds) of a cleaning."""
    began, cpu = time.monotonic(), target.cpu_s()
    set_ratio(target, topic, "0.0")
    while not target.cleaned_to(topic):
        if time.monotonic() - began > timeout_s:
            raise TimeoutError(f"{topic} was not cleaned within {timeout_s} s")
        time.sleep(0.05)
    time.sleep(0.5)  # Its process has to end before its CPU time counts.
    return target.cpu_s() - cpu, time.monotonic() - began - 0.5


def idle_share(target: Target) -> float:
    """CPU seconds in a second without work."""
    time.sleep(1)
    cpu = target.cpu_s()
    time.sleep(3)
    return (target.cpu_s() - cpu) / 3


def latencies(target: Target, seconds: float) -> Result:
    one = frame("quick", encode_batch([Record(0, 0, None, b"v" * 100)]))
    return run(
        [("127.0.0.1", target.port)],
        one,
        connections=1,
        in_flight=1,
        seconds=seconds,
        pids=[target.pid],
        check=lambda answer: check("quick", answer),
        keep_latency=True,
    )


def measure(target: Target, megabytes: int, latency_s: float) -> None:
    for topic, size in (("warm", min(megabytes, 64)), ("cleaned", megabytes)):
        create(target, topic, NOT_YET | {"min.cleanable.dirty.ratio": "1.0"})
        fill(target, topic, size)
        if topic == "warm":
            clean(target, topic)
    if latency_s:
        create(target, "quick", {})
        latencies(target, 2)
        for name in ("without", "while cleaning"):
            if name != "without":
                set_ratio(target, "cleaned", "0.0")
            found = latencies(target, latency_s)
            note = " (cleaned before the end)" if target.cleaned_to("cleaned") else ""
            print(
                f"{target.name:14} acks=1, one in flight, {name:15}"
                f" p50 {found.percentile_us(0.5):7.0f} µs  p99 {found.percentile_us(0.99):7.0f} µs"
                f"  p99.9 {found.percentile_us(0.999):7.0f} µs  {found.rate:6.0f}/s{note}",
                flush=True,
            )
        return
    idle = idle_share(target)
    cpu, seconds = clean(target, "cleaned")
    cleaned = target.cleaned_to("cleaned") / 1024
    cost = (cpu - idle * seconds) / cleaned * 1e3
    print(
        f"{target.name:14} {cost:6.2f} ms CPU per MB, {cleaned:.0f} MB at"
        f" {cleaned / seconds:5.1f} MB/s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kafka", help="a script that starts a real Apache Kafka")
    parser.add_argument("--megabytes", type=int, default=128)
    parser.add_argument("--latency", type=float, default=0, metavar="SECONDS")
    options = parser.parse_args()
    with our_broker() as target:
        measure(target, options.megabytes, options.latency)
    if options.kafka:
        with kafka_broker(options.kafka) as target:
            measure(target, options.megabytes, options.latency)


if __name__ == "__main__":
    main()
