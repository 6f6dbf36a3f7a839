"""A network in memory: links with delay, cuts, clogs and resets, under the faults' control.

Every byte stream has two pipes, one for each direction. A pipe delivers in order, after a delay
drawn for each send; a cut holds bytes back (TCP would retransmit them) until it heals or the
connection is given up; a clog delays them. A process that is killed resets its connections; a
machine that loses power sends nothing, and its peers find out when they send to it again.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from math import log
from random import Random

import trio

from raftka.model.ports import BrokenConnection, Connection, Listener, Poller
from raftka.simulations.machines.determinism import sleep
from raftka.simulations.machines.life import Life
from raftka.simulations.machines.poller import SimPoller
from raftka.simulations.machines.stream import Flow, LinkFaults, Stream, Taps


def _nobody_watches(client: str, server: str, port: int, flow: Flow) -> Taps:
    return None, None


class Fabric:
    """All links between all hosts of one simulation."""

    def __init__(
        self,
        dice: Random,
        observe: Callable[[str, str, int], None] | None = None,
        watch: Callable[[str, str, int, Flow], Taps] = _nobody_watches,
        at: Callable[[float, Callable[[], None]], None] | None = None,
    ) -> None:
        """`at` calls back at a time; without it, `run` must be running. `observe` gets each
        delivery (source, target, bytes); `watch` returns the taps of a new connection (client,
        server, port, the client's side).
        """
        self.dice = dice
        self.watch = watch
        self.at = at or self._later
        """Calls back at a time."""
        self.faults = LinkFaults()
        self.delivered = 0
        self.observe = observe
        self.broken_at: dict[frozenset[str], float] = {}
        """When the connections between two hosts were last broken."""
        self.on_links: Callable[[], None] | None = None
        """Called when a direction was cut or reopened."""
        self.cuts: set[tuple[str, str]] = set()
        """The directions that are cut now: (source, target)."""
        self.closed_services: set[tuple[str, str, int]] = set()
        """(client, server, port): connections that are cut now, in both directions."""
        self.sending: Stream | None = None
        """While a tap is called: the sender of the bytes that the tap sees."""
        self._clogged: dict[tuple[str, str], float] = {}
        self._slow: dict[tuple[str, str], float] = {}
        self._listeners: dict[tuple[str, int], SimListener] = {}
        self._connections: list[Stream] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._sooner = trio.Event()
        self._next_port = 40_000

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._sooner = trio.Event()
            now = trio.current_time()
            while self._events and self._events[0][0] <= now:
                heapq.heappop(self._events)[2]()
            if not self._events:
                await self._sooner.wait()
                continue
            with trio.move_on_at(self._events[0][0]):
                await self._sooner.wait()

    def _later(self, moment: float, action: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (moment, self._sequence, action))
        if self._events[0][1] == self._sequence:
            self._sooner.set()

    def host(self, name: str, life: Life | None = None) -> SimNetwork:
        """The network as one process on that host sees it."""
        return SimNetwork(self, name, life or Life())

    # Faults.

    def cut(self, source: str, target: str) -> None:
        """Cut the direction from source to target from now on."""
        self.cuts.add((source, target))
        if self.on_links is not None:
            self.on_links()

    def heal(self, source: str | None = None, target: str | None = None) -> None:
        """Reopen one direction, or all."""
        if source is None or target is None:
            self.cuts.clear()
            self._clogged.clear()
            self._slow.clear()
            self.closed_services.clear()
            for stream in list(self._connections):
                stream.release()
        else:
            self.cuts.discard((source, target))
            self._slow.pop((source, target), None)
        if self.on_links is not None:
            self.on_links()
        for stream in list(self._connections):
            stream.pump()

    def cut_service(self, client: str, server: str, port: int) -> None:
        """Cut a client from one port of a server, in both directions; new connections fail, too.
        Other traffic between the hosts passes.
        """
        service = (client, server, port)
        self.closed_services.add(service)
        for stream in self._connections:
            if stream.service == service:
                stream.hold()

    def heal_service(self, client: str, server: str, port: int) -> None:
        """Undo `cut_service`."""
        service = (client, server, port)
        self.closed_services.discard(service)
        for stream in list(self._connections):
            if stream.service == service:
                stream.release()

    def clog(self, source: str, target: str, seconds: float) -> None:
        """Hold back everything from source to target for a while."""
        self._clogged[(source, target)] = trio.current_time() + seconds

    def slow(self, source: str, target: str, seconds: float) -> None:
        """Everything from source to target takes that much longer, until the link is healed."""
        self._slow[(source, target)] = seconds

    def reset(self, one: str, other: str) -> int:
        """Break all connections between two hosts, losing what is on its way."""
        self.broken_at[frozenset((one, other))] = trio.current_time()
        return self._break(lambda s: {s.local, s.remote} == {one, other}, tell_peer=True)

    def half_open(self, one: str, other: str) -> None:
        """The connections of `one` to `other` end at `one`, and the other side gets no message."""
        self.broken_at[frozenset((one, other))] = trio.current_time()
        for stream in [s for s in self._connections if (s.local, s.remote) == (one, other)]:
            stream.vanish()

    def kill(self, host: str) -> None:
        """The process on a host is gone; its kernel resets its connections."""
        self._drop_listeners(host)
        self._break(lambda s: s.local == host, tell_peer=True)

    def lose_power(self, host: str) -> None:
        """The machine is gone; no peer is notified."""
        self._drop_listeners(host)
        self._break(lambda s: s.local == host, tell_peer=False)

    def resumed(self, host: str) -> None:
        """A paused process runs again: what it had sent before is delivered."""
        for stream in list(self._connections):
            if stream.local == host:
                stream.pump()

    def passes(self, source: str, target: str) -> bool:
        return (source, target) not in self.cuts

    def delay(self, source: str, target: str) -> float:
        """When a message sent now arrives, under the current faults."""
        now = trio.current_time()
        faults = self.faults
        wait = faults.min_delay_s - faults.delay_s * log(1.0 - self.dice.random())
        if self._slow:
            wait += self._slow.get((source, target), 0.0)
        if not self._clogged:
            return now + wait
        return max(now, self._clogged.get((source, target), 0.0)) + wait

    def _drop_listeners(self, host: str) -> None:
        for key in [key for key in self._listeners if key[0] == host]:
            self._listeners.pop(key).shut()

    def _break(self, which: Callable[[Stream], bool], *, tell_peer: bool) -> int:
        broken = [stream for stream in self._connections if which(stream)]
        for stream in broken:
            stream.die(tell_peer=tell_peer)
        return len(broken)

    # Hosts.

    def bind(self, host: str, port: int, life: Life) -> SimListener:
        if not port:
            self._next_port += 1
            port = self._next_port
        if (host, port) in self._listeners:
            raise OSError(98, f"cannot listen on {host}:{port}: Address already in use")
        listener = SimListener(self, host, port, life)
        self._listeners[(host, port)] = listener
        return listener

    def unbind(self, listener: SimListener) -> None:
        self._listeners.pop((listener.host, listener.port), None)

    def listener(self, host: str, port: int) -> SimListener | None:
        return self._listeners.get((host, port))

    def link(self, client: str, life: Life, listener: SimListener) -> tuple[Stream, Stream]:
        self._next_port += 1
        server, port = listener.host, listener.port
        near = Stream(self, client, server, f"{server}:{port}", life)
        far = Stream(self, server, client, f"{client}:{self._next_port}", listener.life)
        near.other, far.other = far, near
        near.service = far.service = (client, server, port)
        near.tap, far.tap = self.watch(client, server, port, near)
        self._connections += [near, far]
        return near, far

    def forget(self, stream: Stream) -> None:
        if stream in self._connections:
            self._connections.remove(stream)

    def saw(self, source: str, target: str, size: int) -> None:
        self.delivered += 1
        if self.observe is not None:
            self.observe(source, target, size)


class SimListener:
    """A bound port."""

    def __init__(self, fabric: Fabric, host: str, port: int, life: Life) -> None:
        self.life = life
        self.host = host
        self.port = port
        self._fabric = fabric
        self._backlog: deque[Stream] = deque()
        self._arrived = trio.Event()
        self._open = True

    async def accept(self) -> Connection:
        while not self._backlog:
            if not self._open:
                raise trio.ClosedResourceError("the listener is closed")
            self._arrived = trio.Event()
            await self._arrived.wait()
            await self.life.passage()
        return self._backlog.popleft()

    def offer(self, stream: Stream) -> None:
        self._backlog.append(stream)
        self._arrived.set()

    def close(self) -> None:
        if self._open:
            self._fabric.unbind(self)
            self.shut()

    def shut(self) -> None:
        self._open = False
        while self._backlog:
            self._backlog.popleft().close()
        self._arrived.set()


class SimNetwork:
    """The network port of one process."""

    def __init__(self, fabric: Fabric, host: str, life: Life) -> None:
        self._fabric = fabric
        self._host = host
        self._life = life

    def kill(self) -> None:
        """The process is dead: it can no longer connect or listen."""
        self._life.end()

    async def connect(self, host: str, port: int, *, timeout_s: float = 10.0) -> Connection:
        fabric = self._fabric
        deadline = trio.current_time() + timeout_s
        peer = f"{host}:{port}"
        await sleep(min(deadline, fabric.delay(self._host, host)) - trio.current_time())
        service = (self._host, host, port)
        while (
            service in fabric.closed_services
            or not fabric.passes(self._host, host)
            or not fabric.passes(host, self._host)
        ):
            if trio.current_time() >= deadline:
                raise BrokenConnection(f"{peer}: no answer within {timeout_s:g} s")
            await sleep(min(0.2, deadline - trio.current_time()))
        await sleep(fabric.delay(host, self._host) - trio.current_time())
        await self._life.passage()
        listener = fabric.listener(host, port)
        if listener is None or not self._life.is_alive:
            raise BrokenConnection(f"{peer}: Connection refused")
        near, far = fabric.link(self._host, self._life, listener)
        listener.offer(far)
        return near

    async def listen(self, host: str, port: int, *, backlog: int = 1024) -> Listener:
        if not self._life.is_alive:
            raise OSError(100, "the process is dead")
        return self._fabric.bind(self._host, port, self._life)

    def poller(self) -> Poller | None:
        return SimPoller(self._life)
