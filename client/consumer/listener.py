"""What a caller does when partitions come and go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from raftka.model.ids import TopicPartition


class RebalanceListener(Protocol):
    """What a caller wants to do when partitions come and go. Called within poll."""

    async def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """These are now read; seek here."""

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """These are about to be given up; commit here."""

    async def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """These were given to others already: it is too late to commit."""
