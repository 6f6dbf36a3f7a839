"""DescribeCluster (key 60): the nodes of the cluster, brokers or controllers (KIP-700, KIP-919).

Version notes: 1 distinguishes brokers from controllers; 2 can include fenced brokers. A broker's
listener describes the brokers, a controller's listener the controllers; for the other kind it
answers MISMATCHED_ENDPOINT_TYPE. Tagged fields of raftka's own request the node's flight recorder
(broker/recorded.py) and the history of leaders in its metadata log (broker/metadata_history.py),
which requires DESCRIBE on the cluster, as the same data does in other APIs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.broker.request import Context, handles
from raftka.model.access import NOT_ASKED, PER_RESOURCE, Operation
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
    MetadataLogPart,
    RecorderPart,
)

if TYPE_CHECKING:
    from raftka.broker.node import Node

_BROKERS = 1
_CONTROLLERS = 2


@handles(DescribeClusterRequest, versions=(0, 2), access=PER_RESOURCE, listeners="both")
def describe_cluster(context: Context, request: DescribeClusterRequest) -> DescribeClusterResponse:
    node = context.node
    kind = node.listener_kind(context.listener)
    wanted = request.endpoint_type if context.api_version >= 1 else _BROKERS
    if wanted not in (_BROKERS, _CONTROLLERS):
        raise KafkaError(ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, f"endpoint type {wanted} is unknown")
    if (wanted == _BROKERS) != (kind == "broker"):
        raise KafkaError(
            ErrorCode.MISMATCHED_ENDPOINT_TYPE,
            f"this is a {kind}'s listener: ask brokers by --bootstrap-server,"
            " controllers by --bootstrap-controller",
        )
    recorder: list[RecorderPart] = []
    if request.recorder:
        from raftka.broker.recorded import part_of

        context.require_cluster(Operation.DESCRIBE)
        recorder = [part_of(node.recorder, node.node_id, request.recorder[0])]
    history: list[MetadataLogPart] = []
    if request.metadata_log:
        context.require_cluster(Operation.DESCRIBE)
        history = [node.metadata_history.answer(bytes(request.metadata_log[0].cursor))]
    return DescribeClusterResponse(
        recorder=recorder,
        metadata_log=history,
        error_code=int(ErrorCode.NONE),
        endpoint_type=wanted,
        cluster_id=node.cluster_id,
        cluster_authorized_operations=(
            context.cluster_operations()
            if request.include_cluster_authorized_operations
            else NOT_ASKED
        ),
        controller_id=(
            node.controller_for_clients() if wanted == _BROKERS else node.active_controller_id
        ),
        brokers=(
            _brokers(node, context.listener, include_fenced=request.include_fenced_brokers)
            if wanted == _BROKERS
            else [
                DescribeClusterBroker(broker_id=id_, host=where.host, port=where.port, rack=None)
                for id_, where in sorted(node.controller_endpoints().items())
            ]
        ),
    )


def _brokers(node: Node, listener: str, *, include_fenced: bool) -> list[DescribeClusterBroker]:
    found = []
    for _, broker in sorted(node.image.brokers.items()):
        endpoint = broker.endpoint(listener)
        if endpoint is not None and (include_fenced or not broker.fenced):
            found.append(
                DescribeClusterBroker(
                    broker_id=broker.broker_id,
                    host=endpoint.host,
                    port=endpoint.port,
                    rack=broker.rack,
                    is_fenced=broker.fenced,
                )
            )
    return found
