"""UpdateFeatures (key 57): raises the cluster's feature levels, or lowers them where allowed
(KIP-584).

All updates of a request are applied, or none. As in Kafka, the request's timeout has no effect:
some clients send 0. Version notes: 1 has the type of downgrade and can only validate (KIP-778); 2
has one error for all.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.controller.features import Change, FeatureUpdate, update
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.update_features import (
    FeatureUpdateKey,
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)

_FOR_ALL = "The update failed for all features since the following feature had an error: "


@handles(UpdateFeaturesRequest, versions=(0, 2), access=Cluster.ALTER, forward=True)
async def handle_update_features(
    context: Context, request: UpdateFeaturesRequest
) -> UpdateFeaturesResponse:
    node = context.node
    updates = [_wish(each, context.api_version) for each in request.feature_updates]
    outcomes = await node.controller.submit(
        lambda image: update(image, updates, node.node_id),
        validate_only=request.validate_only,
    )
    for failure in outcomes.values():
        if failure is not None:
            # All or none: the error belongs to the whole request.
            raise KafkaError(failure.code, f"{_FOR_ALL}{failure.message}")
    if context.api_version >= 2:
        return UpdateFeaturesResponse()
    return UpdateFeaturesResponse(
        results=[
            UpdatableFeatureResult(feature=name, error_code=int(ErrorCode.NONE))
            for name in outcomes
        ]
    )


def _wish(key: FeatureUpdateKey, api_version: int) -> FeatureUpdate:
    change = key.upgrade_type
    if api_version == 0:
        change = Change.UNSAFE_DOWNGRADE if key.allow_downgrade else Change.UPGRADE
    return FeatureUpdate(key.feature, key.max_version_level, change)
