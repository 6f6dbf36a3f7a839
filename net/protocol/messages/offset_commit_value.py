"""A committed offset in __consumer_offsets, preceded by an int16 with the version. Timestamps in
ms. Only version 1 has an expiry (KIP-211); from 4 on the topic has an id. Apache Kafka 4.3
writes 4, and 1 for a commit with an expiry.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import Message


class OffsetCommitValue(Message):
    VALID_VERSIONS = (0, 4)
    FLEXIBLE_FROM = 4
    LAYOUT = (
        "offset int64",
        "leader_epoch int32 3+ = -1",
        "metadata string",
        "commit_timestamp int64",
        "expire_timestamp int64 1 = -1",
        "topic_id uuid 4+ tag 0",
    )
    __slots__ = (
        "offset",
        "leader_epoch",
        "metadata",
        "commit_timestamp",
        "expire_timestamp",
        "topic_id",
    )

    def __init__(
        self,
        *,
        offset: int = 0,
        leader_epoch: int = -1,
        metadata: str = "",
        commit_timestamp: int = 0,
        expire_timestamp: int = -1,
        topic_id: bytes = bytes(16),
    ) -> None:
        self.offset = offset
        self.leader_epoch = leader_epoch
        self.metadata = metadata
        self.commit_timestamp = commit_timestamp
        self.expire_timestamp = expire_timestamp
        self.topic_id = topic_id
