"""Members of streams groups (KIP-1071) in one shard, in a world where time is a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raftka.broker.coordinators.group.streams.config import StreamsGroupConfig
from raftka.broker.coordinators.group.streams.describe import describe
from raftka.broker.coordinators.group.streams.group import StreamsGroup
from raftka.broker.coordinators.group.streams.heartbeat import Beat, Caller, heartbeat
from raftka.model.errors import KafkaError
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.net.protocol.messages.streams_group_describe import DescribedGroup
from raftka.net.protocol.messages.streams_group_heartbeat import (
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse,
)
from raftka.simulations.checkers.tasks import Claim, Task, TaskChecker
from raftka.simulations.load.streams_member import StreamsMember, TopologyText
from tests.support.consumer_groups import ConsumerWorld
from tests.support.groups import GROUP

SESSION_S = 45.0
COUNT = TopologyText({"0": ("t",)}, frozenset({"0"}))
"""One subtopology with state."""
CHANGELOG = f"{GROUP}-0-changelog"


class StreamsWorld(ConsumerWorld):
    """A shard with topics, and members of one streams group under the checker's eyes."""

    def __init__(
        self,
        topics: Mapping[str, int] | None = None,
        *,
        topology: TopologyText = COUNT,
        rules_off: RulesOff = ALL_HOLD,
        delay_ms: int = 0,
        **settings: Any,
    ) -> None:
        self.topology = topology
        self.violations: list[str] = []
        self.members: list[StreamsMember] = []
        self.checker = TaskChecker(
            SESSION_S,
            lambda: self.now.monotonic_s,
            lambda name, _: self.violations.append(name),
        )
        found = StreamsGroupConfig(
            initial_rebalance_delay_ms=delay_ms, assignment_interval_ms=0, **settings
        )
        topics = {"t": 4, CHANGELOG: 4} if topics is None else topics
        super().__init__(topics, rules_off=rules_off, streams=found)

    # ---- the checker

    def took(self, member: StreamsMember, role: str, task: Task) -> None:
        self.checker.took(Claim(member.member_id, member.process_id, role), task)

    def dropped(self, member: StreamsMember, task: Task) -> None:
        self.checker.dropped(member.member_id, task)

    # ---- members

    def pass_time(self, seconds: float) -> None:
        """Let time pass, deadline by deadline."""
        self.advance(round(seconds * 1000))

    def member(self, name: str, process: str | None = None, **more: Any) -> StreamsMember:
        """A member that has not joined yet."""
        found = StreamsMember(GROUP, name, process or f"p-{name}", self.topology, self, **more)
        self.members.append(found)
        return found

    def hear(self, member: StreamsMember) -> Beat | None:
        """Send a heartbeat, and let the member handle the answer; None if it is refused."""
        sent_s = self.now.monotonic_s
        try:
            beat = self.send(member.request())
        except KafkaError as error:
            member.answered(StreamsGroupHeartbeatResponse(error_code=int(error.code), status=None))
            return None
        self.checker.heard(member.member_id, sent_s)
        member.answered(beat.response)
        member.work()
        return beat

    def send(self, request: StreamsGroupHeartbeatRequest, version: int = 1) -> Beat:
        beat = heartbeat(self.shard.core, request, Caller("app", "/h", version), self.now)
        self.settle()
        return beat

    def bye(self, member: StreamsMember, epoch: int = -1) -> None:
        self.members.remove(member)
        self.send(member.leaving(epoch))
        self.checker.gone(member.member_id)

    def quiet(self, rounds: int = 8) -> None:
        """All members send heartbeats until nothing changes."""
        for _ in range(rounds):
            self.pass_time(0.5)
            for member in self.members:
                self.hear(member)

    # ---- state

    @property
    def streams(self) -> StreamsGroup:
        found = self.shard.core.groups[GROUP]
        assert isinstance(found, StreamsGroup)
        return found

    def shown(self) -> DescribedGroup:
        return describe(self.shard.core, GROUP)

    def owners(self) -> dict[Task, str]:
        """Task -> the member that runs it."""
        return {task: each.member_id for each in self.members for task in each.owned["active"]}

    def copies(self) -> dict[Task, set[str]]:
        """Task -> the processes with a standby task of it."""
        found: dict[Task, set[str]] = {}
        for each in self.members:
            for task in each.owned["standby"]:
                found.setdefault(task, set()).add(each.process_id)
        return found
