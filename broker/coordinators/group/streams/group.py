"""A streams group as a value: members, epochs, the topology, the target, the owners of tasks. Pure.

Times are milliseconds. All state is in the log, except fields marked as transient.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping
from dataclasses import field

from raftka.broker.coordinators.group import fencing
from raftka.broker.coordinators.group.any_group import GroupType
from raftka.broker.coordinators.group.streams.tasks import (
    NO_TASKS,
    Held,
    Task,
    Tasks,
    each,
    nothing,
)
from raftka.broker.coordinators.group.streams.topology import Configured, source_topics
from raftka.model.dataclass import dataclass
from raftka.net.protocol.messages.streams_group_heartbeat import EndpointToPartitions
from raftka.net.protocol.messages.streams_group_topology_value import StreamsGroupTopologyValue

JOIN_EPOCH = 0
LEAVE_EPOCH = -1
"""The member epoch in a heartbeat of a member that leaves."""
STATIC_LEAVE_EPOCH = -2
"""The same for a static member that will return within its session."""
FIRST_EPOCH = 1
"""The member epoch before the first assignment, while a member waits for it."""
NO_TOPOLOGY = -1


class MemberState(enum.IntEnum):
    """The member's state in the reconciliation; the values are those of its record."""

    STABLE = 1
    UNREVOKED_TASKS = 2
    UNRELEASED_TASKS = 3


@dataclass(frozen=True, slots=True)
class Description:
    """The metadata that a member sends about itself, as in its first record."""

    process_id: str = ""
    """The same for all members (threads) of one process."""
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    rebalance_timeout_ms: int = -1
    topology_epoch: int = NO_TOPOLOGY
    endpoint: tuple[str, int] | None = None
    """Host and port for interactive queries."""
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True, eq=False)
class StreamsMember:
    """One member of a streams group: a thread of an application."""

    member_id: str
    says: Description = field(default_factory=Description)
    epoch: int = 0
    previous_epoch: int = 0
    state: MemberState = MemberState.STABLE
    assigned: Held = field(default_factory=nothing)
    revoking: Held = field(default_factory=nothing)
    """Tasks that it must revoke and has not revoked yet."""
    offsets: dict[Task, int] = field(default_factory=dict)
    """Transient: how far it has restored the state of its tasks, as reported."""
    end_offsets: dict[Task, int] = field(default_factory=dict)
    """Transient: the end offsets of its tasks' changelogs, as reported."""

    def move_to_epoch(self, epoch: int) -> None:
        if epoch != self.epoch:
            self.previous_epoch, self.epoch = self.epoch, epoch


