"""Whether one simulated process runs, is paused, or is dead."""

from __future__ import annotations

import trio


class Killed(BaseException):
    """The process that does this is dead: nothing it still tries may have an effect."""


class Life:
    """Shared by the clock, disk and network of one process.

    While it is paused (SIGSTOP, a long collection, a virtual machine on the move), whatever would
    wake a task of the process has to pass here first: a timer, bytes, a connection, a disk. Time
    goes on, and peers' bytes go on arriving in its kernel.
    """

    def __init__(self) -> None:
        self.is_alive = True
        self.is_paused = False
        """Asked at every wakeup; while it is True, `passage` takes time."""
        self._resumed = trio.Event()

    def pause(self) -> None:
        if not self.is_paused:
            self.is_paused = True
            self._resumed = trio.Event()

    def resume(self) -> None:
        self.is_paused = False
        self._resumed.set()

    def end(self) -> None:
        self.is_alive = False

    async def passage(self) -> None:
        """Wait until the process runs. No checkpoint when it does."""
        while self.is_paused:
            await self._resumed.wait()
