"""Applies large metadata changes in slices, so that everything else can proceed.

A change of a few partitions takes effect in the scheduler turn in which it is committed. A change
of thousands (a large topic, a start, a snapshot) needs several files for each of them; in one turn,
it would delay this node's heartbeats and votes for seconds, and the quorum would elect another
leader. So it is split into slices: each slice's files are created in worker threads, and all other
tasks get a turn between two slices. Until its slice is applied, a partition is not here yet:
clients get NOT_LEADER_OR_FOLLOWER and retry.
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
"""A change of at most so many partitions is applied at once, even if it creates files."""

Prepare = Callable[[MetadataImage, MetadataDelta], Awaitable[None]]
"""Does the blocking disk work of a slice beforehand."""


class PacedPublisher:
    """Publishes to others in order, large changes in slices. `run` must be running."""

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
        """Stop publishing: the publishers are about to stop, and must not start new work."""
        self._publishers = ()

    def __call__(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Metadata publisher: publish at once if the change is small and the backlog empty."""
        if not self._backlog and delta.topics.size <= INLINE:
            self._publish(image, delta)
            return
        if not self._backlog:
            self._done = trio.Event()
        self._backlog.append((image, delta))
        self._more.set()

    async def caught_up(self) -> None:
        """Wait until all published changes have taken effect."""
        while self._backlog:
            await self._done.wait()

    async def run(self) -> None:
        """Work off the backlog until cancelled."""
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
