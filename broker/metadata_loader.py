"""Follows the metadata log: committed batches in, images out, publishers notified.

Every node has one, including controllers. It is the quorum's listener: it receives committed
batches, in order, the same on all nodes. Publishers are called in the order in which they were
added, each with the delta of one batch; a snapshot is published as one delta from the previous
image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import trio

from raftka.kraft.delta import MetadataDelta, everything, replay_batch
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.kraft.snapshot import decode_snapshot, encode_snapshot
from raftka.model.logs import get_logger

log = get_logger(__name__)


class Publisher(Protocol):
    """A listener of metadata changes."""

    def __call__(self, image: MetadataImage, delta: MetadataDelta) -> None: ...


class SnapshotAfterDowngrade:
    """A publisher that takes a snapshot of the log after a feature was downgraded.

    The log has records of the higher level; an earlier release can open the directory once its
    snapshot has none of them (Apache Kafka also writes a snapshot then: KIP-778).
    """

    def __init__(self, want_snapshot: Callable[[], None]) -> None:
        self._want_snapshot = want_snapshot
        self._levels: Mapping[str, int] = {}

    def published(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """The metadata has changed."""
        before, self._levels = self._levels, image.features
        if before is image.features:
            return
        lowered = [name for name, level in before.items() if image.features.get(name, 0) < level]
        if lowered:
            log.info(
                f"{', '.join(lowered)} went down: a snapshot takes the place of the log so far"
            )
            self._want_snapshot()


class MetadataLoader:
    """Implements kraft.raft.port.QuorumListener for one node."""

    def __init__(self, on_leader: Callable[[int | None, int], None]) -> None:
        self.image: MetadataImage = EMPTY_IMAGE
        self._publishers: list[Publisher] = []
        self._on_leader = on_leader
        self._changed = trio.Event()

    def add(self, *publishers: Publisher) -> None:
        """Notify these from now on; their first delta contains the whole current metadata."""
        delta = everything(self.image)
        for publisher in publishers:
            publisher(self.image, delta)
        self._publishers += publishers

    async def wait_until(self, condition: Callable[[MetadataImage], bool]) -> MetadataImage:
        """Wait until an image fulfils `condition`; return that image."""
        while not condition(self.image):
            await self._changed.wait()
        return self.image

    def take_snapshot(self) -> bytes:
        """The current image, which replaces the log so far in the quorum."""
        return encode_snapshot(self.image)

    # QuorumListener

    def handle_commit(self, offset: int, epoch: int, payload: bytes) -> None:
        delta = replay_batch(self.image, offset, epoch, payload)
        self._publish(delta.image, delta)

    def handle_snapshot(self, offset: int, epoch: int, payload: bytes) -> None:
        image = decode_snapshot(payload, offset, epoch)
        log.info(f"metadata snapshot loaded up to offset {offset} of epoch {epoch}")
        self._publish(image, everything(image, before=self.image))

    def handle_leader_change(self, leader_id: int | None, epoch: int) -> None:
        self._on_leader(leader_id, epoch)

    def _publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        self.image = image
        log.debug("the metadata has moved on", offset=image.offset, epoch=image.epoch)
        for publisher in self._publishers:
            publisher(image, delta)
        self._changed.set()
        self._changed = trio.Event()
