"""Runs the nodes of one machine and restarts a node that dies.

The first node starts first: it may generate the cluster's id, with which the others are formatted.
On SIGTERM the others stop before it, since it may be their controller.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import trio

from raftka.model.logs import get_logger
from raftka.service_manager import notify
from raftka.storage import meta_properties
from raftka.storage.posix import PosixDisk

log = get_logger(__name__)

BACKOFF_S: Final = (0.2, 30.0)
"""The pause before a restart: the first one, and the longest."""
_LIVED_S: Final = 60.0
"""A node that ran this long before it died restarts after the first pause again."""


class NoStart(RuntimeError):
    """A node ended before it served: another start would end in the same way."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a node ended with {code} before it served")
        self.code = code


class Node:
    """One of the processes."""

    def __init__(self, settings: Mapping[str, str], log_level: str, *, format_first: bool) -> None:
        self.node_id = int(settings["node.id"])
        self.served = trio.Event()
        """Set once it serves for the first time."""
        self.cluster_id: str | None = None
        self._settings = dict(settings)
        self._order = {"settings": self._settings, "log_level": log_level, "format": format_first}
        self._process: trio.Process | None = None
        self._stops = False

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        return None if self._process is None else self._process.pid

    def own_cluster_id(self) -> str | None:
        """The cluster id in the node's directory; None until it is formatted."""
        first = self._settings["log.dirs"].partition(",")[0].strip()
        try:
            found = meta_properties.read(PosixDisk(), str(Path(first).absolute()))
        except meta_properties.BadDirectory:
            return None  # The node itself reports that, and ends.
        return None if found is None else found.cluster_id

    async def run(self) -> None:
        """Keep it running until `stop`. Raises NoStart."""
        backoff_s, most_s = BACKOFF_S
        while not self._stops:
            begun = trio.current_time()
            code = await self._once()
            if self._stops:
                return
            if not self.served.is_set():
                raise NoStart(code or 1)
            if trio.current_time() - begun > _LIVED_S:
                backoff_s = BACKOFF_S[0]
            log.error(
                f"node {self.node_id} ended with {code}; it is started again in {backoff_s:g} s"
            )
            await trio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, most_s)

    async def _once(self) -> int:
        """Run the node's process once; returns its exit code."""
        environ = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
        if self.cluster_id is not None:
            environ["CLUSTER_ID"] = self.cluster_id
        # Neither end has a name, so a killed process leaves nothing behind.
        ours, theirs = socket.socketpair()
        with theirs:
            process = self._process = await trio.lowlevel.open_process(
                [sys.executable, "-m", "raftka.processes.child"],
                stdin=theirs,
                env=environ,
                # Ctrl-C reaches the supervisor alone, which stops nodes in their order.
                start_new_session=True,
            )
        async with trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as stream:
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(json.dumps(self._order).encode() + b"\n")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._hear, stream)
                code = await process.wait()
                nursery.cancel_scope.cancel()
        self._process = None
        return code

    async def _hear(self, stream: trio.SocketStream) -> None:
        """Wait for the byte that the node writes when it serves."""
        with contextlib.suppress(trio.BrokenResourceError):
            async for _ in stream:
                self.served.set()

    async def stop(self) -> None:
        """Shut it down under control, however long that takes."""
        self._stops = True
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            await self._process.wait()

    def kill(self) -> None:
        """End it at once."""
        self._stops = True
        if self._process is not None:
            self._process.kill()


def supervise(plans: Sequence[Mapping[str, str]], log_level: str, *, format_first: bool) -> int:
    """Run the nodes until a signal; returns the exit code, as `raftka server` does."""
    nodes = [
        Node(each, log_level, format_first=format_first or index > 0)
        for index, each in enumerate(plans)
    ]
    try:
        return trio.run(_run, nodes)
    except BaseExceptionGroup as group:
        expected, rest = group.split(NoStart)
        if expected is None or rest is not None:
            raise
        return _first(expected).code


def _first(group: BaseExceptionGroup[NoStart]) -> NoStart:
    each: NoStart | BaseExceptionGroup[NoStart] = group
    while isinstance(each, BaseExceptionGroup):
        each = each.exceptions[0]
    return each


async def _run(nodes: Sequence[Node]) -> int:
    async with trio.open_nursery() as nursery:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            try:
                nursery.start_soon(_start, nodes, nursery)
                code = await _stop_on_signal(nodes, signals)
            finally:
                for node in nodes:
                    node.kill()
        nursery.cancel_scope.cancel()
    return code


async def _start(nodes: Sequence[Node], nursery: trio.Nursery) -> None:
    first, *others = nodes
    nursery.start_soon(first.run)
    await first.served.wait()
    for node in others:
        node.cluster_id = first.own_cluster_id()
        nursery.start_soon(node.run)
    for node in nodes:
        await node.served.wait()
    ids = ", ".join(str(node.node_id) for node in nodes)
    log.info(f"nodes {ids} serve under one supervisor")
    notify("READY=1", f"STATUS=nodes {ids} serve")


async def _stop_on_signal(nodes: Sequence[Node], signals: AsyncIterator[int]) -> int:
    """Wait for a signal and stop the nodes, at a second one at once. Returns the exit code."""
    code = 0

    async def end_at_once() -> None:
        nonlocal code
        code = 128 + await anext(signals)
        for node in nodes:
            node.kill()

    await anext(signals)
    notify("STOPPING=1")
    async with trio.open_nursery() as impatience:
        impatience.start_soon(end_at_once)
        async with trio.open_nursery() as others:
            for node in nodes[1:]:
                others.start_soon(node.stop)
        await nodes[0].stop()
        impatience.cancel_scope.cancel()
    return code
