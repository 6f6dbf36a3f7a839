"""Set and remove quotas of users, clients and addresses (KIP-546). A null name is the default.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class EntityData(Struct):
    LAYOUT = (
        "entity_type string",
        "entity_name string nullable",
    )
    __slots__ = (
        "entity_type",
        "entity_name",
    )

    def __init__(
        self,
        *,
        entity_type: str = "",
        entity_name: str | None = "",
    ) -> None:
        self.entity_type = entity_type
        self.entity_name = entity_name


class OpData(Struct):
    LAYOUT = (
        "key string",
        "value float64",
        "remove bool",
    )
    __slots__ = (
        "key",
        "value",
        "remove",
    )

    def __init__(
        self,
        *,
        key: str = "",
        value: float = 0,
        remove: bool = False,
    ) -> None:
        self.key = key
        self.value = value
        self.remove = remove


class EntryData(Struct):
    LAYOUT = (
        "entity []EntityData",
        "ops []OpData",
    )
    __slots__ = (
        "entity",
        "ops",
    )

    def __init__(
        self,
        *,
        entity: list[EntityData] = FRESH,
        ops: list[OpData] = FRESH,
    ) -> None:
        self.entity = [] if entity is FRESH else entity
        self.ops = [] if ops is FRESH else ops


class AlteredEntity(Struct):
    LAYOUT = (
        "entity_type string",
        "entity_name string nullable",
    )
    __slots__ = (
        "entity_type",
        "entity_name",
    )

    def __init__(
        self,
        *,
        entity_type: str = "",
        entity_name: str | None = "",
    ) -> None:
        self.entity_type = entity_type
        self.entity_name = entity_name


class AlteredEntry(Struct):
    LAYOUT = (
        "error_code int16",
        "error_message string nullable",
        "entity []AlteredEntity",
    )
    __slots__ = (
        "error_code",
        "error_message",
        "entity",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        error_message: str | None = "",
        entity: list[AlteredEntity] = FRESH,
    ) -> None:
        self.error_code = error_code
        self.error_message = error_message
        self.entity = [] if entity is FRESH else entity


class AlterClientQuotasResponse(Response):
    API_KEY = 49
    API_NAME = "AlterClientQuotas"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 1
    LAYOUT = (
        "throttle_time int32",
        "entries []AlteredEntry",
    )
    __slots__ = (
        "throttle_time",
        "entries",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        entries: list[AlteredEntry] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.entries = [] if entries is FRESH else entries


class AlterClientQuotasRequest(Request[AlterClientQuotasResponse]):
    API_KEY = 49
    API_NAME = "AlterClientQuotas"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 1
    RESPONSE = AlterClientQuotasResponse
    LAYOUT = (
        "entries []EntryData",
        "validate_only bool",
    )
    __slots__ = (
        "entries",
        "validate_only",
    )

    def __init__(
        self,
        *,
        entries: list[EntryData] = FRESH,
        validate_only: bool = False,
    ) -> None:
        self.entries = [] if entries is FRESH else entries
        self.validate_only = validate_only
