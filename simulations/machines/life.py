"""Whether one simulated process runs, is paused, or is dead."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

import trio

current_node: ContextVar[str] = ContextVar("current_node", default="")
"""Which node or client the running task belongs to, by its host's name."""


class Killed(BaseException):
    """The process is dead: no further attempt of its code may have an effect."""


class Life:
    """Shared by the clock, disk and network of one process.

    While it is paused (SIGSTOP, a long collection, a virtual machine on the move), everything that
    would wake a task of the process must pass here first: a timer, bytes, a connection, a disk.
    Time goes on, and peers' bytes keep arriving in its kernel.
    """

    def __init__(self) -> None:
        self.is_alive = True
        self._resumed: trio.Event | None = None
        self._postponed: list[Callable[[], None]] = []

    @property
    def is_paused(self) -> bool:
        return self._resumed is not None

    def pause(self) -> None:
        if self._resumed is None:
            self._resumed = trio.Event()

    def resume(self) -> None:
        if self._resumed is not None:
            self._resumed.set()
            self._resumed = None
            postponed, self._postponed = self._postponed, []
            for action in postponed:
                action()

    def when_running(self, action: Callable[[], None]) -> None:
        """Call this now, or as soon as the process is resumed."""
        if self.is_paused:
            self._postponed.append(action)
        else:
            action()

    def end(self) -> None:
        self.is_alive = False

    async def passage(self) -> None:
        """Wait until the process runs. No checkpoint when it does."""
        while self._resumed is not None:
            await self._resumed.wait()
