"""UpdateFeatures (key 57): the cluster's feature levels go up, or where allowed down (KIP-584).

All updates of a request happen, or none. Version notes: 1 says how far a downgrade may go and can
validate only (KIP-778); 2 gives one error for all.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.features import FeatureUpdate, update
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.update_features import (
    FeatureUpdateKey,
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)

_UPGRADE = 1


@handles(UpdateFeaturesRequest, versions=(0, 2), access=Cluster.ALTER, forward=True)
async def handle_update_features(
    context: Context, request: UpdateFeaturesRequest
) -> UpdateFeaturesResponse:
    node = context.node
    updates = [_wish(each, context.api_version) for each in request.feature_updates]
    outcomes = await node.controller.submit(
        lambda image: update(image, updates),
        timeout_ms=request.timeout,
        validate_only=request.validate_only,
    )
    for failure in outcomes.values():
        if failure is not None:
            raise failure  # All or none: the whole request says why.
    if context.api_version >= 2:
        return UpdateFeaturesResponse()
    return UpdateFeaturesResponse(
        results=[
            UpdatableFeatureResult(feature=name, error_code=int(ErrorCode.NONE))
            for name in outcomes
        ]
    )


def _wish(key: FeatureUpdateKey, api_version: int) -> FeatureUpdate:
    downgrade = key.allow_downgrade if api_version == 0 else key.upgrade_type != _UPGRADE
    return FeatureUpdate(key.feature, key.max_version_level, allow_downgrade=downgrade)
