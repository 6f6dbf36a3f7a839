"""Open-loop load: requests leave at planned times, whether answers come or not.

A closed loop that waits for an answer before it asks again sends least while a broker is paused,
so that a pause of a second is one slow request of thousands ("coordinated omission"). Here every
request that falls due during such a pause counts, and its latency begins at the time that it was
planned for, not at the time that it could be sent. The generator's own delay is in it, too; how
late it sent says how much of a figure may be the generator's.
"""

from __future__ import annotations

import math
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_BUFFER_BYTES = 1 << 20


@dataclass
class Latencies:
    """Seconds from the planned time to the answer, and to the sending."""

    answers: list[float] = field(default_factory=list)
    sends: list[float] = field(default_factory=list)
    lost: int = 0
    """Requests without an answer when the patience was over."""

    def percentile_ms(self, share: float) -> float:
        """A percentile of the answers' latencies, in milliseconds."""
        return percentile(self.answers, share) * 1000

    def late_ms(self, share: float) -> float:
        """How late that share of the requests was sent, at most, in milliseconds."""
        return percentile(self.sends, share) * 1000


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


class _Link:
    """One connection: what waits to be sent, and the planned times of what has no answer."""

    def __init__(self, endpoint: tuple[str, int], check: Callable[[bytes], None]) -> None:
        self.socket = socket.create_connection(endpoint)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.planned: deque[float] = deque()
        self.unsent = b""
        self._received = bytearray()
        self._check = check

    def send(self, frame: bytes) -> None:
        """Send, as far as the system takes it."""
        self.unsent += frame
        self.flush()

    def flush(self) -> None:
        """Send the bytes that the system did not accept before."""
        if self.unsent:
            try:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
            except BlockingIOError:
                return

    def receive(self) -> int:
        """How many answers have come."""
        try:
            data = self.socket.recv(_BUFFER_BYTES)
        except BlockingIOError:
            return 0
        if not data:
            raise ConnectionError("the broker closed a connection")
        received = self._received
        received += data
        found = position = 0
        while len(received) - position >= 4:
            (size,) = struct.unpack_from(">i", received, position)
            if len(received) - position < size + 4:
                break
            self._check(bytes(received[position : position + min(size + 4, 256)]))
            position += size + 4
            found += 1
        del received[:position]
        return found


def run_open(
    endpoint: tuple[str, int],
    frame: bytes,
    *,
    rate: float,
    connections: int,
    seconds: float,
    check: Callable[[bytes], None],
    patience_s: float = 10.0,
) -> Latencies:
    """Send `rate` requests a second for `seconds`, and wait for the answers.

    `check` sees the first bytes of each answer and raises when it is an error.
    """
    selector = selectors.DefaultSelector()
    links = [_Link(endpoint, check) for _ in range(connections)]
    for link in links:
        selector.register(link.socket, selectors.EVENT_READ, link)
    result = Latencies()
    began = time.perf_counter()
    count, sent, waiting = int(rate * seconds), 0, 0
    give_up = began + seconds + patience_s
    while (sent < count or waiting) and (now := time.perf_counter()) < give_up:
        while sent < count and (planned := began + sent / rate) <= now:
            link = links[sent % connections]
            link.planned.append(planned)
            link.send(frame)
            now = time.perf_counter()
            result.sends.append(now - planned)
            sent += 1
            waiting += 1
        due = began + sent / rate if sent < count else give_up
        # A late timer of the system would count as the broker's delay: spin for the last bit.
        timeout = max(0.0, due - time.perf_counter() - 0.0002)
        for key, _ in selector.select(timeout):
            link = key.data
            done = link.receive()
            now = time.perf_counter()
            for _ in range(done):
                result.answers.append(now - link.planned.popleft())
            waiting -= done
        for link in links:
            link.flush()
    result.lost = waiting
    for link in links:
        link.socket.close()
    selector.close()
    return result
