"""kafka-streams-groups --describe --topology prints what a broker keeps, as Kafka's tool does."""

from __future__ import annotations

from raftka.client.admin.streams_groups import StreamsGroupDescription
from raftka.client.metadata import Broker
from raftka.client.tools.streams_topologies import described, missing
from raftka.net.protocol.messages.streams_group_describe import (
    TopologyDescription,
    TopologyDescriptionGlobalStore,
    TopologyDescriptionNode,
    TopologyDescriptionSubtopology,
)


def node(
    kind: int,
    name: str,
    *successors: str,
    stores: list[str] | None = None,
    sources: list[str] | None = None,
    sink: str | None = None,
) -> TopologyDescriptionNode:
    return TopologyDescriptionNode(
        name=name,
        node_type=kind,
        source_topics=sources or [],
        sink_topic=sink,
        stores=stores or [],
        successors=list(successors),
    )


def group(status: int, topology: TopologyDescription | None = None) -> StreamsGroupDescription:
    at = Broker(1, "h", 9092, None)
    return StreamsGroupDescription(
        "words", "Empty", 1, 1, 0, (), (), at, "sticky", "", topology, status
    )


def test_nodes_are_printed_with_what_is_before_and_after_them() -> None:
    topology = TopologyDescription(
        subtopologies=[
            TopologyDescriptionSubtopology(
                subtopology_id="0",
                nodes=[
                    node(1, "in", "count", sources=["text", "more"]),
                    node(2, "count", "out", stores=["b", "a"]),
                    node(3, "out", sink="counts"),
                ],
            )
        ],
        global_stores=[
            TopologyDescriptionGlobalStore(
                source=node(1, "all", "fill", sources=["t"]), processor=node(2, "fill")
            )
        ],
    )
    assert described(group(3, topology)) == (
        "Topologies:\n"
        "   Sub-topology: 0\n"
        "    Source: in (topics: [more, text])\n"
        "      --> count\n"
        "    Processor: count (stores: [a, b])\n"
        "      --> out\n"
        "      <-- in\n"
        "    Sink: out (topic: counts)\n"
        "      <-- count\n"
        "\n"
        "   Sub-topology: 1 for global store (will not generate tasks)\n"
        "    Source: all (topics: [t])\n"
        "      --> fill\n"
        "    Processor: fill (stores: [])\n"
        "      --> none\n"
        "      <-- all\n"
        "\n"
    )


def test_why_there_is_no_description_is_said() -> None:
    assert described(group(1)) is None
    assert missing(group(1)) == "No topology description is stored for streams group 'words'."
    assert "See the broker logs" in missing(group(2))
    assert "(status: 9)" in missing(group(9))
