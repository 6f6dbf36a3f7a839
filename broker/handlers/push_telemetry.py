"""PushTelemetry (key 72): a client's metrics (KIP-714), which Prometheus can collect from here."""

from __future__ import annotations

from raftka.broker.client_metrics import BadTelemetry, parse
from raftka.broker.request import Context, handles
from raftka.broker.telemetry import CODECS, client_of
from raftka.model.access import NOTHING
from raftka.model.compression import decompress
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import ZERO_UUID, uuid_text
from raftka.net.protocol.messages.push_telemetry import (
    PushTelemetryRequest,
    PushTelemetryResponse,
)

_MOST_BYTES = 8 * 1024 * 1024
"""The maximal size of metrics after decompression, in bytes."""


@handles(PushTelemetryRequest, versions=(0, 0), access=NOTHING)
def push_telemetry(context: Context, request: PushTelemetryRequest) -> PushTelemetryResponse:
    node = context.node
    instance_id = bytes(request.client_instance_id)
    if instance_id == ZERO_UUID:
        words = "A push of telemetry needs the client instance id that the broker has given"
        raise KafkaError(ErrorCode.INVALID_REQUEST, words)
    client = client_of(context)
    now_ms = node.clock.wall_ms()
    node.telemetry.push(
        instance_id,
        client,
        node.image.configs,
        now_ms,
        subscription_id=request.subscription_id,
        terminating=request.terminating,
        codec=request.compression_type,
        size=len(request.metrics),
    )
    if len(request.metrics):
        try:
            data = decompress(CODECS[request.compression_type], request.metrics, _MOST_BYTES)
            points = parse(memoryview(data))
        except (BadTelemetry, KafkaError) as error:
            raise KafkaError(
                ErrorCode.INVALID_RECORD, f"No metrics can be read: {error}"
            ) from error
        name = client.client_id, uuid_text(instance_id)
        node.client_metrics.take(name, points, now_ms)
    return PushTelemetryResponse()