@dataclass(slots=True, eq=False)
class StreamsGroup:
    """A group of the streams protocol. Implements AnyGroup."""

    group_id: str
    epoch: int = FIRST_EPOCH
    metadata_hash: int = 0
    validated_epoch: int = NO_TOPOLOGY
    """The epoch of the topology whose topics were validated: all exist, with enough partitions."""
    assignment_configs: Mapping[str, str] = field(default_factory=dict)
    """The settings with which the target was computed."""
    described_epoch: int = NO_TOPOLOGY
    """The epoch of the topology that a Kafka plugin stores a description of; kept as read."""
    undescribed_epoch: int = NO_TOPOLOGY
    """The epoch of the topology whose description such a plugin has refused."""
    assignment_epoch: int = FIRST_EPOCH
    assigned_at_ms: int = 0
    """Wall time when the last target was computed; 0 before the first."""
    topology: StreamsGroupTopologyValue | None = None
    members: dict[str, StreamsMember] = field(default_factory=dict)
    static_members: dict[str, str] = field(default_factory=dict)
    """group.instance.id -> member id"""
    targets: dict[str, Tasks] = field(default_factory=dict)
    """Each member's target assignment, by member id."""
    configured: Configured | None = None
    """Transient: the topology's tasks and topics, for the current metadata."""
    shutdown_by: str | None = None
    """Transient: the member that requested the shutdown of the application."""
    endpoint_epoch: int = 0
    """Transient: increases when a member's endpoint, or its tasks, change."""
    endpoints: dict[str, EndpointToPartitions] = field(default_factory=dict)
    """Transient: the entries of members with an endpoint in answers, by member id."""
    assign_not_before_s: float = 0.0
    """Transient: when the next target may be computed, in monotonic seconds."""
    too_large: str = ""
    """Transient: why this epoch has no target: a member's assignment is too large for a record."""
    _active: dict[Task, StreamsMember] = field(default_factory=dict)
    _copies: dict[Task, Counter[str]] = field(default_factory=dict)
    """How many standby and warm-up copies of a task each process has."""

    # ---- AnyGroup

    @property
    def type(self) -> GroupType:
        return GroupType.STREAMS

    @property
    def protocol_type(self) -> str:
        return "streams"

    @property
    def state_name(self) -> str:
        if not self.members:
            return "Empty"
        if self.topology is None or self.topology.epoch != self.validated_epoch:
            return "NotReady"
        if self.epoch > self.assignment_epoch:
            return "Assigning"
        return "Stable" if all(map(self.is_reconciled, self.members.values())) else "Reconciling"

    @property
    def member_count(self) -> int:
        return len(self.members)

    @property
    def is_empty(self) -> bool:
        return not self.members

    @property
    def is_unused(self) -> bool:
        return not self.members

    def is_subscribed_to(self, topic: str) -> bool:
        return bool(self.members) and topic in source_topics(self.topology)

    def check_deleting_offsets(self) -> None:
        """Always allowed, for topics that the topology does not read."""

    def offsets_unused_since_ms(self, topic: str, committed_ms: int) -> int | None:
        return None if self.is_subscribed_to(topic) else committed_ms

    # ---- members

    def is_reconciled(self, member: StreamsMember) -> bool:
        return member.state is MemberState.STABLE and member.epoch == self.assignment_epoch

    def member(self, member_id: str) -> StreamsMember:
        """Return a member. Raises KafkaError UNKNOWN_MEMBER_ID."""
        found = self.members.get(member_id)
        if found is None:
            raise fencing.unknown_member(member_id, self.group_id)
        return found

    def static_member(self, instance_id: str | None) -> StreamsMember | None:
        member_id = None if instance_id is None else self.static_members.get(instance_id)
        return None if member_id is None else self.members.get(member_id)

    def add(self, member: StreamsMember) -> None:
        """Add a member without tasks."""
        self.members[member.member_id] = member
        if member.says.instance_id is not None:
            self.static_members[member.says.instance_id] = member.member_id

    def describe(self, member: StreamsMember, says: Description) -> None:
        """Replace the metadata that the member has sent."""
        before = member.says
        self._release(member)
        member.says = says
        self._take(member)
        if before.instance_id != says.instance_id:
            self._forget_instance(member.member_id, before.instance_id)
            if says.instance_id is not None:
                self.static_members[says.instance_id] = member.member_id

    def remove(self, member_id: str) -> StreamsMember | None:
        """Remove a member, with its target and its tasks."""
        member = self.members.pop(member_id, None)
        self.targets.pop(member_id, None)
        if member is not None:
            self._release(member)
            self._forget_instance(member_id, member.says.instance_id)
            if self.endpoints.pop(member_id, None) is not None or member.says.endpoint:
                self.endpoint_epoch += 1
            if not self.members:
                self.shutdown_by = None
        return member

    def _forget_instance(self, member_id: str, instance_id: str | None) -> None:
        if instance_id is not None and self.static_members.get(instance_id) == member_id:
            del self.static_members[instance_id]

    def target_of(self, member_id: str) -> Tasks:
        """A member's target assignment."""
        return self.targets.get(member_id, NO_TASKS)

    # ---- tasks

    def is_run(self, task: Task) -> bool:
        """Whether a member has it as an active task, or has yet to revoke it."""
        return task in self._active

    def is_at(self, process_id: str, task: Task) -> bool:
        """Whether a process has it in any role: its members share a state directory."""
        owner = self._active.get(task)
        if owner is not None and owner.says.process_id == process_id:
            return True
        return task in self._copies and self._copies[task][process_id] > 0

    def give(self, member: StreamsMember, assigned: Held, revoking: Held) -> None:
        """Replace the tasks that a member owns and must revoke."""
        self._release(member)
        member.assigned, member.revoking = assigned, revoking
        self._take(member)

    def _take(self, member: StreamsMember) -> None:
        for held in (member.assigned, member.revoking):
            for task in each(held.active):
                self._active[task] = member
            for copies in (held.standby, held.warmup):
                for task in each(copies):
                    self._copies.setdefault(task, Counter())[member.says.process_id] += 1

    def _release(self, member: StreamsMember) -> None:
        for held in (member.assigned, member.revoking):
            for task in each(held.active):
                if self._active.get(task) is member:
                    del self._active[task]
            for copies in (held.standby, held.warmup):
                for task in each(copies):
                    processes = self._copies[task]
                    processes[member.says.process_id] -= 1
                    if not processes.total():
                        del self._copies[task]
