"""The epoch of a streams group (KIP-1071), preceded by an int16 with the version. metadata_hash is
a hash of its topics; the epochs of descriptions are a plugin's (KIP-1331).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import Message, Struct


class LastAssignmentConfig(Struct):
    LAYOUT = (
        "key string",
        "value string",
    )
    __slots__ = (
        "key",
        "value",
    )

    def __init__(
        self,
        *,
        key: str = "",
        value: str = "",
    ) -> None:
        self.key = key
        self.value = value


class StreamsGroupMetadataValue(Message):
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "epoch int32",
        "metadata_hash int64",
        "validated_topology_epoch int32 tag 0 = -1",
        "last_assignment_configs []LastAssignmentConfig nullable tag 1 = null",
        "stored_description_topology_epoch int32 tag 2 = -1",
        "failed_description_topology_epoch int32 tag 3 = -1",
    )
    __slots__ = (
        "epoch",
        "metadata_hash",
        "validated_topology_epoch",
        "last_assignment_configs",
        "stored_description_topology_epoch",
        "failed_description_topology_epoch",
    )

    def __init__(
        self,
        *,
        epoch: int = 0,
        metadata_hash: int = 0,
        validated_topology_epoch: int = -1,
        last_assignment_configs: list[LastAssignmentConfig] | None = None,
        stored_description_topology_epoch: int = -1,
        failed_description_topology_epoch: int = -1,
    ) -> None:
        self.epoch = epoch
        self.metadata_hash = metadata_hash
        self.validated_topology_epoch = validated_topology_epoch
        self.last_assignment_configs = last_assignment_configs
        self.stored_description_topology_epoch = stored_description_topology_epoch
        self.failed_description_topology_epoch = failed_description_topology_epoch
