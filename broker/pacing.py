"""Taking roles at a pace that lets everything else go on.

A change of a few partitions takes effect in the same turn in which it is committed. One of
thousands (a large topic, a start, a snapshot) means several files for each of them; done in one
turn, it would hold up this node's heartbeats and votes for seconds, and the quorum would elect
another one. So it is cut into slices: the files of each are made beside the event loop, and
all other tasks get a turn between two of them. Until its slice comes, a partition is not here yet:
clients get NOT_LEADER_OR_FOLLOWER and ask again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import trio

from raftka.broker.metadata_loader import Publisher
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage
from raftka.model.ports import Clock

SLICE: Final = 50
"""Partitions that take effect in one turn."""
INLINE: Final = 8
"""A change of at most so many partitions takes effect at once, although files are made for it."""

Prepare = Callable[[MetadataImage, MetadataDelta], Awaitable[None]]
"""Does what a slice will need and what can wait for a disk."""


class PacedPublisher:
    """Publishes to others in the same order, large changes bit by bit. `run` must be running."""

    def __init__(
        self, publishers: Sequence[Publisher], clock: Clock, prepare: Prepare | None = None
    ) -> None:
        self._publishers = publishers
        self._clock = clock
        self._prepare = prepare
        self._backlog: deque[tuple[MetadataImage, MetadataDelta]] = deque()
        self._more = trio.Event()
        self._done = trio.Event()
        self._done.set()

    def stop(self) -> None:
        """Stop publishing: the publishers are about to end, and take up no new work."""
        self._publishers = ()

    def __call__(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Publisher: at once when it is small and nothing is before it."""
        if not self._backlog and delta.topics.size <= INLINE:
            self._publish(image, delta)
            return
        if not self._backlog:
            self._done = trio.Event()
        self._backlog.append((image, delta))
        self._more.set()

    async def caught_up(self) -> None:
        """Wait until everything that was published is in effect."""
        while self._backlog:
            await self._done.wait()

    async def run(self) -> None:
        """Work the backlog off until cancelled."""
        while True:
            await self._more.wait()
            self._more = trio.Event()
            while self._backlog:
                image, delta = self._backlog[0]
                for part in delta.slices(SLICE):
                    if self._prepare is not None:
                        await self._prepare(image, part)
                    self._publish(image, part)
                    await self._clock.sleep(0)
                self._backlog.popleft()
            self._done.set()

    def _publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        for publisher in self._publishers:
            publisher(image, delta)
