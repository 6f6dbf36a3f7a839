"""A member of a streams group as a state machine: its requests, and its reactions to responses.
Pure.

It does what the thread of a Kafka Streams application does (KIP-1071): joins with its topology,
gives up tasks that were revoked, confirms that with its next heartbeat, and takes new ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.streams_group_heartbeat import (
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse,
    Subtopology,
    TaskIds,
    TopicInfo,
    Topology,
)

Task = tuple[str, int]
"""(subtopology, partition)"""
ROLES: Final = ("active", "standby", "warmup")
_REBALANCE_MS: Final = 60_000
"""Longer than a session, so that a member loses its tasks only when its session ends."""
_FENCED: Final = (
    ErrorCode.FENCED_MEMBER_EPOCH,
    ErrorCode.UNKNOWN_MEMBER_ID,
    ErrorCode.GROUP_ID_NOT_FOUND,
)


class Witness(Protocol):
    """The checker, which sees what members have."""

    def took(self, member: StreamsMember, role: str, task: Task) -> None: ...

    def dropped(self, member: StreamsMember, task: Task) -> None: ...


class TopologyText(NamedTuple):
    """A topology: subtopologies with their sources, and those with state."""

    sources: Mapping[str, tuple[str, ...]]
    stateful: frozenset[str] = frozenset()

    def message(self, application: str) -> Topology:
        """The topology as members send it when they join."""
        return Topology(
            epoch=0,
            subtopologies=[
                Subtopology(
                    subtopology_id=name,
                    source_topics=list(topics),
                    state_changelog_topics=[TopicInfo(name=f"{application}-{name}-changelog")]
                    if name in self.stateful
                    else [],
                )
                for name, topics in self.sources.items()
            ],
        )


@dataclass(eq=False)
class StreamsMember:
    """One thread of an application."""

    group_id: str
    member_id: str
    process_id: str
    topology: TopologyText
    witness: Witness
    instance_id: str | None = None
    epoch: int = 0
    owned: dict[str, set[Task]] = field(default_factory=lambda: {role: set() for role in ROLES})
    target: dict[str, set[Task]] | None = None
    """The last answer, until it is acted on."""
    errors: list[ErrorCode] = field(default_factory=list)
    """The error codes of its answers."""

    @property
    def tasks(self) -> set[Task]:
        """The tasks that it has, in any role."""
        return set().union(*self.owned.values())

    def request(self) -> StreamsGroupHeartbeatRequest:
        """The next heartbeat, with all fields, so that a lost one does no harm."""
        joins = self.epoch == 0
        return StreamsGroupHeartbeatRequest(
            group_id=self.group_id,
            member_id=self.member_id,
            member_epoch=self.epoch,
            instance_id=self.instance_id,
            process_id=self.process_id,
            rebalance_timeout=_REBALANCE_MS,
            topology=self.topology.message(self.group_id) if joins else None,
            active_tasks=_ids(self.owned["active"]),
            standby_tasks=_ids(self.owned["standby"]),
            warmup_tasks=_ids(self.owned["warmup"]),
        )

    def leaving(self, epoch: int = -1) -> StreamsGroupHeartbeatRequest:
        """The last heartbeat."""
        return StreamsGroupHeartbeatRequest(
            group_id=self.group_id,
            member_id=self.member_id,
            member_epoch=epoch,
            instance_id=self.instance_id,
        )

    def answered(self, response: StreamsGroupHeartbeatResponse) -> None:
        """Note the coordinator's answer, which `work` carries out."""
        code = ErrorCode(response.error_code)
        if code is not ErrorCode.NONE:
            self.errors.append(code)
            if code in _FENCED:
                self.fenced()
            return
        self.epoch = response.member_epoch
        if response.active_tasks is not None:
            found = (response.active_tasks, response.standby_tasks, response.warmup_tasks)
            self.target = {
                role: set(_tasks(ids or ())) for role, ids in zip(ROLES, found, strict=True)
            }

    def work(self) -> None:
        """Give up revoked tasks; without any, take the assigned ones."""
        if self.target is None:
            return
        surplus = [(role, t) for role in ROLES for t in self.owned[role] - self.target[role]]
        for role, task in sorted(surplus):
            self.owned[role].discard(task)
            self.witness.dropped(self, task)
        if surplus:
            return
        for role in ROLES:
            for task in sorted(self.target[role] - self.owned[role]):
                self.owned[role].add(task)
                self.witness.took(self, role, task)
        self.target = None

    def fenced(self) -> None:
        """Abandon everything and join again."""
        for task in sorted(self.tasks):
            self.witness.dropped(self, task)
        for some in self.owned.values():
            some.clear()
        self.epoch, self.target = 0, None


def _ids(tasks: Iterable[Task]) -> list[TaskIds]:
    found: dict[str, list[int]] = {}
    for subtopology, partition in sorted(tasks):
        found.setdefault(subtopology, []).append(partition)
    return [TaskIds(subtopology_id=name, partitions=some) for name, some in found.items()]


def _tasks(ids: Iterable[TaskIds]) -> Iterable[Task]:
    for each in ids:
        for partition in each.partitions:
            yield each.subtopology_id, partition
