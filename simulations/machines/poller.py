"""One host's connections that have something to receive; net/reactor.py serves them."""

from __future__ import annotations

from typing import Any

import trio

from raftka.model.ports import Connection
from raftka.simulations.machines.life import Life
from raftka.simulations.machines.stream import Stream


class SimPoller:
    """Returns streams in the order in which they became readable, as epoll does."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._owners: dict[Stream, Any] = {}
        self._news: dict[Stream, None] = {}
        self._waiting: trio.lowlevel.Task | None = None

    def watch(self, connection: Connection, owner: Any) -> bool:
        if not isinstance(connection, Stream):
            return False
        self._owners[connection] = owner
        connection.watcher = self
        if connection.has_news:
            self.readable(connection)
        return True

    def forget(self, connection: Connection) -> None:
        assert isinstance(connection, Stream)
        connection.watcher = None
        del self._owners[connection]
        self._news.pop(connection, None)

    def readable(self, stream: Stream) -> None:
        """A watched stream has bytes, or an end."""
        self._news[stream] = None
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            trio.lowlevel.reschedule(waiting)

    async def ready(self) -> list[Any]:
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._news:
            self._waiting = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)
            if self._life.is_paused:
                await self._life.passage()
        news, self._news = self._news, {}
        return [self._owners[stream] for stream in news]

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        self._waiting = None
        return trio.lowlevel.Abort.SUCCEEDED

    def close(self) -> None:
        for stream in self._owners:
            stream.watcher = None
