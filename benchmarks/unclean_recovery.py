"""How long a node takes to serve a large partition after SIGKILL, and the effect on others.

    python -m benchmarks.unclean_recovery                     raftka alone
    python -m benchmarks.unclean_recovery --kafka .../kafka   and a Kafka that this script starts
    python -m benchmarks.unclean_recovery --megabytes 800

One node has a partition of so many megabytes, nothing of which is below a recovery point (no flush,
one segment that is still open), and a small one. It is killed and started again. Seconds count from
the start of the process until a record is stored in the small partition, and in the large one; the
CPU of the process until then is with it. The log lines that report progress are printed.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from benchmarks.cleaner import check, frame
from benchmarks.kafka_peer import kafka_peer
from benchmarks.load import cpu_seconds
from raftka.client.admin import Admin, NewTopic
from raftka.local_cluster import LocalCluster
from raftka.model.records import Record, encode_batch

BATCH_BYTES = 128 << 10
LARGE, SMALL = "large", "small"
SEGMENT = {"segment.bytes": str(2**31 - 1)}
TIMEOUT_S = 120.0


@dataclass
class Target:
    """A broker that can be killed and started again."""

    name: str
    port: int
    kill: Callable[[], None]
    start: Callable[[], None]
    pid: Callable[[], int]
    log: Callable[[], str]


@contextmanager
def our_broker() -> Iterator[Target]:
    with tempfile.TemporaryDirectory() as folder, LocalCluster(folder, nodes=1) as it:
        it.start()
        yield Target(
            "raftka",
            it.ports[1],
            lambda: it.kill(1),
            lambda: it.launch(1),
            lambda: it.processes[1].pid,
            lambda: it.log(1),
        )


@contextmanager
def kafka_broker(script: str) -> Iterator[Target]:
    with kafka_peer(script, 1) as peer:
        port = int(peer.bootstrap.rpartition(":")[2])
        yield Target(
            "Apache Kafka",
            port,
            lambda: peer.kill(1),
            lambda: peer.start_node(1),
            lambda: peer.pids[0],
            lambda: peer.log(1),
        )


def create(port: int) -> None:
    async def main() -> None:
        async with Admin({"bootstrap.servers": f"127.0.0.1:{port}"}) as admin:
            await admin.create_topics(
                [NewTopic(name, assignments={0: [1]}, configs=SEGMENT) for name in (LARGE, SMALL)]
            )

    trio.run(main)


def put(link: socket.socket, topic: str, records: bytes) -> None:
    """Store a batch. Raises RuntimeError when the broker refuses it, OSError when it is away."""
    link.sendall(frame(topic, records))
    head = link.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        raise ConnectionError("the broker closed the connection")
    (size,) = struct.unpack(">i", head)
    check(topic, b"\0\0\0\0" + link.recv(size, socket.MSG_WAITALL))


def fill(port: int, megabytes: int) -> None:
    value = os.urandom(1000)
    now = int(time.time() * 1000)
    batch = encode_batch([Record(0, now, b"key", value)] * (BATCH_BYTES // 1024))
    with socket.create_connection(("127.0.0.1", port)) as link:
        _put_until_taken(link, SMALL, encode_batch([Record(0, now, b"k", b"v")]))
        for _ in range((megabytes << 20) // len(batch)):
            put(link, LARGE, batch)


def _put_until_taken(link: socket.socket, topic: str, batch: bytes) -> None:
    until = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return put(link, topic, batch)
        except RuntimeError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def first_taken(port: int, topic: str, began: float) -> float:
    """Seconds from `began` until the broker stores a record of that topic."""
    batch = encode_batch([Record(0, int(time.time() * 1000), b"k", b"v")])
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as link:
                _put_until_taken(link, topic, batch)
                return time.monotonic() - began
        except OSError:
            if time.monotonic() - began > TIMEOUT_S:
                raise
            time.sleep(0.02)


def measure(target: Target, megabytes: int) -> None:
    create(target.port)
    fill(target.port, megabytes)
    lines = len(target.log().splitlines())
    target.kill()
    began = time.monotonic()
    target.start()
    small = first_taken(target.port, SMALL, began)
    large = first_taken(target.port, LARGE, began)
    cpu = cpu_seconds([target.pid()])
    print(
        f"{target.name:14} {megabytes} MB: the small partition after {small:5.2f} s,"
        f" the large one after {large:5.2f} s, {cpu:5.2f} s of CPU",
        flush=True,
    )
    for line in target.log().splitlines()[lines:]:
        if re.search(rf"recover.*{LARGE}|{LARGE}.*recover|{LARGE}-0.*checked", line, re.IGNORECASE):
            print(f"    {line[:200]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kafka", help="a script that starts a real Apache Kafka")
    parser.add_argument("--megabytes", type=int, default=800)
    options = parser.parse_args()
    with our_broker() as target:
        measure(target, options.megabytes)
    if options.kafka:
        with kafka_broker(options.kafka) as target:
            measure(target, options.megabytes)


if __name__ == "__main__":
    main()
