"""The quotas of users, clients and addresses that a filter matches (KIP-546). `match_type` is 0 for
the name in `match`, 1 for the default, 2 for any name.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class ComponentData(Struct):
    LAYOUT = (
        "entity_type string",
        "match_type int8",
        "match string nullable",
    )
    __slots__ = (
        "entity_type",
        "match_type",
        "match",
    )

    def __init__(
        self,
        *,
        entity_type: str = "",
        match_type: int = 0,
        match: str | None = "",
    ) -> None:
        self.entity_type = entity_type
        self.match_type = match_type
        self.match = match


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


class ValueData(Struct):
    LAYOUT = (
        "key string",
        "value float64",
    )
    __slots__ = (
        "key",
        "value",
    )

    def __init__(
        self,
        *,
        key: str = "",
        value: float = 0,
    ) -> None:
        self.key = key
        self.value = value


class EntryData(Struct):
    LAYOUT = (
        "entity []EntityData",
        "values []ValueData",
    )
    __slots__ = (
        "entity",
        "values",
    )

    def __init__(
        self,
        *,
        entity: list[EntityData] = FRESH,
        values: list[ValueData] = FRESH,
    ) -> None:
        self.entity = [] if entity is FRESH else entity
        self.values = [] if values is FRESH else values


class DescribeClientQuotasResponse(Response):
    API_KEY = 48
    API_NAME = "DescribeClientQuotas"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 1
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable",
        "entries []EntryData nullable",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
        "entries",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = "",
        entries: list[EntryData] | None = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message
        self.entries = [] if entries is FRESH else entries


class DescribeClientQuotasRequest(Request[DescribeClientQuotasResponse]):
    API_KEY = 48
    API_NAME = "DescribeClientQuotas"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 1
    RESPONSE = DescribeClientQuotasResponse
    LAYOUT = (
        "components []ComponentData",
        "strict bool",
    )
    __slots__ = (
        "components",
        "strict",
    )

    def __init__(
        self,
        *,
        components: list[ComponentData] = FRESH,
        strict: bool = False,
    ) -> None:
        self.components = [] if components is FRESH else components
        self.strict = strict
