"""One byte stream between two hosts, as a pair of ends; network.py delivers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

import trio

from raftka.model.ports import BrokenConnection, Piece, bytes_of
from raftka.simulations.machines.life import Life

WINDOW = 1 << 20
"""Bytes that a sender may have in flight before it must wait."""

Tap = Callable[[bytes], None]
"""Sees the bytes that one side of a connection sends, as they are sent."""

Taps = tuple[Tap | None, Tap | None]
"""For what the client of a connection sends, and the server."""


class Flow(Protocol):
    """One side of a connection, as an observer with a view of both kernels sees it."""

    @property
    def is_open(self) -> bool:
        """Whether neither side has ended it."""
        ...

    @property
    def all_arrived(self) -> bool:
        """Whether the other side's kernel has all that this side has sent."""
        ...


def both(one: Tap, other: Tap) -> Tap:
    """Two taps on one stream."""

    def tap(data: bytes) -> None:
        one(data)
        other(data)

    return tap


@dataclass
class LinkFaults:
    """The present state of the network; the fault injector changes it."""

    delay_s: float = 0.0002
    """Mean of the exponential delay that is added to each send."""
    min_delay_s: float = 0.00005
    split_rate: float = 0.05
    """The probability that a delivery arrives in two parts, split at any byte."""
    give_up_s: float = 10.0
    """A connection whose bytes are held back for this long breaks."""


class Watcher(Protocol):
    """Notified of the streams that it watches (machines/poller.py)."""

    def readable(self, stream: Stream) -> None:
        """Bytes have arrived, or the end."""
        ...


class Links(Protocol):
    """The network, as one stream needs it."""

    faults: LinkFaults
    dice: Random
    at: Callable[[float, Callable[[], None]], None]
    """Calls back at a time."""

    cuts: set[tuple[str, str]]
    """The directions that are cut now: (source, target)."""
    sending: Stream | None
    """Whose bytes a tap sees."""

    def passes(self, source: str, target: str) -> bool: ...
    def delay(self, source: str, target: str) -> float:
        """When a message sent now arrives."""
        ...

    def forget(self, stream: Stream) -> None: ...
    def saw(self, source: str, target: str, size: int) -> None: ...


