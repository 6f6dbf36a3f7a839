"""Set (0), delete (1), append to (2) or subtract from (3) single settings (KIP-339).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class AlterableConfig(Struct):
    LAYOUT = (
        "name string",
        "config_operation int8",
        "value string nullable = null",
    )
    __slots__ = (
        "name",
        "config_operation",
        "value",
    )

    def __init__(
        self,
        *,
        name: str = "",
        config_operation: int = 0,
        value: str | None = None,
    ) -> None:
        self.name = name
        self.config_operation = config_operation
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


class IncrementalAlterConfigsResponse(Response):
    API_KEY = 44
    API_NAME = "IncrementalAlterConfigs"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 1
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


class IncrementalAlterConfigsRequest(Request[IncrementalAlterConfigsResponse]):
    API_KEY = 44
    API_NAME = "IncrementalAlterConfigs"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 1
    RESPONSE = IncrementalAlterConfigsResponse
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
