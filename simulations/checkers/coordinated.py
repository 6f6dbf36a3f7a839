"""Groups of the consumer protocol (KIP-848), as seen on the wire: one owner for each partition.

From the moment at which a coordinator's answer gives a partition to a member, the member may read
it, until it sends a heartbeat that no longer names it, joins again, leaves, or is fenced. Meanwhile
no other member gets the partition, as long as the owner sends heartbeats and revokes what it must
within its rebalance timeout; an owner that does not is fenced and loses everything. Once another
member has the partition, the former owner can no longer commit there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from raftka.model.errors import ErrorCode
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.observers.kafka_wire import Watched
from raftka.simulations.violation import About, Report

Place = tuple[bytes, int]
"""Topic id, partition."""

ALIVE_S: Final = 2.0
"""A member certainly owns its partitions this long after an answered heartbeat: its session is
longer, and begins when the coordinator receives the heartbeat, however late the answer.
"""
_FASTEST_CLOCK: Final = 0.94
"""The factor by which the fastest clock shortens a rebalance timeout."""
_SHOWS_LIFE_S: Final = 10.0
"""Longer than a session of the load."""
_GONE: Final = (
    ErrorCode.UNKNOWN_MEMBER_ID,
    ErrorCode.FENCED_MEMBER_EPOCH,
    ErrorCode.FENCED_INSTANCE_ID,
    ErrorCode.GROUP_ID_NOT_FOUND,
)


@dataclass
class _Member:
    epoch: int = 0
    may_read: set[Place] = field(default_factory=set)
    alive_at: float = -1e9
    """When it sent the last heartbeat that was answered."""
    target: set[Place] = field(default_factory=set)
    """The partitions of its last assignment."""
    named_at: dict[Place, float] = field(default_factory=dict)
    """When it sent the last heartbeat whose answer let it keep a partition."""
    rebalance_s: float = math.inf

    def must_be_awaited(self, now_s: float) -> bool:
        """Whether its session lasts, and it has kept nothing beyond its rebalance timeout."""
        since_s = min((self.named_at.get(each, now_s) for each in self.may_read), default=now_s)
        is_in_time = now_s - since_s < self.rebalance_s * _FASTEST_CLOCK
        return now_s - self.alive_at < ALIVE_S and is_in_time


@dataclass
class _Owner:
    member_id: str
    epoch: int


class CoordinatedGroups:
    """Checks heartbeats and commits of groups whose coordinator assigns."""

    def __init__(
        self,
        watched: Watched,
        report: Report,
        *,
        is_excused: Callable[[str], bool],
        topic_id: Callable[[str], bytes | None],
    ) -> None:
        """`is_excused`: whether the state of a group's coordinator may be lost with its disks."""
        self.looks = Looks()
        self._report = report
        self._is_excused = is_excused
        self._topic_id = topic_id
        self._members: dict[tuple[str, str], _Member] = {}
        self._owners: dict[tuple[str, Place], _Owner] = {}
        """Each partition's last owner, and the owner's member epoch."""
        self._beats: dict[int, tuple[Any, float]] = {}
        """Heartbeats in flight, and when they were sent."""
        self._commits: dict[int, tuple[Any, dict[Place, _Owner]]] = {}
        """Commits in flight, with the owners when they were sent."""
        watched.request("ConsumerGroupHeartbeat", self._beat_sent)
        watched.answer("ConsumerGroupHeartbeat", self._beat_answered)
        watched.request("OffsetCommit", self._commit_sent)
        watched.answer("OffsetCommit", self._commit_answered)

    def has_owner(self, group: str, place: Place) -> bool:
        """Whether a member whose session lasts may read a partition."""
        now_s = trio.current_time()
        return any(
            place in member.may_read and now_s - member.alive_at < _SHOWS_LIFE_S
            for (name, _), member in self._members.items()
            if name == group
        )

    def _beat_sent(self, client: str, server: str, request: Any) -> None:
        member = self._members.setdefault((request.group_id, request.member_id), _Member())
        self._beats[id(request)] = (request, trio.current_time())
        if request.rebalance_timeout >= 0:
            member.rebalance_s = request.rebalance_timeout / 1000
        if request.member_epoch <= 0:
            member.may_read.clear()
        elif request.topic_partitions is not None:
            member.may_read &= {
                (topic.topic_id, index)
                for topic in request.topic_partitions
                for index in topic.partitions
            }

    def _beat_answered(self, client: str, server: str, request: Any, response: Any) -> None:
        group = request.group_id
        member = self._members[(group, request.member_id)]
        _, sent_at = self._beats.pop(id(request))
        if response.error_code in _GONE:
            member.may_read.clear()
        if response.error_code or request.member_epoch < 0:
            return
        member.epoch = response.member_epoch
        member.alive_at = max(member.alive_at, sent_at)
        if response.assignment is not None:
            member.target = {
                (topic.topic_id, index)
                for topic in response.assignment.topic_partitions
                for index in topic.partitions
            }
            for place in sorted(member.target):
                self._given(group, request.member_id, member, place, server, client)
            member.may_read |= member.target
        member.named_at.update(dict.fromkeys(member.target, sent_at))

    def _given(
        self, group: str, member_id: str, member: _Member, place: Place, server: str, client: str
    ) -> None:
        """The coordinator has given a partition to a member."""
        self.looks("handed-out-early")
        before = self._owners.get((group, place))
        if before is None or before.epoch <= member.epoch:
            self._owners[(group, place)] = _Owner(member_id, member.epoch)
        if before is None or before.member_id == member_id or before.epoch > member.epoch:
            return
        other = self._members[(group, before.member_id)]
        awaited = other.must_be_awaited(trio.current_time())
        if place in other.may_read and awaited and not self._is_excused(group):
            self._report(
                "handed-out-early",
                f"{server} gives partition {place[1]} to {member_id} of group {group} in epoch"
                f" {member.epoch}, while {before.member_id}, which is alive, has not given it back",
                about=About(group=group, node=server, other=client),
            )

    def _places(self, topics: Any) -> list[tuple[str, int, Place]]:
        found = []
        for topic in topics:
            topic_id = self._topic_id(topic.name)
            if topic_id is not None:
                for part in topic.partitions:
                    index = part.partition_index
                    found.append((topic.name, index, (topic_id, index)))
        return found

    def _commit_sent(self, client: str, server: str, request: Any) -> None:
        if (request.group_id, request.member_id) not in self._members:
            return
        owners = {}
        for _, _, place in self._places(request.topics):
            owner = self._owners.get((request.group_id, place))
            if owner is not None:
                owners[place] = owner
        self._commits[id(request)] = (request, owners)

    def _commit_answered(self, client: str, server: str, request: Any, response: Any) -> None:
        _, owners = self._commits.pop(id(request), (None, {}))
        taken = {
            (topic.name, part.partition_index)
            for topic in response.topics
            for part in topic.partitions
            if not part.error_code
        }
        for name, index, place in self._places(request.topics):
            owner = owners.get(place)
            if (name, index) not in taken or owner is None:
                continue
            self.looks("commit-of-a-former-owner")
            former = owner.member_id != request.member_id
            if former and not self._is_excused(request.group_id):
                self._report(
                    "commit-of-a-former-owner",
                    f"{server} takes an offset of {name}-{index} from {request.member_id} of group"
                    f" {request.group_id}, which was given to {owner.member_id} in epoch"
                    f" {owner.epoch} before it was sent",
                    about=About((name, index), group=request.group_id, node=server, other=client),
                )
