"""`raftka learn --bridge PORT`: real clients use virtual brokers, in real time.

    python -m raftka.learn.bridge PORT [SEED]

Each virtual broker has a port on 127.0.0.1, which it advertises to its clients: PORT for node 1,
one more for each other. Each send of a client is added to the session's script (the verb `bytes`),
so the session runs again, to the same hash, without any client.

A process of its own, since a simulation puts functions in the place of trio's. By lines of JSON on
standard in and out it is asked what it has run and told what to do:

    {"id":1,"op":"events","from":0}   events from that number on, and `now_s`
    {"id":2,"op":"do","action":{}}    an action, now
    {"id":3,"op":"session"}           the session so far, with its hash and `until_s`
"""

from __future__ import annotations

import base64
import json
import os
import selectors
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from raftka.learn.recording import brought_by
from raftka.simulations.machines.outside import CONNECTIONS_MAX
from raftka.simulations.scenarios import stage
from raftka.simulations.sessions.errors import SessionError
from raftka.simulations.sessions.session import ACTIONS_MAX, SECONDS_MAX, Action, read_action
from raftka.simulations.sessions.show import Show, ready

NODES: Final = 3
CLIENTS_MAX: Final = 100
"""The most connections at once."""
SCRIPT_BYTES_MAX: Final = 2_000_000
"""The most bytes that clients may send: a session must fit into a request and a file."""
_CHUNK: Final = 49_152
_UNSENT_MAX: Final = 16 << 20
_TICK_S: Final = 0.002
_BEHIND_S: Final = 0.25
"""If it lags by more than this, virtual time runs slower than real time."""
_EVENTS_MAX: Final = 2000


def open_session(port: int, seed: int = 7) -> dict[str, Any]:
    """An empty cluster."""
    nodes = [{"node_id": each, "roles": "broker,controller"} for each in range(1, NODES + 1)]
    # Clients' clocks show today's date, the nodes' do not.
    settings = {**stage.SETTINGS, "log.message.timestamp.after.max.ms": str((1 << 63) - 1)}
    plan = {"seed": seed, "duration_s": SECONDS_MAX, "nodes": nodes, "settings": settings}
    return {"plan": plan, "bridge": port}


class _Client:
    """A real connection and its number in the script."""

    def __init__(self, sock: socket.socket, number: int, node: str) -> None:
        self.sock = sock
        self.number = number
        self.node = node
        self.unsent = bytearray()
        self.is_over = False
        """The broker has ended it: close it once everything is sent."""


