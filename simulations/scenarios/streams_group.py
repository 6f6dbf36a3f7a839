"""Threads of a Kafka Streams application come, work, are paused and die, while the coordinator of
their group is killed and cut off. A task never has two owners, and in the end each has one."""

from __future__ import annotations

from random import Random
from typing import Final

import trio

from raftka.client.cluster import Cluster
from raftka.client.config import admin_config
from raftka.client.coordinator import COORDINATOR_MOVED, GROUP, Coordinator
from raftka.client.opening import Client
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import OFFSETS_TOPIC
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.messages.streams_group_heartbeat import StreamsGroupHeartbeatResponse
from raftka.simulations.checkers.tasks import Claim, Task, TaskChecker
from raftka.simulations.load.streams_member import StreamsMember, TopologyText
from raftka.simulations.load.workload import client_ports
from raftka.simulations.scenarios.stage import Stage

_APPLICATION: Final = "wordcount"
_TOPOLOGY: Final = TopologyText({"0": ("t",)}, frozenset({"0"}))
_PARTITIONS: Final = 4
_TASKS: Final = [("0", index) for index in range(_PARTITIONS)]
_SESSION_S: Final = 6.0
_PROCESSES: Final = 3
_THREADS: Final = 5
_ROUNDS: Final = 3
_PATIENCE_S: Final = 60
_BEATS_PER_LIFE: Final = (15, 60)

SETTINGS = {
    "group.streams.min.session.timeout.ms": "3000",
    "group.streams.session.timeout.ms": str(int(_SESSION_S * 1000)),
    "group.streams.min.heartbeat.interval.ms": "200",
    "group.streams.heartbeat.interval.ms": "400",
    "group.streams.initial.rebalance.delay.ms": "500",
    "group.streams.num.standby.replicas": "1",
    "offsets.topic.num.partitions": "1",
}


class _Application:
    """The application's threads, as the checker sees them. Implements streams_member.Witness."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.dice = Random(f"{stage.world.plan.seed} streams group")
        self.checker = TaskChecker(_SESSION_S, lambda: stage.now, stage.world.report)
        self.is_quiet = False
        self.is_over = False
        self.started = 0

    def took(self, member: StreamsMember, role: str, task: Task) -> None:
        self.checker.took(Claim(member.member_id, member.process_id, role), task)

    def dropped(self, member: StreamsMember, task: Task) -> None:
        self.checker.dropped(member.member_id, task)

    def start(self, process: str) -> None:
        """Another thread of a process."""
        self.stage.start(lambda _stage: self.thread(process))

    async def thread(self, process: str) -> None:
        """Run a thread's lives, one after the other."""
        while not self.is_over:
            self.started += 1
            name = f"thread{self.started}"
            member = StreamsMember(_APPLICATION, name, process, _TOPOLOGY, self)
            async with _Caller(self.stage, name) as caller:
                await self._live(caller, member)
                if self.is_over or self.dice.random() < 0.5:
                    await caller.beat(member, leaves=True)
                    self.checker.gone(name)
                else:
                    # It dies: the coordinator notices that by the missing heartbeats.
                    caller.abandon()

    async def _live(self, caller: _Caller, member: StreamsMember) -> None:
        beats = self.dice.randint(*_BEATS_PER_LIFE)
        while not self.is_over and (beats > 0 or self.is_quiet):
            beats -= 1
            sent_s = self.stage.now
            answer = await caller.beat(member)
            if answer is not None:
                if answer.error_code == ErrorCode.NONE:
                    self.checker.heard(member.member_id, sent_s)
                member.answered(answer)
            await trio.sleep(self.dice.random() * 0.3)
            # A member without an answer for a session may have lost its tasks: it stops them first.
            if self.stage.now - sent_s < _SESSION_S / 2:
                member.work()
            slow = not self.is_quiet and self.dice.random() < 0.02
            await trio.sleep(_SESSION_S * 1.5 if slow else 0.3)


class _Caller(Client):
    """Sends a thread's heartbeats to the coordinator, wherever it is."""

    def __init__(self, stage: Stage, name: str) -> None:
        config = {
            "bootstrap.servers": ",".join(stage.world.cluster.bootstrap),
            "client.id": name,
            "request.timeout.ms": 2000,
        }
        ports = client_ports(stage.world, name)
        super().__init__(admin_config(config), ports["network"], ports["clock"], ports["dice"])
        self._coordinator = Coordinator(self._cluster, _APPLICATION, GROUP)

    async def beat(
        self, member: StreamsMember, *, leaves: bool = False
    ) -> StreamsGroupHeartbeatResponse | None:
        """Send one heartbeat; None when no broker answers as the coordinator."""
        request = member.leaving() if leaves else member.request()
        cluster: Cluster = self._cluster
        try:
            answer: StreamsGroupHeartbeatResponse = await cluster.ask(
                await self._coordinator.channel(), request
            )
        except (KafkaError, BrokenConnection) as error:
            self._coordinator.lost(str(error))
            return None
        if ErrorCode(answer.error_code) in COORDINATOR_MOVED:
            self._coordinator.lost(ErrorCode(answer.error_code).name)
            return None
        return answer


async def scenario(stage: Stage) -> None:
    await stage.topic("t", partitions=_PARTITIONS)
    application = _Application(stage)
    for number in range(_THREADS):
        application.start(f"process{number % _PROCESSES}")
    await stage.until(lambda: OFFSETS_TOPIC in stage.world.image.topics)
    for number in range(_ROUNDS):
        await stage.run(seconds=8)
        victim = stage.leader_of(OFFSETS_TOPIC)
        if number == _ROUNDS - 1:
            # The answers of this coordinator are not committed.
            for other in stage.nodes:
                if other is not victim:
                    stage.cut(victim, other)
                    stage.cut(other, victim)
            await stage.run(seconds=1)
        stage.kill(victim)
        stage.heal_links()
        await stage.run(seconds=4)
        stage.restart(victim)
        await stage.until(lambda: stage.isr(OFFSETS_TOPIC, 0) == [1, 2, 3])
    stage.world.be_quiet()
    application.is_quiet = True
    for _ in range(_PATIENCE_S):
        await stage.run(seconds=1)
        idle = application.checker.idle(_TASKS)
        bare = [task for task in _TASKS if not application.checker.copies(task)]
        if not idle and not bare:
            break
    assert not idle, f"no member runs {idle}"
    assert not bare, f"there is no copy of the state of {bare}"
    assert application.checker.taken > 3 * _PARTITIONS
    application.is_over = True
    await stage.run(seconds=3)
    await stage.settle()
