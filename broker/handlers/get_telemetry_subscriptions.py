"""GetTelemetrySubscriptions (key 71): the metrics that a client should push (KIP-714).

A client without an instance id gets one. The subscriptions are settings of client-metrics
resources.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.broker.telemetry import ACCEPTED, client_of
from raftka.model.access import NOTHING
from raftka.model.ids import ZERO_UUID
from raftka.net.protocol.messages.get_telemetry_subscriptions import (
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
)


@handles(GetTelemetrySubscriptionsRequest, versions=(0, 0), access=NOTHING)
def get_telemetry_subscriptions(
    context: Context, request: GetTelemetrySubscriptionsRequest
) -> GetTelemetrySubscriptionsResponse:
    node = context.node
    instance_id = bytes(request.client_instance_id)
    if instance_id == ZERO_UUID:
        instance_id = node.dice.randbytes(16)
    wanted = node.telemetry.get(
        instance_id, client_of(context), node.image.configs, node.clock.wall_ms()
    )
    return GetTelemetrySubscriptionsResponse(
        client_instance_id=instance_id,
        subscription_id=wanted.id,
        accepted_compression_types=list(ACCEPTED),
        push_interval=wanted.interval_ms,
        telemetry_max_bytes=node.telemetry.max_bytes,
        delta_temporality=True,
        requested_metrics=list(wanted.metrics),
    )
