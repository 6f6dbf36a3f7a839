"""StreamsGroupTopologyDescriptionUpdate (key 93): a description of a topology (KIP-1331).

A Java plugin stores descriptions (group.streams.topology.description.plugin.class). Without one, as
by Kafka's default and always in raftka, no member is asked for its description, and this request is
answered UNSUPPORTED_VERSION.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.streams_group_topology_description_update import (
    StreamsGroupTopologyDescriptionUpdateRequest,
    StreamsGroupTopologyDescriptionUpdateResponse,
)


@handles(StreamsGroupTopologyDescriptionUpdateRequest, versions=(0, 0), access=PER_RESOURCE)
def streams_group_topology_description_update(
    context: Context, request: StreamsGroupTopologyDescriptionUpdateRequest
) -> StreamsGroupTopologyDescriptionUpdateResponse:
    context.node.groups.streams.check_enabled()
    context.require(Operation.READ, ResourceType.GROUP, request.group_id)
    return StreamsGroupTopologyDescriptionUpdateResponse(
        error_code=int(ErrorCode.UNSUPPORTED_VERSION),
        error_message="The broker has no streams group topology description plugin configured.",
    )
