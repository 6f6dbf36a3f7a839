"""Callbacks for partitions that are assigned and revoked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from raftka.model.ids import TopicPartition


class RebalanceListener(Protocol):
    """A caller's reactions to a rebalance. Called within poll."""

    async def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions are read from now on; call `seek` here."""

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions are about to be revoked; commit here."""

    async def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Other members already own these partitions: it is too late to commit."""
