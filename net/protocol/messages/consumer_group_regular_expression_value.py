"""The topics that match a regular expression of a consumer group's members, as of a metadata
version, preceded by an int16 with the version. The timestamp is in ms.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Message


class ConsumerGroupRegularExpressionValue(Message):
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "topics []string",
        "version int64",
        "timestamp int64",
    )
    __slots__ = (
        "topics",
        "version",
        "timestamp",
    )

    def __init__(
        self,
        *,
        topics: list[str] = FRESH,
        version: int = 0,
        timestamp: int = 0,
    ) -> None:
        self.topics = [] if topics is FRESH else topics
        self.version = version
        self.timestamp = timestamp
