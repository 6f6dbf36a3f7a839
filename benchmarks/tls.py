"""The cost of TLS for a node: its CPU for each MB, and a real Apache Kafka's in the same run.

    python -m benchmarks.tls                       raftka alone
    python -m benchmarks.tls --kafka .../kafka     and a Kafka that this script starts (README)

One node each, one listener in clear and then one with TLS 1.3, the same key and certificate, and
the same cipher, which is printed. Two connections in turns keep one request of 128 KB under way
each, or one fetch of 1 MB. `--warm` seconds of the same load come first, uncounted.
"""

from __future__ import annotations

import argparse
import os
import socket
import ssl
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio

from benchmarks.broker import (
    TOPIC,
    batch,
    check_produce,
    fetch_frame,
    produce_frame,
)
from benchmarks.kafka_peer import kafka_peer
from benchmarks.load import cpu_seconds
from raftka.client.admin import Admin, NewTopic
from raftka.local_cluster import LocalCluster

_BATCH: Final = 128 * 1024
_ANSWER: Final = 1024 * 1024
_CONNECTIONS: Final = 2


def certificate(folder: Path) -> Path:
    """A file in PEM with a key and its own certificate for 127.0.0.1."""
    key, own, both = (folder / name for name in ("key.pem", "own.pem", "both.pem"))
    words = (
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", str(key), "-out", str(own)),
    )
    subprocess.run(words, check=True, capture_output=True)
    both.write_text(key.read_text() + own.read_text())
    return both


def settings(store: Path | None) -> dict[str, str]:
    """The settings of a node, whose listener PLAINTEXT speaks TLS if there is a certificate."""
    if store is None:
        return {}
    return {
        "listener.security.protocol.map": "PLAINTEXT:SSL,CONTROLLER:PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(store.with_name("own.pem")),
        "ssl.enabled.protocols": "TLSv1.3",
    }


@contextmanager
def raftka_node(store: Path | None) -> Iterator[tuple[str, Sequence[int]]]:
    """(its address, its process)"""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(folder, nodes=1, settings=settings(store)) as cluster,
    ):
        cluster.start()
        yield cluster.bootstrap, [cluster.processes[1].pid]


@contextmanager
def kafka_node(script: str, store: Path | None) -> Iterator[tuple[str, Sequence[int]]]:
    """(its address, its process)"""
    with tempfile.NamedTemporaryFile("w", suffix=".properties") as file:
        file.writelines(f"{name}={value}\n" for name, value in settings(store).items())
        file.flush()
        os.environ["KAFKA_PEER_CONFIG"] = file.name
        try:
            with kafka_peer(script, 1) as peer:
                yield peer.bootstrap, peer.pids
        finally:
            del os.environ["KAFKA_PEER_CONFIG"]


def create_topic(bootstrap: str, store: Path | None) -> None:
    config: dict[str, object] = {"bootstrap.servers": bootstrap}
    if store is not None:
        config["security.protocol"] = "SSL"
        config["ssl.truststore.type"] = "PEM"
        config["ssl.truststore.location"] = str(store.with_name("own.pem"))

    async def main() -> None:
        async with Admin(config) as admin:
            await admin.create_topics([NewTopic(TOPIC, 1, 1)])

    trio.run(main)
    time.sleep(1.0)


def connect(bootstrap: str, store: Path | None) -> socket.socket:
    """A blocking connection."""
    host, _, port = bootstrap.partition(":")
    found = socket.create_connection((host, int(port)))
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if store is None:
        return found
    context = ssl.create_default_context(cafile=str(store.with_name("own.pem")))
    return context.wrap_socket(found, server_hostname=host)


def answer(connection: socket.socket, scratch: memoryview, check: Callable[[bytes], None]) -> int:
    """Read one answer; its bytes. Raises RuntimeError for one that is an error."""
    got = 0
    while got < 4:
        got += connection.recv_into(scratch[got:4])
    (size,) = struct.unpack_from(">i", scratch)
    left, head = size, b""
    while left:
        count = connection.recv_into(scratch[: min(left, len(scratch))])
        if not count:
            raise ConnectionError("the node closed a connection")
        if len(head) < 256:
            head += bytes(scratch[: min(count, 256)])
        left -= count
    check(struct.pack(">i", size) + head)
    return int(size) + 4


def check_fetch(head: bytes) -> None:
    """Raises RuntimeError for an answer that is an error; one without records is none."""
    (code,) = struct.unpack_from(">h", head, 12)
    if code:
        raise RuntimeError(f"the node answered error code {code}")


def load(
    connections: Sequence[socket.socket],
    frame: bytes,
    seconds: float,
    check: Callable[[bytes], None],
) -> int:
    """Ask on each in turns until the time is over; the bytes of the answers and of the requests,
    whichever are more."""
    scratch = memoryview(bytearray(1 << 20))
    sent = received = 0
    for each in connections:
        each.sendall(frame)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for each in connections:
            received += answer(each, scratch, check)
            each.sendall(frame)
            sent += len(frame)
    for each in connections:
        answer(each, scratch, check)
    return max(sent, received)


def measure(
    name: str, bootstrap: str, pids: Sequence[int], store: Path | None, warm: float, seconds: float
) -> None:
    create_topic(bootstrap, store)
    links = [connect(bootstrap, store) for _ in range(_CONNECTIONS)]
    spoken = "in clear"
    if isinstance(links[0], ssl.SSLSocket):
        cipher = links[0].cipher()
        spoken = f"{links[0].version()} {cipher[0] if cipher else ''}"
    found = []
    for frame, check in (
        (produce_frame(batch(_BATCH), 1), check_produce),
        (fetch_frame(_ANSWER), check_fetch),
    ):
        load(links, frame, warm, check)
        cpu = cpu_seconds(pids)
        amount = load(links, frame, seconds, check) / 1e6
        found.append((cpu_seconds(pids) - cpu) * 1000 / amount)
    for each in links:
        each.close()
    print(
        f"{name:8} {spoken:32} produce {found[0]:5.2f} ms CPU per MB   fetch {found[1]:5.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kafka", metavar="SCRIPT")
    parser.add_argument("--warm", type=float, default=10.0, metavar="SECONDS")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = certificate(Path(folder))
        for each in (None, store):
            with raftka_node(each) as (bootstrap, pids):
                measure("raftka", bootstrap, pids, each, 1.0, options.seconds)
            if options.kafka:
                with kafka_node(options.kafka, each) as (bootstrap, pids):
                    measure("kafka", bootstrap, pids, each, options.warm, options.seconds)
    load_1, load_5, _ = os.getloadavg()
    print(f"load average {load_1:.1f}, {load_5:.1f}")


if __name__ == "__main__":
    main()
