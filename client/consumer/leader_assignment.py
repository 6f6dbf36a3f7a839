"""The duties of a group's leader: learn the partition counts, and assign partitions."""

from __future__ import annotations

from raftka.client.cluster import Cluster
from raftka.client.consumer.assignors import ASSIGNORS
from raftka.client.consumer.group_messages import decode_subscription, encode_assignment
from raftka.net.protocol.messages.join_group import JoinGroupResponse
from raftka.net.protocol.messages.sync_group import SyncGroupRequestAssignment


async def divide(
    cluster: Cluster, joined: JoinGroupResponse
) -> tuple[dict[str, int], list[SyncGroupRequestAssignment]]:
    """How many partitions each topic had, and the share of each member.

    A topic that does not exist counts 0, so that its creation is noticed. When the broker
    asks to skip the assignment (KIP-814), members keep what they have, and no shares are sent.
    """
    assignor = ASSIGNORS[joined.protocol_name or ""]
    members = [
        decode_subscription(
            told.member_id,
            told.group_instance_id,
            told.metadata,
            eager_sticky=assignor.sticky and not assignor.cooperative,
        )
        for told in joined.members
    ]
    topics = sorted({topic for member in members for topic in member.topics})
    cluster.follow(topics)
    view = cluster.view
    while any(topic not in view.topics and topic not in view.errors for topic in topics):
        await cluster.refreshed(view.version)
        view = cluster.view
    there = {topic: len(view.topics[topic].partitions) for topic in topics if topic in view.topics}
    counts = dict.fromkeys(topics, 0) | there
    if joined.skip_assignment:
        return counts, []
    return counts, [
        SyncGroupRequestAssignment(member_id=member, assignment=encode_assignment(share))
        for member, share in assignor.assign(there, members).items()
    ]
