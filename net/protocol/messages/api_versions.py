"""The versions that a broker supports (KIP-35, KIP-511, KIP-584). The answer's header never has
tagged fields: the client does not know the supported versions yet. A version that is too new is
answered with UNSUPPORTED_VERSION in version 0.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class ApiVersion(Struct):
    LAYOUT = (
        "api_key int16",
        "min_version int16",
        "max_version int16",
    )
    __slots__ = (
        "api_key",
        "min_version",
        "max_version",
    )

    def __init__(
        self,
        *,
        api_key: int = 0,
        min_version: int = 0,
        max_version: int = 0,
    ) -> None:
        self.api_key = api_key
        self.min_version = min_version
        self.max_version = max_version


class SupportedFeatureKey(Struct):
    LAYOUT = (
        "name string",
        "min_version int16",
        "max_version int16",
    )
    __slots__ = (
        "name",
        "min_version",
        "max_version",
    )

    def __init__(
        self,
        *,
        name: str = "",
        min_version: int = 0,
        max_version: int = 0,
    ) -> None:
        self.name = name
        self.min_version = min_version
        self.max_version = max_version


class FinalizedFeatureKey(Struct):
    LAYOUT = (
        "name string",
        "max_version_level int16",
        "min_version_level int16",
    )
    __slots__ = (
        "name",
        "max_version_level",
        "min_version_level",
    )

    def __init__(
        self,
        *,
        name: str = "",
        max_version_level: int = 0,
        min_version_level: int = 0,
    ) -> None:
        self.name = name
        self.max_version_level = max_version_level
        self.min_version_level = min_version_level


class ApiVersionsResponse(Response):
    API_KEY = 18
    API_NAME = "ApiVersions"
    VALID_VERSIONS = (0, 4)
    FLEXIBLE_FROM = 3
    LAYOUT = (
        "error_code int16",
        "api_keys []ApiVersion",
        "throttle_time int32 1+",
        "supported_features []SupportedFeatureKey 3+ tag 0",
        "finalized_features_epoch int64 3+ tag 1 = -1",
        "finalized_features []FinalizedFeatureKey 3+ tag 2",
        "zk_migration_ready bool 3+ tag 3",
    )
    __slots__ = (
        "error_code",
        "api_keys",
        "throttle_time",
        "supported_features",
        "finalized_features_epoch",
        "finalized_features",
        "zk_migration_ready",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        api_keys: list[ApiVersion] = FRESH,
        throttle_time: int = 0,
        supported_features: list[SupportedFeatureKey] = FRESH,
        finalized_features_epoch: int = -1,
        finalized_features: list[FinalizedFeatureKey] = FRESH,
        zk_migration_ready: bool = False,
    ) -> None:
        self.error_code = error_code
        self.api_keys = [] if api_keys is FRESH else api_keys
        self.throttle_time = throttle_time
        self.supported_features = [] if supported_features is FRESH else supported_features
        self.finalized_features_epoch = finalized_features_epoch
        self.finalized_features = [] if finalized_features is FRESH else finalized_features
        self.zk_migration_ready = zk_migration_ready


class ApiVersionsRequest(Request[ApiVersionsResponse]):
    API_KEY = 18
    API_NAME = "ApiVersions"
    VALID_VERSIONS = (0, 4)
    FLEXIBLE_FROM = 3
    RESPONSE = ApiVersionsResponse
    LAYOUT = (
        "client_software_name string 3+",
        "client_software_version string 3+",
    )
    __slots__ = (
        "client_software_name",
        "client_software_version",
    )

    def __init__(
        self,
        *,
        client_software_name: str = "",
        client_software_version: str = "",
    ) -> None:
        self.client_software_name = client_software_name
        self.client_software_version = client_software_version