class Bridge:
    """One session, its ports, and its clients."""

    def __init__(self, session: Mapping[str, Any]) -> None:
        """Begin the session. Raises SessionError, and OSError for a port that is taken."""
        self._session = dict(session)
        found = ready(self._session, brought_by())
        port = found.plan.bridge_port
        self._nodes = found.nodes
        self._script: list[Action] = []
        self._bytes = 0
        self._events: list[str] = []
        self._clients: dict[int, _Client] = {}
        self._last = 0
        self._selector = selectors.DefaultSelector()
        self._ports: list[socket.socket] = []
        for node in found.plan.nodes:
            if "broker" in node.roles:
                self._listen(port + node.node_id - 1, f"n{node.node_id}")
        self._show = Show(found, (), self)
        self._show.go(0.0)
        self._show.ask(lambda world: setattr(world.outside, "heard", self._heard))
        self._began = time.monotonic()

    def write(self, text: str) -> None:
        """Take a line of the trace."""
        self._events.append(text)

    @property
    def is_full(self) -> bool:
        """Whether new clients are refused."""
        return self._is_script_full or self._last >= CONNECTIONS_MAX

    @property
    def _is_script_full(self) -> bool:
        """Whether the script is full, for every client."""
        return len(self._script) >= ACTIONS_MAX - CLIENTS_MAX or self._bytes >= SCRIPT_BYTES_MAX

    def turn(self) -> None:
        """Take received bytes, let virtual time catch up with real time, send the answers."""
        for key, _ in self._selector.select(_TICK_S):
            key.data()
        now = time.monotonic() - self._began
        behind = now - self._show.now_s
        if behind > _BEHIND_S:
            self._began += behind - _BEHIND_S
            now = self._show.now_s + _BEHIND_S
        self._show.go(min(now, SECONDS_MAX))
        for client in list(self._clients.values()):
            self._send(client)

    def close(self) -> None:
        """End the run and all connections."""
        for client in list(self._clients.values()):
            self._forget(client)
        for each in self._ports:
            each.close()
        self._selector.close()
        self._show.end()

    # Requests.

    def watch(self, descriptor: int, take: Callable[[], None]) -> None:
        """Call `take` when there is something to read."""
        self._selector.register(descriptor, selectors.EVENT_READ, take)

    def handle(self, request: Any) -> dict[str, Any]:
        """The answer to one request."""
        if not isinstance(request, dict):
            request = {}
        id_ = request.get("id")
        try:
            op = request.get("op")
            if op == "events":
                return {"id": id_, "ok": True, **self._told(request.get("from"))}
            if op == "do":
                action = read_action(
                    request.get("action"), "action", self._nodes, None, default_s=self._show.now_s
                )
                self._act(Action(self._show.now_s, action.do, action.arguments))
                return {"id": id_, "ok": True, "now_s": self._show.now_s}
            if op == "session":
                return {"id": id_, "ok": True, **self.session()}
        except SessionError as error:
            return {"id": id_, "ok": False, "error": error.as_dict()}
        words = "there is no such op; there are: events, do, session"
        return {"id": id_, "ok": False, "error": {"code": "unknown-op", "message": words}}

    def _told(self, since: object) -> dict[str, Any]:
        first = since if isinstance(since, int) and 0 <= since <= len(self._events) else 0
        lines = self._events[first : first + _EVENTS_MAX]
        return {
            "events": [json.loads(line) for line in lines],
            "next": first + len(lines),
            "now_s": self._show.now_s,
            "clients": len(self._clients),
            "full": self.is_full,
            "ended": self._show.has_ended,
        }

    def session(self) -> dict[str, Any]:
        """The session until now: run again, it ends at this time with this hash."""
        script = [each.as_dict() for each in self._script]
        session = {**self._session, "script": script, "until_s": self._show.now_s}
        return {"session": session, "hash": self._show.hash, "now_s": self._show.now_s}

    # Clients.

    def _listen(self, port: int, node: str) -> None:
        sock = socket.create_server(("127.0.0.1", port), backlog=64)
        sock.setblocking(False)
        self._ports.append(sock)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._accept(sock, node))

    def _accept(self, port: socket.socket, node: str) -> None:
        try:
            sock, _ = port.accept()
        except OSError:
            return  # The client has gone again.
        if len(self._clients) >= CLIENTS_MAX or self.is_full:
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._last += 1
        client = self._clients[self._last] = _Client(sock, self._last, node)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._receive(client))

    def _receive(self, client: _Client) -> None:
        try:
            data = client.sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        arguments: dict[str, Any] = {"node": client.node, "connection": client.number, "end": False}
        if self._is_script_full or not data:
            self._forget(client)
            arguments["end"] = True
        if data and not arguments["end"]:
            self._bytes += len(data)
            arguments["base64"] = base64.b64encode(data).decode()
        try:
            self._act(Action(self._show.now_s, "bytes", arguments))
        except SessionError:
            self._forget(client)  # The run has its maximum of connections.

    def _act(self, action: Action) -> None:
        if self._show.has_ended:
            raise SessionError("ended", "the run has ended")
        self._show.act(action)
        self._show.go(self._show.now_s, acts_at_end=True)
        self._script.append(action)

    def _heard(self, number: int, data: bytes) -> None:
        client = self._clients.get(number)
        if client is None:
            return
        if data:
            client.unsent += data
        else:
            client.is_over = True

    def _send(self, client: _Client) -> None:
        try:
            while client.unsent:
                del client.unsent[: client.sock.send(client.unsent[:_CHUNK])]
        except BlockingIOError:
            if len(client.unsent) > _UNSENT_MAX:
                self._forget(client)
        except OSError:
            self._forget(client)
        if client.is_over and not client.unsent:
            self._forget(client)

    def _forget(self, client: _Client) -> None:
        if self._clients.pop(client.number, None) is not None:
            self._selector.unregister(client.sock)
            client.sock.close()


class _Lines:
    """Requests on standard in, answered on standard out."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._kept = bytearray()
        self.has_ended = False

    def take(self) -> None:
        """Read the available bytes, and answer whole lines."""
        chunk = os.read(0, 1 << 16)
        if not chunk:
            self.has_ended = True
            return
        self._kept += chunk
        *lines, rest = self._kept.split(b"\n")
        self._kept = bytearray(rest)
        for line in lines:
            try:
                request = json.loads(line)
            except (ValueError, RecursionError):
                request = None
            answer = json.dumps(self._bridge.handle(request), separators=(",", ":"))
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()


def main(argv: list[str]) -> int:
    """Run until standard in ends; the exit code."""
    try:
        bridge = Bridge(open_session(int(argv[0]), int(argv[1]) if len(argv) > 1 else 7))
    except OSError as error:
        print(json.dumps({"failed": str(error)}), flush=True)
        return 1
    lines = _Lines(bridge)
    bridge.watch(0, lines.take)
    print(json.dumps({"ready": True}), flush=True)
    try:
        while not lines.has_ended:
            bridge.turn()
    except (BrokenPipeError, KeyboardInterrupt):
        return 0
    finally:
        bridge.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
