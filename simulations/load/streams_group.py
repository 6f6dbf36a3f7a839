"""A streams group of the workload: threads of an application join, run tasks, read their sources
and commit, are paused, leave and die."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

import trio

from raftka.client.cluster import Cluster
from raftka.client.consumer.consumer import Consumer
from raftka.client.consumer.group_client import GroupClient
from raftka.client.coordinator import COORDINATOR_MOVED
from raftka.client.group_offsets import OffsetAndMetadata
from raftka.model.errors import ErrorCode
from raftka.model.ids import OFFSETS_TOPIC, TopicPartition
from raftka.net.protocol.messages.streams_group_heartbeat import StreamsGroupHeartbeatResponse
from raftka.simulations.checkers.tasks import Claim, Task, TaskChecker
from raftka.simulations.load.contents import identity
from raftka.simulations.load.streams_member import StreamsMember, TopologyText
from raftka.simulations.load.workload import CLIENT_ERRORS, client_ports, report_corrupt
from raftka.simulations.machines.life import current_node
from raftka.simulations.plan import GroupPlan
from raftka.simulations.world import World

_PROCESSES: Final = 2
_BEATS_PER_LIFE: Final = (15, 60)
_BEAT_S: Final = 0.3
_STANDS_STILL: Final = 0.02
_DIES: Final = 0.5
_FASTEST_CLOCK: Final = 0.94
"""The factor by which the fastest clock shortens a session."""


class StreamsGroupLoad:
    """One application; implements world.Working and streams_member.Witness."""

    def __init__(self, world: World, plan: GroupPlan) -> None:
        self.world = world
        self.plan = plan
        self.dice = Random(f"{world.plan.seed} {plan.name}")
        self.session_s = int(world.plan.settings["group.streams.session.timeout.ms"]) / 1000
        # One subtopology for each source: tasks of several sizes, one with state.
        names = {str(number): (topic,) for number, topic in enumerate(plan.topics)}
        self.topology = TopologyText(names, frozenset({"0"}))
        self.checker = TaskChecker(
            self.session_s * _FASTEST_CLOCK,
            trio.current_time,
            self._report,
            world.witnesses.task_looks,
        )
        self.partitions = {topic.name: topic.partitions for topic in world.plan.topics}
        self._present: dict[int, Consumer] = {}
        self.started = 0

    def _report(self, name: str, story: str) -> None:
        if not self._is_excused():
            self.world.report(name, f"in streams group {self.plan.name} {story}")

    def _is_excused(self) -> bool:
        return self.world.witnesses.groups_lost(OFFSETS_TOPIC)

    def start(self) -> None:
        """Start its threads."""
        assert self.world.nursery is not None
        for number in range(self.plan.members):
            self.world.nursery.start_soon(self._place, number)

    def abandon(self) -> None:
        """Let every thread vanish."""
        for consumer in self._present.values():
            consumer.abandon()

    # streams_member.Witness

    def took(self, member: StreamsMember, role: str, task: Task) -> None:
        """A thread begins to work on a task."""
        self.checker.took(Claim(member.member_id, member.process_id, role), task)

    def dropped(self, member: StreamsMember, task: Task) -> None:
        """A thread no longer works on a task."""
        self.checker.dropped(member.member_id, task)

    # Threads.

    async def _place(self, number: int) -> None:
        """Run a thread's lives, one after the other."""
        place = f"{self.plan.name}{number}"
        current_node.set(place)
        while not self.world.ended.is_set():
            self.started += 1
            name = f"{place}.{self.started}"
            member = StreamsMember(
                self.plan.name, name, f"process{number % _PROCESSES}", self.topology, self
            )
            try:
                await self._life(number, name, member)
            except CLIENT_ERRORS as error:
                report_corrupt(self.world, place, error)
                self.world.trace.event("member-failed", node=place, error=str(error))
                self.checker.gone(name)
            await trio.sleep(_BEAT_S)

    async def _life(self, number: int, name: str, member: StreamsMember) -> None:
        config = {
            "bootstrap.servers": ",".join(self.world.cluster.bootstrap),
            "client.id": name,
            "auto.offset.reset": "earliest",
            "request.timeout.ms": 2000,
            "fetch.max.wait.ms": 1000,
        }
        async with Consumer(config, **client_ports(self.world, name)) as consumer:
            self._present[number] = consumer
            thread = _Thread(self, consumer, member)
            beats = self.dice.randint(*_BEATS_PER_LIFE)
            while not self.world.ended.is_set() and (beats > 0 or self.world.quiet.is_set()):
                beats -= 1
                await thread.turn(self.dice)
            if self.dice.random() < _DIES:
                # The coordinator notices the death by the missing heartbeats.
                consumer.abandon()
            else:
                await thread.beat(leaves=True)
                self.checker.gone(name)

    # After all has healed.

    def tasks(self) -> list[Task]:
        """Every task of the application."""
        return [
            (name, index)
            for name, (topic, *_) in self.topology.sources.items()
            for index in range(self.partitions[topic])
        ]

    def waits_for(self) -> str | None:
        """Tasks that no member runs, and records that no member was given."""
        if self._is_excused():
            return None
        if idle := self.checker.idle(self.tasks()):
            return f"no member runs the tasks {idle} of streams group {self.plan.name}"
        history = self.world.history
        for key, known in history.partitions.items():
            # A cleaning removes records of aborted transactions, also the last one.
            there = (each for each in known.acked if not history.may_be_gone(key, each))
            last = max(there, default=-1)
            if key[0] not in self.plan.topics or last < known.start or history.excused(key):
                continue
            if (read := history.consumed_to(self.plan.name, key)) <= last:
                return (
                    f"streams group {self.plan.name} has not seen offset {last} of"
                    f" {key[0]}-{key[1]}; it is at {read}"
                )
        return None


