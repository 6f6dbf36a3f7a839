"""A load generator that costs little itself: ready-made frames over plain sockets, in one loop.

It only counts answers and looks at their error code; what it asks is made once, before the clock
starts. The figure that matters is the CPU of the brokers, read from /proc, since the generator
shares the machine with them.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time that processes have used, all threads."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def pss_mb(pids: Sequence[int]) -> float:
    """Proportional set size in MB."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


@dataclass
class Result:
    """What one run of load gave."""

    requests: int
    seconds: float
    cpu: float
    bytes_in: int
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """Brokers' CPU microseconds per request."""
        return self.cpu / self.requests * 1e6

    def percentile_us(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e6


class _Connection:
    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.unsent = memoryview(b"")
        self.received = bytearray()
        self.skip = 0
        self.sent_at: list[float] = []


def run(
    endpoints: Sequence[tuple[str, int]],
    frame: bytes,
    *,
    connections: int,
    in_flight: int,
    seconds: float,
    pids: Sequence[int],
    check: Callable[[bytes], None],
    keep_latency: bool = False,
) -> Result:
    """Keep `in_flight` copies of `frame` under way on each connection for `seconds`.

    `check` sees the first bytes of each answer (up to 256) and raises when it is an error.
    """
    selector = selectors.DefaultSelector()
    links = [_Connection(*endpoints[i % len(endpoints)]) for i in range(connections)]
    for link in links:
        selector.register(link.socket, selectors.EVENT_READ, link)
    scratch = memoryview(bytearray(4 << 20))
    requests = bytes_in = 0
    latencies: list[float] = []

    def send(link: _Connection, count: int) -> None:
        now = time.perf_counter()
        link.sent_at += [now] * count
        link.unsent = memoryview(bytes(link.unsent) + frame * count)
        flush(link)

    def flush(link: _Connection) -> None:
        while link.unsent:
            try:
                link.unsent = link.unsent[link.socket.send(link.unsent) :]
            except BlockingIOError:
                selector.modify(link.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, link)
                return
        selector.modify(link.socket, selectors.EVENT_READ, link)

    def answers(link: _Connection, data: memoryview) -> int:
        """Whole answers that `data` ends, without keeping their bodies."""
        found = position = 0
        while position < len(data):
            if link.skip:
                step = min(link.skip, len(data) - position)
                link.skip -= step
                position += step
                if not link.skip:
                    found += 1
                continue
            link.received += data[position : position + 256]
            if len(link.received) < 4:
                break
            (size,) = struct.unpack_from(">i", link.received)
            head = min(size + 4, 256)
            if len(link.received) < head:
                break
            extra = len(link.received) - head
            check(bytes(link.received[:head]))
            position += min(256, len(data) - position) - extra
            link.received.clear()
            link.skip = size + 4 - head
            if not link.skip:
                found += 1
        return found

    for link in links:
        send(link, in_flight)
    began, cpu_began = time.perf_counter(), cpu_seconds(pids)
    end = began + seconds
    while (now := time.perf_counter()) < end:
        for key, events in selector.select(end - now):
            link = key.data
            if events & selectors.EVENT_WRITE:
                flush(link)
            if events & selectors.EVENT_READ:
                try:
                    size = link.socket.recv_into(scratch)
                except BlockingIOError:
                    continue
                if not size:
                    raise ConnectionError("the broker closed a connection")
                bytes_in += size
                done = answers(link, scratch[:size])
                if done:
                    requests += done
                    if keep_latency:
                        now = time.perf_counter()
                        latencies += [now - sent for sent in link.sent_at[:done]]
                    del link.sent_at[:done]
                    send(link, done)
    result = Result(
        requests,
        time.perf_counter() - began,
        cpu_seconds(pids) - cpu_began,
        bytes_in,
        latencies,
    )
    for link in links:
        link.socket.close()
    return result
