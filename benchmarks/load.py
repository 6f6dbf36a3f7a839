"""A load generator that costs little itself: ready-made frames over plain sockets, in one loop.

It only counts answers and checks their error code; requests are encoded once, before the clock
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
    """The result of one run of load."""

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
    """One socket that is written and read as far as it goes without waiting."""

    def __init__(
        self,
        endpoint: tuple[str, int],
        selector: selectors.BaseSelector,
        check: Callable[[bytes], None],
    ) -> None:
        self.socket = socket.create_connection(endpoint)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.sent_at: list[float] = []
        """When each request without an answer was sent."""
        self._selector = selector
        self._check = check
        self._unsent = memoryview(b"")
        self._received = bytearray()
        self._skip = 0
        selector.register(self.socket, selectors.EVENT_READ, self)

    def send(self, frames: bytes, count: int) -> None:
        """`frames` holds `count` requests."""
        self.sent_at += [time.perf_counter()] * count
        self._unsent = memoryview(bytes(self._unsent) + frames)
        self.flush()

    def flush(self) -> None:
        """Send waiting bytes; watch the socket for the rest."""
        events = selectors.EVENT_READ
        while self._unsent:
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except BlockingIOError:
                events |= selectors.EVENT_WRITE
                break
        self._selector.modify(self.socket, events, self)

    def answers(self, data: memoryview) -> int:
        """How many answers end in `data`; their bodies are not kept."""
        found = position = 0
        while position < len(data):
            if self._skip:
                step = min(self._skip, len(data) - position)
                self._skip -= step
                position += step
                if not self._skip:
                    found += 1
                continue
            self._received += data[position : position + 256]
            if len(self._received) < 4:
                break
            (size,) = struct.unpack_from(">i", self._received)
            head = min(size + 4, 256)
            if len(self._received) < head:
                break
            extra = len(self._received) - head
            self._check(bytes(self._received[:head]))
            position += min(256, len(data) - position) - extra
            self._received.clear()
            self._skip = size + 4 - head
            if not self._skip:
                found += 1
        return found


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
    links = [
        _Connection(endpoints[i % len(endpoints)], selector, check) for i in range(connections)
    ]
    scratch = memoryview(bytearray(4 << 20))
    result = Result(requests=0, seconds=0, cpu=0, bytes_in=0)
    for link in links:
        link.send(frame * in_flight, in_flight)
    began, cpu_began = time.perf_counter(), cpu_seconds(pids)
    end = began + seconds
    while (now := time.perf_counter()) < end:
        for key, events in selector.select(end - now):
            link = key.data
            if events & selectors.EVENT_WRITE:
                link.flush()
            if not events & selectors.EVENT_READ:
                continue
            try:
                size = link.socket.recv_into(scratch)
            except BlockingIOError:
                continue
            if not size:
                raise ConnectionError("the broker closed a connection")
            result.bytes_in += size
            done = link.answers(scratch[:size])
            if done:
                result.requests += done
                if keep_latency:
                    now = time.perf_counter()
                    result.latencies += [now - sent for sent in link.sent_at[:done]]
                del link.sent_at[:done]
                link.send(frame * done, done)
    result.seconds = time.perf_counter() - began
    result.cpu = cpu_seconds(pids) - cpu_began
    for link in links:
        link.socket.close()
    return result
