"""ListConfigResources (key 74): the resources with settings of their own (KIP-1142).

Version 0 lists only client metrics. Topics and brokers are listed even without overrides.
"""

from __future__ import annotations

from typing import Final

from raftka.broker.altering import BROKER_LOGGER_RESOURCE
from raftka.broker.request import Context, handles
from raftka.kraft.image import (
    BROKER_RESOURCE,
    CLIENT_METRICS_RESOURCE,
    GROUP_RESOURCE,
    TOPIC_RESOURCE,
)
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.list_config_resources import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)

_LISTED: Final = {
    TOPIC_RESOURCE,
    BROKER_RESOURCE,
    BROKER_LOGGER_RESOURCE,
    CLIENT_METRICS_RESOURCE,
    GROUP_RESOURCE,
}


@handles(ListConfigResourcesRequest, versions=(0, 1), access=Cluster.DESCRIBE_CONFIGS)
def list_config_resources(
    context: Context, request: ListConfigResourcesRequest
) -> ListConfigResourcesResponse:
    node = context.node
    wanted = set(request.resource_types) or _LISTED
    if not wanted <= _LISTED:
        raise KafkaError(
            ErrorCode.UNSUPPORTED_VERSION,
            f"resources of the types {sorted(wanted - _LISTED)} cannot be listed",
        )
    if context.api_version == 0:
        wanted = {CLIENT_METRICS_RESOURCE}
    found = []
    if TOPIC_RESOURCE in wanted:
        found += [(TOPIC_RESOURCE, name) for name in node.image.topics]
    named = wanted & {GROUP_RESOURCE, CLIENT_METRICS_RESOURCE}
    found += [(kind, name) for kind, name in node.image.configs if kind in named]
    if BROKER_RESOURCE in wanted:
        found += [(BROKER_RESOURCE, str(id_)) for id_ in sorted(node.image.brokers)]
    if BROKER_LOGGER_RESOURCE in wanted:
        found += [(BROKER_LOGGER_RESOURCE, str(id_)) for id_ in sorted(node.image.brokers)]
    return ListConfigResourcesResponse(
        config_resources=[
            ConfigResource(resource_name=name, resource_type=kind) for kind, name in found
        ]
    )
