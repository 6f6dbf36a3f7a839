"""A classic consumer group: its members, its generation and the votes for its protocol.

Data and the bookkeeping that keeps it consistent; join, rebalance, sync and leave have the rules of
a rebalance. Times are milliseconds.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import field

from raftka.broker.coordinators.group.any_group import GroupType
from raftka.broker.coordinators.group.subscription import subscribed_topics
from raftka.broker.coordinators.outbox import Ticket
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError

CONSUMER_PROTOCOL_TYPE = "consumer"

Protocols = tuple[tuple[str, bytes], ...]
"""(name, the member's metadata under it), in the member's order of preference."""


class GroupState(enum.Enum):
    """The group's state; the values are the names that Kafka's tools print."""

    EMPTY = "Empty"
    """It has no members; it may still hold offsets."""
    PREPARING_REBALANCE = "PreparingRebalance"
    """It waits until the members have joined the next generation."""
    COMPLETING_REBALANCE = "CompletingRebalance"
    """It waits until the leader has assigned the partitions."""
    STABLE = "Stable"
    DEAD = "Dead"
    """Only in answers: the group does not exist."""


@dataclass(slots=True, eq=False)
class Member:
    """One member of a classic group."""

    member_id: str
    instance_id: str | None
    """group.instance.id of a static member (KIP-345)."""
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    protocols: Protocols
    assignment: bytes = b""
    is_new: bool = False
    """Whether it was never in a generation, so that it cannot have sent heartbeats."""
    join_ticket: Ticket | None = None
    sync_ticket: Ticket | None = None

    def metadata(self, protocol_name: str) -> bytes:
        """The member's metadata for that protocol; empty if it does not support it."""
        return next((data for name, data in self.protocols if name == protocol_name), b"")

    def vote(self, candidates: Iterable[str]) -> str:
        """The member's most preferred candidate; it must support at least one."""
        return next(name for name, _ in self.protocols if name in candidates)


@dataclass(slots=True, eq=False)
class Group:
    """A classic group. Members keep the order in which they joined, for determinism."""

    group_id: str
    state: GroupState = GroupState.EMPTY
    state_timestamp_ms: int = -1
    """Wall time of the last change of state; -1 if an old record lacks it."""
    generation_id: int = 0
    protocol_type: str | None = None
    """None for a group that only ever held offsets (a "simple" group)."""
    protocol_name: str | None = None
    leader_id: str | None = None
    members: dict[str, Member] = field(default_factory=dict)
    static_members: dict[str, str] = field(default_factory=dict)
    """group.instance.id -> member id"""
    pending_joins: dict[str, None] = field(default_factory=dict)
    """Member ids that were issued (KIP-394) and have not joined yet."""
    pending_syncs: dict[str, None] = field(default_factory=dict)
    """Members of this generation that have not sent SyncGroup yet."""
    is_initial_rebalance: bool = False
    """In PreparingRebalance after Empty: a delay gathers the first members."""
    new_member_added: bool = False
    """Whether a member joined during that delay, which extends it."""
    subscribed_topics: frozenset[str] | None = None
    """The topics that members of this generation subscribe to; None if unknown."""
    awaiting_join: int = 0
    """The number of members that wait in this rebalance."""
    _supporters: dict[str, int] = field(default_factory=dict)
    """protocol name -> the number of members that support it"""

    @property
    def type(self) -> GroupType:
        return GroupType.CLASSIC

    @property
    def state_name(self) -> str:
        return self.state.value

    @property
    def member_count(self) -> int:
        return len(self.members)

    @property
    def is_empty(self) -> bool:
        return self.state is GroupState.EMPTY

    def waits_for(self, member: Member) -> bool:
        """Whether the rebalance waits for this member to join or to sync."""
        if self.state is GroupState.PREPARING_REBALANCE:
            return member.join_ticket is None
        return (
            self.state is GroupState.COMPLETING_REBALANCE and member.member_id in self.pending_syncs
        )

    @property
    def is_unused(self) -> bool:
        return self.state is GroupState.EMPTY and not self.pending_joins

    def check_deleting_offsets(self) -> None:
        """Raises KafkaError NON_EMPTY_GROUP if the members' subscriptions cannot be decoded."""
        if self.state is not GroupState.EMPTY and not self.is_consumer_group:
            raise KafkaError(ErrorCode.NON_EMPTY_GROUP, f"group {self.group_id!r} has members")

    def offsets_unused_since_ms(self, topic: str, committed_ms: int) -> int | None:
        """Wall time from which the topic's offsets are unused; None while they are in use.

        In an Empty group, since its last member left; in a Stable consumer group, since the commit,
        for topics without subscribers; in a simple group, since the commit.
        """
        if self.protocol_type is None:
            return committed_ms
        if self.state is GroupState.EMPTY:
            return self.state_timestamp_ms if self.state_timestamp_ms >= 0 else committed_ms
        if self.state is GroupState.STABLE and not self.is_subscribed_to(topic):
            return committed_ms
        return None

    def transition(self, state: GroupState, now_ms: int) -> None:
        self.state = state
        self.state_timestamp_ms = now_ms

    @property
    def is_consumer_group(self) -> bool:
        return self.protocol_type == CONSUMER_PROTOCOL_TYPE

    @property
    def rebalance_timeout_ms(self) -> int:
        """How long a rebalance waits: the longest rebalance timeout of a member, in ms."""
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    # ---- membership

    def add(self, member: Member, protocol_type: str) -> None:
        """Add a member; the first one decides the protocol type and leads."""
        if not self.members:
            self.protocol_type = protocol_type
        if member.instance_id is not None:
            self.static_members[member.instance_id] = member.member_id
        if self.leader_id is None:
            self.leader_id = member.member_id
        self.members[member.member_id] = member
        self._count(member.protocols, 1)
        self.pending_joins.pop(member.member_id, None)

    def remove(self, member_id: str) -> Member | None:
        """Remove a member or a pending member id; return the member, if there was one."""
        self.pending_joins.pop(member_id, None)
        self.pending_syncs.pop(member_id, None)
        member = self.members.pop(member_id, None)
        if member is None:
            return None
        self._count(member.protocols, -1)
        if member.join_ticket is not None:
            self.awaiting_join -= 1
        if member.instance_id is not None:
            del self.static_members[member.instance_id]
        if self.leader_id == member_id:
            self.leader_id = next(iter(self.members), None)
        return member

    def replace_static_member(self, instance_id: str, new_member_id: str) -> Member:
        """Give a new member id to a static member that returned without one.

        It keeps its assignment and its role as leader.
        """
        old_id = self.static_members[instance_id]
        renamed: dict[str, Member] = {}
        for member_id, member in self.members.items():
            renamed[new_member_id if member_id == old_id else member_id] = member
        self.members = renamed
        self.static_members[instance_id] = new_member_id
        if self.leader_id == old_id:
            self.leader_id = new_member_id
        # An outstanding sync must now come from the new member.
        if old_id in self.pending_syncs:
            del self.pending_syncs[old_id]
            self.pending_syncs[new_member_id] = None
        member = renamed[new_member_id]
        member.member_id = new_member_id
        return member

    def update_protocols(self, member: Member, protocols: Protocols) -> None:
        self._count(member.protocols, -1)
        member.protocols = protocols
        self._count(protocols, 1)

    def await_join(self, member: Member, ticket: Ticket) -> Ticket | None:
        """Let the member wait for the next generation; return the ticket that this one replaces."""
        replaced, member.join_ticket = member.join_ticket, ticket
        if replaced is None:
            self.awaiting_join += 1
        return replaced

    def take_join_ticket(self, member: Member) -> Ticket | None:
        ticket, member.join_ticket = member.join_ticket, None
        if ticket is not None:
            self.awaiting_join -= 1
        return ticket

    @property
    def all_joined(self) -> bool:
        return len(self.members) == self.awaiting_join and not self.pending_joins

    def validate_member(self, member_id: str, instance_id: str | None) -> Member:
        """Return the member that a request names.

        Raises KafkaError UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID if another process has taken over
        the static member (KIP-345).
        """
        if instance_id is not None:
            current_id = self.static_members.get(instance_id)
            if current_id is None:
                raise KafkaError(
                    ErrorCode.UNKNOWN_MEMBER_ID,
                    f"group {self.group_id!r} has no static member {instance_id!r}",
                )
            if current_id != member_id:
                raise KafkaError(
                    ErrorCode.FENCED_INSTANCE_ID,
                    f"static member {instance_id!r} of group {self.group_id!r} is {current_id!r}"
                    f" by now, no longer {member_id!r}",
                )
        member = self.members.get(member_id)
        if member is None:
            raise KafkaError(
                ErrorCode.UNKNOWN_MEMBER_ID, f"group {self.group_id!r} has no member {member_id!r}"
            )
        return member

    # ---- protocol and generation

    def supports(self, protocol_type: str, protocols: Protocols) -> bool:
        """Whether a client with these protocols could join: all members share one of them."""
        if self.state is GroupState.EMPTY:
            return protocol_type != "" and len(protocols) > 0
        return self.protocol_type == protocol_type and any(
            self._supporters.get(name) == len(self.members) for name, _ in protocols
        )

    def select_protocol(self) -> str:
        """The protocol with most votes among those that all members support; ties go to the one
        that was voted for first. The group must have members."""
        candidates = {name for name, n in self._supporters.items() if n == len(self.members)}
        votes: dict[str, int] = {}
        for member in self.members.values():
            name = member.vote(candidates)
            votes[name] = votes.get(name, 0) + 1
        return max(votes, key=lambda name: votes[name])

    def next_generation(self, now_ms: int) -> None:
        """End the join phase: CompletingRebalance, or Empty if no member is left."""
        self.generation_id += 1
        self.is_initial_rebalance = False
        self.pending_syncs.clear()
        if self.members:
            self.protocol_name = self.select_protocol()
            self.transition(GroupState.COMPLETING_REBALANCE, now_ms)
        else:
            self.protocol_name = None
            self.transition(GroupState.EMPTY, now_ms)
        self.refresh_subscriptions()

    def refresh_subscriptions(self) -> None:
        """Compute `subscribed_topics` from the members' metadata for the chosen protocol."""
        name = self.protocol_name
        if not self.is_consumer_group:
            self.subscribed_topics = None
        elif name is None:
            self.subscribed_topics = None if self.members else frozenset()
        else:
            self.subscribed_topics = subscribed_topics(
                member.metadata(name) for member in self.members.values()
            )

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member may read that topic; if unknown, whether this is a consumer group."""
        if self.subscribed_topics is None:
            return self.is_consumer_group
        return topic in self.subscribed_topics

    def _count(self, protocols: Protocols, change: int) -> None:
        for name, _ in protocols:
            count = self._supporters.get(name, 0) + change
            if count:
                self._supporters[name] = count
            else:
                self._supporters.pop(name, None)
