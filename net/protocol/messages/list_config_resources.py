"""Names of the resources that have settings (KIP-714, KIP-1142). Version 0 lists client metrics
only.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class ConfigResource(Struct):
    LAYOUT = (
        "resource_name string",
        "resource_type int8 1+ = 16",
    )
    __slots__ = (
        "resource_name",
        "resource_type",
    )

    def __init__(
        self,
        *,
        resource_name: str = "",
        resource_type: int = 16,
    ) -> None:
        self.resource_name = resource_name
        self.resource_type = resource_type


class ListConfigResourcesResponse(Response):
    API_KEY = 74
    API_NAME = "ListConfigResources"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "config_resources []ConfigResource",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "config_resources",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        config_resources: list[ConfigResource] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.config_resources = [] if config_resources is FRESH else config_resources


class ListConfigResourcesRequest(Request[ListConfigResourcesResponse]):
    API_KEY = 74
    API_NAME = "ListConfigResources"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    RESPONSE = ListConfigResourcesResponse
    LAYOUT = ("resource_types []int8 1+",)
    __slots__ = ("resource_types",)

    def __init__(
        self,
        *,
        resource_types: list[int] = FRESH,
    ) -> None:
        self.resource_types = [] if resource_types is FRESH else resource_types
