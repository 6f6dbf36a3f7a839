"""Settings of topics, brokers and groups (KIP-133, KIP-226, KIP-569). A null list of keys requests
all.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class DescribeConfigsResource(Struct):
    LAYOUT = (
        "resource_type int8",
        "resource_name string",
        "configuration_keys []string nullable",
    )
    __slots__ = (
        "resource_type",
        "resource_name",
        "configuration_keys",
    )

    def __init__(
        self,
        *,
        resource_type: int = 0,
        resource_name: str = "",
        configuration_keys: list[str] | None = FRESH,
    ) -> None:
        self.resource_type = resource_type
        self.resource_name = resource_name
        self.configuration_keys = [] if configuration_keys is FRESH else configuration_keys


class DescribeConfigsSynonym(Struct):
    LAYOUT = (
        "name string",
        "value string nullable = null",
        "source int8",
    )
    __slots__ = (
        "name",
        "value",
        "source",
    )

    def __init__(
        self,
        *,
        name: str = "",
        value: str | None = None,
        source: int = 0,
    ) -> None:
        self.name = name
        self.value = value
        self.source = source


class DescribeConfigsResourceResult(Struct):
    LAYOUT = (
        "name string",
        "value string nullable = null",
        "read_only bool",
        "config_source int8 = -1",
        "is_sensitive bool",
        "synonyms []DescribeConfigsSynonym",
        "config_type int8 3+",
        "documentation string 3+ nullable = null",
    )
    __slots__ = (
        "name",
        "value",
        "read_only",
        "config_source",
        "is_sensitive",
        "synonyms",
        "config_type",
        "documentation",
    )

    def __init__(
        self,
        *,
        name: str = "",
        value: str | None = None,
        read_only: bool = False,
        config_source: int = -1,
        is_sensitive: bool = False,
        synonyms: list[DescribeConfigsSynonym] = FRESH,
        config_type: int = 0,
        documentation: str | None = None,
    ) -> None:
        self.name = name
        self.value = value
        self.read_only = read_only
        self.config_source = config_source
        self.is_sensitive = is_sensitive
        self.synonyms = [] if synonyms is FRESH else synonyms
        self.config_type = config_type
        self.documentation = documentation


class DescribeConfigsResult(Struct):
    LAYOUT = (
        "error_code int16",
        "error_message string nullable = null",
        "resource_type int8",
        "resource_name string",
        "configs []DescribeConfigsResourceResult",
    )
    __slots__ = (
        "error_code",
        "error_message",
        "resource_type",
        "resource_name",
        "configs",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        error_message: str | None = None,
        resource_type: int = 0,
        resource_name: str = "",
        configs: list[DescribeConfigsResourceResult] = FRESH,
    ) -> None:
        self.error_code = error_code
        self.error_message = error_message
        self.resource_type = resource_type
        self.resource_name = resource_name
        self.configs = [] if configs is FRESH else configs


class DescribeConfigsResponse(Response):
    API_KEY = 32
    API_NAME = "DescribeConfigs"
    VALID_VERSIONS = (1, 4)
    FLEXIBLE_FROM = 4
    LAYOUT = (
        "throttle_time int32",
        "results []DescribeConfigsResult",
    )
    __slots__ = (
        "throttle_time",
        "results",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        results: list[DescribeConfigsResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.results = [] if results is FRESH else results


class DescribeConfigsRequest(Request[DescribeConfigsResponse]):
    API_KEY = 32
    API_NAME = "DescribeConfigs"
    VALID_VERSIONS = (1, 4)
    FLEXIBLE_FROM = 4
    RESPONSE = DescribeConfigsResponse
    LAYOUT = (
        "resources []DescribeConfigsResource",
        "include_synonyms bool",
        "include_documentation bool 3+",
    )
    __slots__ = (
        "resources",
        "include_synonyms",
        "include_documentation",
    )

    def __init__(
        self,
        *,
        resources: list[DescribeConfigsResource] = FRESH,
        include_synonyms: bool = False,
        include_documentation: bool = False,
    ) -> None:
        self.resources = [] if resources is FRESH else resources
        self.include_synonyms = include_synonyms
        self.include_documentation = include_documentation
