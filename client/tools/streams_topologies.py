"""kafka-streams-groups --describe --topology: what members said of their topology (KIP-1331).

Brokers with a plugin for it keep such descriptions. raftka's do not, and say so: no member is asked
for one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from raftka.client.admin.streams_groups import StreamsGroupDescription
from raftka.net.protocol.messages.streams_group_describe import (
    TopologyDescription,
    TopologyDescriptionNode,
)

_SOURCE: Final = 1
_PROCESSOR: Final = 2
_MISSING: Final = {
    1: "No topology description is stored for streams group '{}'.",
    2: "The broker failed to fetch the topology description for streams group '{}'. See the broker"
    " logs for details.",
}
"""By what the broker answers beside the description."""


def described(group: StreamsGroupDescription) -> str | None:
    """The description as Kafka's tool prints it; None where there is none."""
    return None if group.described is None else _text(group.described)


def missing(group: StreamsGroupDescription) -> str:
    """Why there is none."""
    known = _MISSING.get(group.described_status)
    if known is not None:
        return known.format(group.group_id)
    return (
        f"No topology description is available for streams group '{group.group_id}'"
        f" (status: {group.described_status})."
    )


def _text(topology: TopologyDescription) -> str:
    text = "Topologies:\n"
    for each in topology.subtopologies:
        text += f"   Sub-topology: {each.subtopology_id}\n"
        text += "".join(f"    {_node(node, each.nodes)}\n" for node in each.nodes) + "\n"
    for index, store in enumerate(topology.global_stores, len(topology.subtopologies)):
        both = (store.source, store.processor)
        text += f"   Sub-topology: {index} for global store (will not generate tasks)\n"
        text += "".join(f"    {_node(node, both)}\n" for node in both) + "\n"
    return text


def _node(node: TopologyDescriptionNode, all_nodes: Iterable[TopologyDescriptionNode]) -> str:
    after = f"\n      --> {_names(node.successors)}"
    before = f"\n      <-- {_names(n.name for n in all_nodes if node.name in n.successors)}"
    if node.node_type == _SOURCE:
        return f"Source: {node.name} (topics: [{', '.join(sorted(node.source_topics))}]){after}"
    if node.node_type == _PROCESSOR:
        stores = ", ".join(sorted(node.stores))
        return f"Processor: {node.name} (stores: [{stores}]){after}{before}"
    return f"Sink: {node.name} (topic: {node.sink_topic or 'null'}){before}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
