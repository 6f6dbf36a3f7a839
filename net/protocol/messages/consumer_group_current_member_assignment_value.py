"""The partitions that a consumer group member owns and must revoke (KIP-848), preceded by an int16
with the version. assignment_epochs: the epoch at which it got each partition (KIP-1251).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Message, Struct


class TopicPartitions(Struct):
    LAYOUT = (
        "topic_id uuid",
        "partitions []int32",
        "assignment_epochs []int32 nullable tag 0 = null",
    )
    __slots__ = (
        "topic_id",
        "partitions",
        "assignment_epochs",
    )

    def __init__(
        self,
        *,
        topic_id: bytes = bytes(16),
        partitions: list[int] = FRESH,
        assignment_epochs: list[int] | None = None,
    ) -> None:
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions
        self.assignment_epochs = assignment_epochs


class ConsumerGroupCurrentMemberAssignmentValue(Message):
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "member_epoch int32",
        "previous_member_epoch int32",
        "state int8",
        "assigned_partitions []TopicPartitions",
        "partitions_pending_revocation []TopicPartitions",
    )
    __slots__ = (
        "member_epoch",
        "previous_member_epoch",
        "state",
        "assigned_partitions",
        "partitions_pending_revocation",
    )

    def __init__(
        self,
        *,
        member_epoch: int = 0,
        previous_member_epoch: int = 0,
        state: int = 0,
        assigned_partitions: list[TopicPartitions] = FRESH,
        partitions_pending_revocation: list[TopicPartitions] = FRESH,
    ) -> None:
        self.member_epoch = member_epoch
        self.previous_member_epoch = previous_member_epoch
        self.state = state
        self.assigned_partitions = [] if assigned_partitions is FRESH else assigned_partitions
        self.partitions_pending_revocation = (
            [] if partitions_pending_revocation is FRESH else partitions_pending_revocation
        )
