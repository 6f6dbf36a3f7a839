"""One sample of a cluster: `raftka top` shows the difference of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from raftka.client.admin import Admin
from raftka.client.admin.nodes import Node
from raftka.client.admin.topics import TopicDescription
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.offset_specs import LATEST
from raftka.model.ports import BrokenConnection


@dataclass(frozen=True)
class GroupSample:
    """A group at one time."""

    state: str
    members: int
    offsets: Mapping[TopicPartition, int]
    """Its committed offsets."""


@dataclass(frozen=True)
class Sample:
    """The cluster at one time."""

    at_s: float
    """Monotonic seconds."""
    cluster_id: str
    controller_id: int
    """The leader of the quorum; -1 while there is none."""
    controller_epoch: int
    brokers: tuple[Node, ...]
    """All registered brokers, fenced ones included."""
    topics: Mapping[str, TopicDescription]
    ends: Mapping[TopicPartition, int]
    """The high watermarks of partitions with a leader."""
    groups: Mapping[str, GroupSample]


async def take(admin: Admin, at_s: float) -> Sample:
    """Take a sample. Raises KafkaError and BrokenConnection when the cluster does not answer."""
    described = await admin.describe_cluster(include_fenced=True)
    quorum = await admin.describe_quorum()
    topics = await admin.describe_topics(await admin.list_topics())
    led = [
        TopicPartition(topic.name, each.index)
        for topic in topics.values()
        for each in topic.partitions
        if each.leader is not None
    ]
    try:
        found = await admin.list_offsets(dict.fromkeys(led, LATEST))
        ends = {at: each.offset for at, each in found.items()}
    except (KafkaError, BrokenConnection):
        ends = {}  # In the middle of a failover: the next sample has them again.
    return Sample(
        at_s,
        described.cluster_id,
        quorum.leader_id,
        quorum.leader_epoch,
        described.nodes,
        topics,
        ends,
        await _groups(admin),
    )


async def _groups(admin: Admin) -> dict[str, GroupSample]:
    found: dict[str, GroupSample] = {}
    try:
        listed = sorted(each.group_id for each in await admin.list_groups())
        for group_id, group in (await admin.describe_groups(listed)).items():
            committed = await admin.list_group_offsets(group_id)
            found[group_id] = GroupSample(
                group.state,
                len(group.members),
                {at: each.offset for at, each in committed.items()},
            )
    except (KafkaError, BrokenConnection):
        return found  # A coordinator is moving: the next sample has the others again.
    return found
