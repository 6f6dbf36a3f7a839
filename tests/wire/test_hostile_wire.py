"""Hostile peers against a real node: each ends at most its own connection, memory is bounded."""

from __future__ import annotations

import contextlib
import random
import resource
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from raftka.local_cluster import LocalCluster
from tests.support.fuzz import hostile_frames

pytestmark = pytest.mark.wire

IDLE = 2000


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path_factory.mktemp("hostile"), nodes=1) as cluster:
        cluster.start()
        yield cluster


def connect(node: LocalCluster, port: int | None = None) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port or node.ports[1]), timeout=10)


def resident_mb(node: LocalCluster) -> float:
    pages = int(Path(f"/proc/{node.processes[1].pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def still_serves(node: LocalCluster, topic: str) -> None:
    """An ordinary client gets its record acknowledged."""
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": node.bootstrap})
    producer.produce(topic, b"x", on_delivery=lambda e, _: errors.append(e) if e else None)
    assert producer.flush(20) == 0
    assert errors == []


@pytest.mark.parametrize("seed", range(3))
def test_hostile_frames_over_every_api(node: LocalCluster, topic: str, seed: int) -> None:
    before = resident_mb(node)
    for frame in hostile_frames(random.Random(seed), 3):
        with connect(node) as peer, contextlib.suppress(OSError):
            peer.sendall(frame.data[:200_000])
            peer.shutdown(socket.SHUT_WR)
    still_serves(node, topic)
    assert node.processes[1].poll() is None
    assert resident_mb(node) - before < 100


def test_hostile_frames_on_the_controllers_port(node: LocalCluster, topic: str) -> None:
    dice = random.Random(7)
    for number, frame in enumerate(hostile_frames(dice, 2)):
        data = frame.data[:100_000] if number % 2 else b"RFTK" + dice.randbytes(300)
        with connect(node, node.controller_ports[1]) as peer, contextlib.suppress(OSError):
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
    still_serves(node, topic)


def test_lying_sizes_cost_us_nothing(node: LocalCluster, topic: str) -> None:
    before = resident_mb(node)
    peers = []
    for _ in range(50):
        peer = connect(node)
        peer.sendall(struct.pack(">i", 100_000_000) + b"\0" * 100)
        peers.append(peer)
    still_serves(node, topic)
    assert resident_mb(node) - before < 50
    for peer in peers:
        peer.close()


def test_a_slow_sender_holds_up_nobody(node: LocalCluster, topic: str) -> None:
    with connect(node) as slow:
        for byte in struct.pack(">ihhi", 10, 18, 0, 1):
            slow.sendall(bytes([byte]))
        still_serves(node, topic)


def test_a_reader_that_does_not_read_is_waited_for(node: LocalCluster, topic: str) -> None:
    before = resident_mb(node)
    ask = struct.pack(">ihhi", 10, 18, 0, 1) + b"\xff\xff"
    with connect(node) as deaf:
        deaf.settimeout(2)
        with contextlib.suppress(TimeoutError):
            for _ in range(4000):
                deaf.sendall(ask * 100)
        still_serves(node, topic)
        assert resident_mb(node) - before < 60


def test_thousands_of_idle_connections(node: LocalCluster, topic: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, IDLE * 2), hard))
    before = resident_mb(node)
    peers = []
    try:
        for _ in range(min(IDLE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)):
            peers.append(connect(node))  # noqa: PERF401 - each is closed below, whatever happens
        began = time.monotonic()
        still_serves(node, topic)
        assert time.monotonic() - began < 10
        assert (resident_mb(node) - before) * 1000 / len(peers) < 40  # KB each
    finally:
        for peer in peers:
            peer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
