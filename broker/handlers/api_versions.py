"""ApiVersions (key 18): the APIs and versions of this listener, and the cluster's features.

The table is generated from the handlers' registrations (broker/promises.py), and a test keeps it
current, so it never lists missing APIs. KIP-511: a request in an unknown version is answered in
version 0, with an error and the known range. KIP-584: supported and finalized features.
"""

from __future__ import annotations

from functools import lru_cache

from raftka.broker.promises import PROMISES
from raftka.broker.request import Context, handles
from raftka.kraft.controller.features import supported_features
from raftka.model.access import NOTHING
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)
from raftka.net.router import Listener, is_served_on

# librdkafka before 2.11.1 sends no compressed batches to a broker that does not list Produce 0;
# Apache Kafka lists 0 to 2 for it too, without answering them (KIP-896).
_LISTED_FROM = {0: 0}
_TELEMETRY = (71, 72)
"""Clients need not send metrics that are not collected (KIP-714)."""


def of_other_versions(context: Context) -> ApiVersionsResponse:
    """The answer to an unknown version: the known range, so that the client retries."""
    return _answer(context, ErrorCode.UNSUPPORTED_VERSION)


@handles(
    ApiVersionsRequest,
    versions=(0, 4),
    access=NOTHING,
    listeners="both",
    other_versions=of_other_versions,
)
def api_versions(context: Context, request: ApiVersionsRequest) -> ApiVersionsResponse:
    if context.api_version >= 3 and not _valid(request):
        return ApiVersionsResponse(error_code=int(ErrorCode.INVALID_REQUEST))
    if context.api_version >= 3:
        context.session.software = request.client_software_name, request.client_software_version
    return _answer(context)


def _answer(context: Context, error: ErrorCode = ErrorCode.NONE) -> ApiVersionsResponse:
    """The APIs that the client's listener serves."""
    image = context.node.image
    return ApiVersionsResponse(
        error_code=int(error),
        api_keys=_promised(
            context.node.listener_kind(context.listener), context.node.takes_telemetry
        ),
        supported_features=[
            SupportedFeatureKey(name=name, min_version=low, max_version=high)
            for name, low, high in supported_features()
        ],
        finalized_features_epoch=image.offset,
        finalized_features=[
            FinalizedFeatureKey(name=name, max_version_level=level, min_version_level=level)
            for name, level in sorted(image.features.items())
        ],
    )


@lru_cache
def _promised(listener: Listener, takes_telemetry: bool) -> list[ApiVersion]:
    """Cached and shared by all connections: never change it."""
    return [
        ApiVersion(
            api_key=key,
            min_version=_LISTED_FROM.get(key, promise.min_version),
            max_version=promise.max_version,
        )
        for key, promise in PROMISES.items()
        if is_served_on(listener, promise.listeners, promise.forward)
        and (takes_telemetry or key not in _TELEMETRY)
    ]


def _valid(request: ApiVersionsRequest) -> bool:
    """Whether the client's software name and version are [a-zA-Z0-9.-]+ (KIP-511)."""

    def fits(text: str) -> bool:
        return bool(text) and all(c.isascii() and (c.isalnum() or c in "-.") for c in text)

    return fits(request.client_software_name) and fits(request.client_software_version)
