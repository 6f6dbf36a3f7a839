"""The key of a share-partition."""

from __future__ import annotations

from typing import NamedTuple

from raftka.model.ids import uuid_text


class SharePartitionKey(NamedTuple):
    """A share-partition: a pair of share group and partition."""

    group_id: str
    topic_id: bytes
    partition: int

    def __str__(self) -> str:
        """Its key in FindCoordinator, whose hash selects the partition of __share_group_state."""
        return f"{self.group_id}:{uuid_text(self.topic_id)}:{self.partition}"