class _Thread:
    """One thread's turns: a heartbeat, its tasks, records from their sources."""

    def __init__(self, load: StreamsGroupLoad, consumer: Consumer, member: StreamsMember) -> None:
        self._load = load
        self._consumer = consumer
        self._member = member
        self._group = GroupClient(consumer.cluster, load.plan.name, patient=False)
        self._group.member_id = member.member_id
        self._read: dict[TopicPartition, int | None] = {}
        """The offset of the last record that it read in each partition; None before the first."""
        self._heard_s = trio.current_time()

    async def turn(self, dice: Random) -> None:
        """Send one heartbeat and act on its answer."""
        load, member = self._load, self._member
        sent_s = trio.current_time()
        answer = await self.beat()
        if answer is not None:
            if answer.error_code == ErrorCode.NONE:
                load.checker.heard(member.member_id, sent_s)
                self._heard_s = sent_s
            member.answered(answer)
        await trio.sleep(dice.random() * _BEAT_S)
        # A member without an answer for a session may have lost its tasks: it stops them first.
        if trio.current_time() - self._heard_s < load.session_s / 2:
            member.work()
            await self._process()
        slow = not load.world.quiet.is_set() and dice.random() < _STANDS_STILL
        await trio.sleep(load.session_s * 1.5 if slow else _BEAT_S)

    async def beat(self, *, leaves: bool = False) -> StreamsGroupHeartbeatResponse | None:
        """Send one heartbeat; None when no broker answers as the coordinator."""
        request = self._member.leaving() if leaves else self._member.request()
        cluster: Cluster = self._consumer.cluster
        try:
            answer: StreamsGroupHeartbeatResponse = await cluster.ask(
                await self._group.channel(), request
            )
        except CLIENT_ERRORS as error:
            self._group.lost(str(error))
            return None
        if ErrorCode(answer.error_code) in COORDINATOR_MOVED:
            self._group.lost(ErrorCode(answer.error_code).name)
            return None
        return answer

    async def _process(self) -> None:
        """Read the sources of the tasks that it runs, and commit what it has read."""
        owned = {
            TopicPartition(self._load.topology.sources[name][0], index)
            for name, index in self._member.owned["active"]
        }
        self._group.generation = self._member.epoch
        try:
            if owned != self._read.keys():
                await self._assign(owned)
            if owned:
                self._take(await self._consumer.poll(_BEAT_S))
                read = {each: last + 1 for each, last in self._read.items() if last is not None}
                await self._group.commit({k: OffsetAndMetadata(v) for k, v in read.items()})
        except CLIENT_ERRORS as error:
            self._load.world.trace.event("member-failed", error=str(error))

    async def _assign(self, owned: set[TopicPartition]) -> None:
        """Read these partitions from now on; new ones start at the group's committed offset."""
        new = owned - self._read.keys()
        committed = await self._group.committed(new) if new else {}
        self._consumer.assign(sorted(owned))
        self._read = {each: self._read.get(each) for each in owned}
        for each in sorted(owned):
            if (last := self._read[each]) is not None:
                self._consumer.seek(each, last + 1)
            elif each in committed:
                self._consumer.seek(each, committed[each].offset)

    def _take(self, records: Sequence[Any]) -> None:
        history, group = self._load.world.history, self._load.plan.name
        for record in records:
            target = TopicPartition(record.topic, record.partition)
            what = identity(record.value, record.headers)
            last = self._read[target]
            history.polled(self._member.member_id, target, last, record.offset, what)
            if last is None:
                history.found_committed(group, target, record.offset)
            history.consumed(group, target, record.offset + 1)
            self._read[target] = record.offset
