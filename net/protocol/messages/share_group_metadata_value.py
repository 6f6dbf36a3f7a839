"""The epoch of a share group (KIP-932) and a hash of the topics that it subscribes to, preceded by
an int16 with the version.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import Message


class ShareGroupMetadataValue(Message):
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "epoch int32",
        "metadata_hash int64",
    )
    __slots__ = (
        "epoch",
        "metadata_hash",
    )

    def __init__(
        self,
        *,
        epoch: int = 0,
        metadata_hash: int = 0,
    ) -> None:
        self.epoch = epoch
        self.metadata_hash = metadata_hash
