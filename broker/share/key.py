"""Which share-partition is meant."""

from __future__ import annotations

from typing import NamedTuple

from raftka.model.ids import uuid_text


class SharePartitionKey(NamedTuple):
    """A share-partition: a partition of a topic, as a share group sees it."""

    group_id: str
    topic_id: bytes
    partition: int

    def __str__(self) -> str:
        """As FindCoordinator names it, and as its partition of __share_group_state is found."""
        return f"{self.group_id}:{uuid_text(self.topic_id)}:{self.partition}"
