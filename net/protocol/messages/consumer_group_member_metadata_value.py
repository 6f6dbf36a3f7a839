"""The metadata of a member of a consumer group (KIP-848), preceded by an int16 with the version.
classic_member_metadata is set while it uses the classic protocol. Timeouts in ms.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.model.ports import Buffer
from raftka.net.protocol.message import FRESH, Message, Struct


class ClassicProtocol(Struct):
    LAYOUT = (
        "name string",
        "metadata bytes",
    )
    __slots__ = (
        "name",
        "metadata",
    )

    def __init__(
        self,
        *,
        name: str = "",
        metadata: Buffer = b"",
    ) -> None:
        self.name = name
        self.metadata = metadata


class ClassicMemberMetadata(Struct):
    LAYOUT = (
        "session_timeout_ms int32",
        "supported_protocols []ClassicProtocol",
    )
    __slots__ = (
        "session_timeout_ms",
        "supported_protocols",
    )

    def __init__(
        self,
        *,
        session_timeout_ms: int = 0,
        supported_protocols: list[ClassicProtocol] = FRESH,
    ) -> None:
        self.session_timeout_ms = session_timeout_ms
        self.supported_protocols = [] if supported_protocols is FRESH else supported_protocols


class ConsumerGroupMemberMetadataValue(Message):
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "instance_id string nullable",
        "rack_id string nullable",
        "client_id string",
        "client_host string",
        "subscribed_topic_names []string",
        "subscribed_topic_regex string nullable",
        "rebalance_timeout_ms int32 = -1",
        "server_assignor string nullable",
        "classic_member_metadata ClassicMemberMetadata nullable tag 0 = null",
    )
    __slots__ = (
        "instance_id",
        "rack_id",
        "client_id",
        "client_host",
        "subscribed_topic_names",
        "subscribed_topic_regex",
        "rebalance_timeout_ms",
        "server_assignor",
        "classic_member_metadata",
    )

    def __init__(
        self,
        *,
        instance_id: str | None = "",
        rack_id: str | None = "",
        client_id: str = "",
        client_host: str = "",
        subscribed_topic_names: list[str] = FRESH,
        subscribed_topic_regex: str | None = "",
        rebalance_timeout_ms: int = -1,
        server_assignor: str | None = "",
        classic_member_metadata: ClassicMemberMetadata | None = None,
    ) -> None:
        self.instance_id = instance_id
        self.rack_id = rack_id
        self.client_id = client_id
        self.client_host = client_host
        self.subscribed_topic_names = (
            [] if subscribed_topic_names is FRESH else subscribed_topic_names
        )
        self.subscribed_topic_regex = subscribed_topic_regex
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.server_assignor = server_assignor
        self.classic_member_metadata = classic_member_metadata
