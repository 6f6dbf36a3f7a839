"""A group's positions and membership, as a consumer passes them to a producer."""

from __future__ import annotations

from typing import NamedTuple

from raftka.model.ids import NO_EPOCH


class OffsetAndMetadata(NamedTuple):
    """A committed position: the next offset to read, and a note."""

    offset: int
    metadata: str = ""
    leader_epoch: int = NO_EPOCH


class GroupMetadata(NamedTuple):
    """A consumer's place in its group, by which a coordinator fences a former owner.

    `Consumer.group_metadata` gives it, `Producer.send_offsets_to_transaction` takes it (KIP-447).
    """

    group_id: str
    generation: int = -1
    """The generation of the member; -1 for a consumer that has assigned itself its partitions."""
    member_id: str = ""
    instance_id: str | None = None
