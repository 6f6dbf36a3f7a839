"""The common base of the three clients: `async with`, and closing.

The tasks of a client (connections, the layout, heartbeats) run shielded from the scope around its
`async with`: a client that is cancelled, or whose body raised, can still finish, as a member
leaves its group and a producer sends its last batches. That takes LAST_WORDS_S at most.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final, TypeVar

import trio

from raftka.client.cluster import Cluster
from raftka.client.security import secured
from raftka.client.settings import ClientConfig
from raftka.model.ports import Clock, Dice, Network
from raftka.net.clock import system_clock, system_dice
from raftka.net.transport import TcpNetwork

C = TypeVar("C", bound="Client")

LAST_WORDS_S: Final = 5.0
"""How long a client that was cancelled or failed may take to close properly."""


class Client:
    """A client that works within `async with`; its background tasks live as long."""

    def __init__(
        self,
        config: ClientConfig,
        network: Network | None,
        clock: Clock | None,
        dice: Dice | None,
    ) -> None:
        self._config = config
        self._clock = clock or system_clock()
        self._dice = dice or system_dice()
        network = secured(config, network or TcpNetwork(), self._clock, self._dice)
        self._cluster = Cluster(config, network, self._clock, self._dice)
        self._nursery: trio.Nursery | None = None
        self._was_opened = False
        self._works = False
        """Whether the background tasks run, so that a caller may wait for them."""

    @property
    def cluster(self) -> Cluster:
        """The client's view of the cluster and its connections."""
        return self._cluster

    @property
    def tasks(self) -> trio.Nursery:
        """Where the client's own tasks run. Raises RuntimeError unless within `async with`."""
        if self._nursery is None or not self._works:
            raise self._not_open()
        return self._nursery

    def _not_open(self) -> RuntimeError:
        """Describes a use outside of `async with`, or outside of trio."""
        _require_trio()
        kind = type(self).__name__
        return RuntimeError(
            f"this {kind} is not open: use it within `async with {kind}(...) as name:`, which"
            " starts its tasks and ends them"
        )

    async def __aenter__(self: C) -> C:
        _require_trio()
        if self._was_opened:
            kind = type(self).__name__
            raise RuntimeError(f"this {kind} was opened before: make one for each `async with`")
        self._was_opened = True
        self._manager = trio.open_nursery()
        outer = await self._manager.__aenter__()
        started = trio.Event()
        outer.start_soon(self._work, started)
        with trio.CancelScope(shield=True):
            await started.wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        in_order = False
        try:
            if error is None and self._works:
                await self.close()
                in_order = True
        finally:
            try:
                if not in_order and self._works:
                    with trio.CancelScope(shield=True), self._clock.within(LAST_WORDS_S):
                        await self._say_last_words()
            finally:
                self._stop()
                self._cluster.close()
                assert self._nursery is not None
                self._nursery.cancel_scope.cancel()
                # Hidden from the body's error, so that the nursery does not wrap it in a group.
                await self._manager.__aexit__(None, None, None)

    async def close(self) -> None:
        """Finish what is in progress. Leaving `async with` calls it."""
        await trio.lowlevel.checkpoint()

    def abandon(self) -> None:
        """End like a killed process: the connections just break.

        For tests and simulations; the `async with` must be left afterwards.
        """
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()
        self._works = False

    async def _work(self, started: trio.Event) -> None:
        with trio.CancelScope(shield=True):
            try:
                async with trio.open_nursery() as self._nursery:
                    self._works = True
                    self._cluster.start(self._nursery)
                    self._start(self._nursery)
                    started.set()
                    await trio.sleep_forever()
            finally:
                self._works = False
                started.set()

    def _start(self, nursery: trio.Nursery) -> None:
        """Start the client's background tasks."""

    async def _say_last_words(self) -> None:
        """Close properly although the caller could not wait; cancelled after LAST_WORDS_S."""

    def _stop(self) -> None:
        """Drop what cannot be finished; must not wait."""


def _require_trio() -> None:
    """Raises RuntimeError under another event loop, or none."""
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        loop = "asyncio" if _under_asyncio() else "no event loop"
        raise RuntimeError(
            f"raftka's clients run under trio, and this is {loop}: start the program with"
            " trio.run(main) (with `import trio`)"
        ) from None


def _under_asyncio() -> bool:
    """Whether an asyncio loop runs here; without importing asyncio where it is not in use."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None