class Stream:
    """One side of one connection; what it sends goes to `other`."""

    other: Stream

    def __init__(self, fabric: Links, local: str, remote: str, peer: str, life: Life) -> None:
        self.tap: Tap | None = None
        self.name = ""
        """What a trace calls this connection."""
        self.service: tuple[str, str, int] = ("", "", 0)
        """The client, the server, and the server's port."""
        self._is_held = False
        self._life = life
        self.local = local
        self.remote = remote
        self.peer = peer
        self._fabric = fabric
        self._outgoing: deque[tuple[float, bytes]] = deque()
        self._on_the_way = 0
        self._held_since: float | None = None
        self._pumping = False
        self._incoming = bytearray()
        self._end: str | None = None
        """Why nothing more will come: "eof", "reset" or "silent"; None while it may."""
        self._closed = False
        self._dead = False
        self._room: trio.Event | None = None
        """Set when the send window has room again, while a sender waits."""
        self._receiver: trio.lowlevel.Task | None = None
        self.watcher: Watcher | None = None
        """The poller that is notified of bytes."""

    @property
    def is_open(self) -> bool:
        """Whether neither side has ended the connection."""
        return not any(side._closed or side._dead or side._end for side in (self, self.other))

    @property
    def all_arrived(self) -> bool:
        """Whether the other side's kernel has all that this side has sent."""
        return not self._outgoing

    # The Connection port.

    async def receive_into(self, buffer: bytearray | memoryview, at_least: int = 1) -> int:
        if self._incoming:
            await trio.lowlevel.checkpoint_if_cancelled()
        while (size := self.receive_now(buffer)) is None:
            self._receiver = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._stop_receiving)
            if self._life.is_paused:
                await self._life.passage()
        return size

    def receive_now(self, buffer: bytearray | memoryview) -> int | None:
        if not self._incoming:
            if self._closed:
                raise trio.ClosedResourceError(f"the connection to {self.peer} is closed")
            if self._end == "eof":
                return 0
            if self._end == "reset":
                raise BrokenConnection(f"{self.peer}: Connection reset by peer")
            return None
        size = min(len(buffer), len(self._incoming))
        buffer[:size] = self._incoming[:size]
        del self._incoming[:size]
        if self._incoming and self.watcher is not None:
            self.watcher.readable(self)
        return size

    @property
    def has_news(self) -> bool:
        """Whether `receive_now` would return or raise something."""
        return bool(self._incoming) or self._closed or self._end in ("eof", "reset")

    def _stop_receiving(self, _: object) -> trio.lowlevel.Abort:
        self._receiver = None
        return trio.lowlevel.Abort.SUCCEEDED

    def send_now(self, pieces: list[Piece]) -> list[Piece]:
        if self._dead:
            return []
        if self._closed or self._end == "reset":
            raise BrokenConnection(f"{self.peer}: Broken pipe")
        if self._on_the_way > WINDOW:
            return pieces
        data = b"".join([bytes_of(piece) for piece in pieces])
        if data:
            fabric = self._fabric
            if self.tap is not None:
                fabric.sending = self
                self.tap(data)
            self._on_the_way += len(data)
            moment = fabric.delay(self.local, self.remote)
            if self._outgoing:
                moment = max(moment, self._outgoing[-1][0])
            self._outgoing.append((moment, data))
            self.pump()
        return []

    async def send(self, pieces: Sequence[Piece]) -> None:
        remaining = list(pieces)
        while remaining := self.send_now(remaining):
            self._room = self._room or trio.Event()
            await self._room.wait()
            if self._closed:
                raise trio.ClosedResourceError(f"the connection to {self.peer} is closed")

    def hold(self) -> None:
        """Hold the bytes in flight and all later ones until `release`, on this connection only.
        However long that lasts, the connection does not break.
        """
        self._is_held = True

    def release(self) -> None:
        """Deliver the held bytes."""
        if self._is_held:
            self._is_held = False
            self.pump()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._fabric.forget(self)
        self._wake()
        if not self._dead and self._end != "reset":
            # The end follows the bytes, as a FIN does; after a reset a kernel sends none.
            self._outgoing.append((self._fabric.delay(self.local, self.remote), b""))
            self.pump()

    # Delivery.

    def pump(self) -> None:
        """Schedule the next delivery, unless the link is cut or that was done."""
        if self._pumping or not self._outgoing or self._dead or self._life.is_paused:
            return
        if self._is_held:
            return
        fabric = self._fabric
        now = trio.current_time()
        if fabric.cuts and not fabric.passes(self.local, self.remote):
            if self._held_since is None:
                self._held_since = now
                fabric.at(now + fabric.faults.give_up_s, self._give_up)
            return
        self._held_since = None
        self._pumping = True
        fabric.at(max(now, self._outgoing[0][0]), self._arrive)

    def _arrive(self) -> None:
        self._pumping = False
        fabric = self._fabric
        passes = not self._is_held and fabric.passes(self.local, self.remote)
        if self._dead or not self._outgoing or not passes:
            self.pump()
            return
        _, data = self._outgoing.popleft()
        split_rate = fabric.faults.split_rate
        if split_rate and len(data) > 1 and fabric.dice.random() < split_rate:
            cut = fabric.dice.randrange(1, len(data))
            self._outgoing.appendleft((fabric.delay(self.local, self.remote), data[cut:]))
            data = data[:cut]
        self._on_the_way -= len(data)
        if self._room is not None:
            self._room.set()
            self._room = None
        self.other.take(data)
        fabric.saw(self.local, self.remote, len(data))
        if self._outgoing:
            self.pump()

    def take(self, data: bytes) -> None:
        if self._end == "reset" and not self._dead and not self._closed:
            self.other.reset()
            return
        if self._dead and not self._closed:
            # The machine came back without this connection, or is gone: a reset answers, unless it
            # is cut.
            return
        if self._closed:
            if data:
                self.other.reset()
            return
        if data:
            self._incoming += data
        elif self._end is None:
            self._end = "eof"
        self._wake_receiver()

    def reset(self) -> None:
        if self._end is None and not self._closed:
            self._end = "reset"
            self._incoming.clear()
            self._outgoing.clear()
            self._wake()

    def vanish(self) -> None:
        """This side learns of a broken connection; the peer finds out when it sends."""
        self._fabric.forget(self)
        self.reset()

    def die(self, *, tell_peer: bool) -> None:
        """This side's process is gone."""
        self._dead = True
        self._outgoing.clear()
        self._fabric.forget(self)
        self._end = "reset"
        self._wake()
        if tell_peer:
            moment = self._fabric.delay(self.local, self.remote)
            self._fabric.at(moment, self._tell_reset)

    def _tell_reset(self) -> None:
        if self._fabric.passes(self.local, self.remote):
            self.other.reset()
        else:
            self._fabric.at(trio.current_time() + 0.2, self._tell_reset)

    def _give_up(self) -> None:
        held = self._held_since
        if held is not None and trio.current_time() >= held + self._fabric.faults.give_up_s:
            self.reset()

    def _wake(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None
        self._wake_receiver()

    def _wake_receiver(self) -> None:
        if self._receiver is not None:
            receiver, self._receiver = self._receiver, None
            trio.lowlevel.reschedule(receiver)
        elif self.watcher is not None:
            self.watcher.readable(self)
