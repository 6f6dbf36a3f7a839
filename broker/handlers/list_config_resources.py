"""ListConfigResources (key 74): what has settings of its own (KIP-1142).

Version 0 knew client metrics only. Topics and brokers have settings whether they were given or not.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.kraft.image import BROKER_RESOURCE, TOPIC_RESOURCE
from raftka.model.access import Cluster
from raftka.net.protocol.messages.list_config_resources import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)


@handles(ListConfigResourcesRequest, versions=(0, 1), access=Cluster.DESCRIBE_CONFIGS)
def list_config_resources(
    context: Context, request: ListConfigResourcesRequest
) -> ListConfigResourcesResponse:
    node = context.node
    wanted = set(request.resource_types) or {TOPIC_RESOURCE, BROKER_RESOURCE}
    if context.api_version == 0:
        wanted = set()
    found = []
    if TOPIC_RESOURCE in wanted:
        found += [(TOPIC_RESOURCE, name) for name in node.image.topics]
    if BROKER_RESOURCE in wanted:
        found += [(BROKER_RESOURCE, str(id_)) for id_ in sorted(node.image.brokers)]
    return ListConfigResourcesResponse(
        config_resources=[
            ConfigResource(resource_name=name, resource_type=kind) for kind, name in found
        ]
    )
