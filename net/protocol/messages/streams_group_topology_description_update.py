"""A member describes the topology of its streams group (KIP-1331).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class TopologyDescriptionNode(Struct):
    LAYOUT = (
        "name string",
        "node_type int8",
        "source_topics []string",
        "sink_topic string nullable = null",
        "stores []string",
        "successors []string",
    )
    __slots__ = (
        "name",
        "node_type",
        "source_topics",
        "sink_topic",
        "stores",
        "successors",
    )

    def __init__(
        self,
        *,
        name: str = "",
        node_type: int = 0,
        source_topics: list[str] = FRESH,
        sink_topic: str | None = None,
        stores: list[str] = FRESH,
        successors: list[str] = FRESH,
    ) -> None:
        self.name = name
        self.node_type = node_type
        self.source_topics = [] if source_topics is FRESH else source_topics
        self.sink_topic = sink_topic
        self.stores = [] if stores is FRESH else stores
        self.successors = [] if successors is FRESH else successors


class TopologyDescriptionSubtopology(Struct):
    LAYOUT = (
        "subtopology_id string",
        "nodes []TopologyDescriptionNode",
    )
    __slots__ = (
        "subtopology_id",
        "nodes",
    )

    def __init__(
        self,
        *,
        subtopology_id: str = "",
        nodes: list[TopologyDescriptionNode] = FRESH,
    ) -> None:
        self.subtopology_id = subtopology_id
        self.nodes = [] if nodes is FRESH else nodes


class TopologyDescriptionGlobalStore(Struct):
    LAYOUT = (
        "source TopologyDescriptionNode",
        "processor TopologyDescriptionNode",
    )
    __slots__ = (
        "source",
        "processor",
    )

    def __init__(
        self,
        *,
        source: TopologyDescriptionNode = FRESH,
        processor: TopologyDescriptionNode = FRESH,
    ) -> None:
        self.source = TopologyDescriptionNode() if source is FRESH else source
        self.processor = TopologyDescriptionNode() if processor is FRESH else processor


class TopologyDescription(Struct):
    LAYOUT = (
        "subtopologies []TopologyDescriptionSubtopology",
        "global_stores []TopologyDescriptionGlobalStore",
    )
    __slots__ = (
        "subtopologies",
        "global_stores",
    )

    def __init__(
        self,
        *,
        subtopologies: list[TopologyDescriptionSubtopology] = FRESH,
        global_stores: list[TopologyDescriptionGlobalStore] = FRESH,
    ) -> None:
        self.subtopologies = [] if subtopologies is FRESH else subtopologies
        self.global_stores = [] if global_stores is FRESH else global_stores


class StreamsGroupTopologyDescriptionUpdateResponse(Response):
    API_KEY = 93
    API_NAME = "StreamsGroupTopologyDescriptionUpdate"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable = null",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message


class StreamsGroupTopologyDescriptionUpdateRequest(
    Request[StreamsGroupTopologyDescriptionUpdateResponse]
):
    API_KEY = 93
    API_NAME = "StreamsGroupTopologyDescriptionUpdate"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = StreamsGroupTopologyDescriptionUpdateResponse
    LAYOUT = (
        "group_id string",
        "member_id string",
        "topology_epoch int32",
        "topology_description TopologyDescription",
    )
    __slots__ = (
        "group_id",
        "member_id",
        "topology_epoch",
        "topology_description",
    )

    def __init__(
        self,
        *,
        group_id: str = "",
        member_id: str = "",
        topology_epoch: int = 0,
        topology_description: TopologyDescription = FRESH,
    ) -> None:
        self.group_id = group_id
        self.member_id = member_id
        self.topology_epoch = topology_epoch
        self.topology_description = (
            TopologyDescription() if topology_description is FRESH else topology_description
        )
