"""Replace all settings of a resource (KIP-133); IncrementalAlterConfigs replaces it.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class AlterableConfig(Struct):
    LAYOUT = (
        "name string",
        "value string nullable = null",
    )
    __slots__ = (
        "name",
        "value",
    )

    def __init__(
        self,
        *,
        name: str = "",
        value: str | None = None,
    ) -> None:
        self.name = name
        self.value = value


class AlterConfigsResource(Struct):
    LAYOUT = (
        "resource_type int8",
        "resource_name string",
        "configs []AlterableConfig",
    )
    __slots__ = (
        "resource_type",
        "resource_name",
        "configs",
    )

    def __init__(
        self,
        *,
        resource_type: int = 0,
        resource_name: str = "",
        configs: list[AlterableConfig] = FRESH,
    ) -> None:
        self.resource_type = resource_type
        self.resource_name = resource_name
        self.configs = [] if configs is FRESH else configs


class AlterConfigsResourceResponse(Struct):
    LAYOUT = (
        "error_code int16",
        "error_message string nullable = null",
        "resource_type int8",
        "resource_name string",
    )
    __slots__ = (
        "error_code",
        "error_message",
        "resource_type",
        "resource_name",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        error_message: str | None = None,
        resource_type: int = 0,
        resource_name: str = "",
    ) -> None:
        self.error_code = error_code
        self.error_message = error_message
        self.resource_type = resource_type
        self.resource_name = resource_name


class AlterConfigsResponse(Response):
    API_KEY = 33
    API_NAME = "AlterConfigs"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "throttle_time int32",
        "responses []AlterConfigsResourceResponse",
    )
    __slots__ = (
        "throttle_time",
        "responses",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        responses: list[AlterConfigsResourceResponse] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.responses = [] if responses is FRESH else responses


class AlterConfigsRequest(Request[AlterConfigsResponse]):
    API_KEY = 33
    API_NAME = "AlterConfigs"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 2
    RESPONSE = AlterConfigsResponse
    LAYOUT = (
        "resources []AlterConfigsResource",
        "validate_only bool",
    )
    __slots__ = (
        "resources",
        "validate_only",
    )

    def __init__(
        self,
        *,
        resources: list[AlterConfigsResource] = FRESH,
        validate_only: bool = False,
    ) -> None:
        self.resources = [] if resources is FRESH else resources
        self.validate_only = validate_only
