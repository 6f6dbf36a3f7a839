"""Change the finalized levels of features (KIP-584, KIP-778). upgrade_type: 1 upgrade, 2 safe
downgrade, 3 unsafe downgrade. From 2 on there is one result for all updates. timeout in ms.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class FeatureUpdateKey(Struct):
    LAYOUT = (
        "feature string",
        "max_version_level int16",
        "allow_downgrade bool 0",
        "upgrade_type int8 1+ = 1",
    )
    __slots__ = (
        "feature",
        "max_version_level",
        "allow_downgrade",
        "upgrade_type",
    )

    def __init__(
        self,
        *,
        feature: str = "",
        max_version_level: int = 0,
        allow_downgrade: bool = False,
        upgrade_type: int = 1,
    ) -> None:
        self.feature = feature
        self.max_version_level = max_version_level
        self.allow_downgrade = allow_downgrade
        self.upgrade_type = upgrade_type


class UpdatableFeatureResult(Struct):
    LAYOUT = (
        "feature string",
        "error_code int16",
        "error_message string nullable = null",
    )
    __slots__ = (
        "feature",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        feature: str = "",
        error_code: int = 0,
        error_message: str | None = None,
    ) -> None:
        self.feature = feature
        self.error_code = error_code
        self.error_message = error_message


class UpdateFeaturesResponse(Response):
    API_KEY = 57
    API_NAME = "UpdateFeatures"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable = null",
        "results []UpdatableFeatureResult 0-1",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
        "results",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
        results: list[UpdatableFeatureResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message
        self.results = [] if results is FRESH else results


class UpdateFeaturesRequest(Request[UpdateFeaturesResponse]):
    API_KEY = 57
    API_NAME = "UpdateFeatures"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 0
    RESPONSE = UpdateFeaturesResponse
    LAYOUT = (
        "timeout int32 = 60000",
        "feature_updates []FeatureUpdateKey",
        "validate_only bool 1+",
    )
    __slots__ = (
        "timeout",
        "feature_updates",
        "validate_only",
    )

    def __init__(
        self,
        *,
        timeout: int = 60000,
        feature_updates: list[FeatureUpdateKey] = FRESH,
        validate_only: bool = False,
    ) -> None:
        self.timeout = timeout
        self.feature_updates = [] if feature_updates is FRESH else feature_updates
        self.validate_only = validate_only
