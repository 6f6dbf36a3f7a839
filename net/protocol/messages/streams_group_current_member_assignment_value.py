"""A streams group member's current assignment (KIP-1071), preceded by an int16 with the version.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Message, Struct


class TaskIds(Struct):
    LAYOUT = (
        "subtopology_id string",
        "partitions []int32",
        "assignment_epochs []int32 nullable tag 0 = null",
    )
    __slots__ = (
        "subtopology_id",
        "partitions",
        "assignment_epochs",
    )

    def __init__(
        self,
        *,
        subtopology_id: str = "",
        partitions: list[int] = FRESH,
        assignment_epochs: list[int] | None = None,
    ) -> None:
        self.subtopology_id = subtopology_id
        self.partitions = [] if partitions is FRESH else partitions
        self.assignment_epochs = assignment_epochs


class StreamsGroupCurrentMemberAssignmentValue(Message):
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "member_epoch int32",
        "previous_member_epoch int32",
        "state int8",
        "active_tasks []TaskIds",
        "standby_tasks []TaskIds",
        "warmup_tasks []TaskIds",
        "active_tasks_pending_revocation []TaskIds",
        "standby_tasks_pending_revocation []TaskIds",
        "warmup_tasks_pending_revocation []TaskIds",
    )
    __slots__ = (
        "member_epoch",
        "previous_member_epoch",
        "state",
        "active_tasks",
        "standby_tasks",
        "warmup_tasks",
        "active_tasks_pending_revocation",
        "standby_tasks_pending_revocation",
        "warmup_tasks_pending_revocation",
    )

    def __init__(
        self,
        *,
        member_epoch: int = 0,
        previous_member_epoch: int = 0,
        state: int = 0,
        active_tasks: list[TaskIds] = FRESH,
        standby_tasks: list[TaskIds] = FRESH,
        warmup_tasks: list[TaskIds] = FRESH,
        active_tasks_pending_revocation: list[TaskIds] = FRESH,
        standby_tasks_pending_revocation: list[TaskIds] = FRESH,
        warmup_tasks_pending_revocation: list[TaskIds] = FRESH,
    ) -> None:
        self.member_epoch = member_epoch
        self.previous_member_epoch = previous_member_epoch
        self.state = state
        self.active_tasks = [] if active_tasks is FRESH else active_tasks
        self.standby_tasks = [] if standby_tasks is FRESH else standby_tasks
        self.warmup_tasks = [] if warmup_tasks is FRESH else warmup_tasks
        self.active_tasks_pending_revocation = (
            [] if active_tasks_pending_revocation is FRESH else active_tasks_pending_revocation
        )
        self.standby_tasks_pending_revocation = (
            [] if standby_tasks_pending_revocation is FRESH else standby_tasks_pending_revocation
        )
        self.warmup_tasks_pending_revocation = (
            [] if warmup_tasks_pending_revocation is FRESH else warmup_tasks_pending_revocation
        )
