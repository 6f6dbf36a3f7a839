"""The run itself: produce and consume, kill the leader, kill the controller, restart both."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Final

import trio

from raftka.client.admin import Admin, NewTopic, PartitionDescription
from raftka.client.consumer import Consumer
from raftka.client.producer import Producer, RecordMetadata
from raftka.demo.elections import Activation, Election, activations, elections
from raftka.demo.ledger import Ledger
from raftka.demo.log_lines import client_of
from raftka.local_cluster import LocalCluster
from raftka.model.dataclass import dataclass
from raftka.model.errors import KafkaError
from raftka.net.futures import Future

TOPIC: Final = "web-logs"
GROUP: Final = "log-readers"
PARTITIONS: Final = 6
LINE_HEADER: Final = "line"
_TICK_S: Final = 0.02
_PATIENCE_S: Final = 60.0
_QUIET_S: Final = 1.0
_DECAY_S: Final = 4.0
"""While nodes are being killed, the largest share of the remaining records sent per second."""


class GaveUp(RuntimeError):
    """A step of the demo took too long; the message says which."""


@dataclass(slots=True)
class Failover:
    """The death of one node, and its effects."""

    what: str
    node_id: int
    partitions: list[int]
    """The partitions that it led."""
    isr_before: dict[int, tuple[int, ...]]
    at_wall: float
    at: float
    outage_s: float | None = None
    """The longest pause of acknowledgements on those partitions."""
    new_controller: Activation | None = None
    elections: list[Election] = field(default_factory=list)
    isr_after: dict[int, tuple[int, ...]] = field(default_factory=dict)
    isr_healed: dict[int, tuple[int, ...]] = field(default_factory=dict)


class Scenario:
    """A running cluster, a file, and the steps of the demo."""

    def __init__(
        self,
        cluster: LocalCluster,
        lines: Path,
        *,
        records_per_s: int,
        say: Callable[[str], None],
    ) -> None:
        self.cluster = cluster
        self.ledger = Ledger()
        self.failovers: list[Failover] = []
        self.lines = lines.read_text().splitlines()
        self.members = [0, 0]
        """Records read by each member of the group."""
        self._records_per_s = records_per_s
        self._say = say
        self._servers = {"bootstrap.servers": cluster.bootstrap}
        self._chaos_over = trio.Event()
        self._produced = trio.Event()

    async def run(self) -> None:
        """Run the demo until all acknowledged records are read, or time is up."""
        async with Admin(self._servers) as admin:
            topic = NewTopic(
                TOPIC,
                partitions=PARTITIONS,
                replication_factor=3,
                configs={"min.insync.replicas": "2"},
            )
            await admin.create_topics([topic])
            self._say(f"topic {TOPIC}: {PARTITIONS} partitions of 3 replicas, at least 2 in sync")
            async with trio.open_nursery() as nursery:
                for member in range(len(self.members)):
                    nursery.start_soon(self._consume, member)
                nursery.start_soon(self._produce)
                await self._chaos(admin)
                self._chaos_over.set()
                await self._produced.wait()
                await self._wait_until_read()
                nursery.cancel_scope.cancel()

    # The load

    async def _produce(self) -> None:
        """Send the file at an even pace, never all of it while nodes are still being killed."""
        async with Producer({**self._servers, "acks": "all"}) as producer:
            number, allowed = 0, 0.0
            while number < len(self.lines):
                left = len(self.lines) - number
                rate, most = float(self._records_per_s), left
                if not self._chaos_over.is_set():
                    # Slow down towards the end: every failover must happen under traffic.
                    rate, most = min(rate, left / _DECAY_S), left - 1
                allowed += rate * _TICK_S
                for _ in range(min(int(allowed), most)):
                    await self._send(producer, number)
                    number += 1
                allowed %= 1
                await trio.sleep(_TICK_S)
            await producer.flush()
        self._produced.set()

    async def _send(self, producer: Producer, number: int) -> None:
        line = self.lines[number]
        self.ledger.sent += 1

        def answered(future: Future[RecordMetadata]) -> None:
            if future.error is not None:
                self.ledger.note_failure(number, str(future.error))
            else:
                where = future.result()
                self.ledger.note_ack(number, where.partition, where.offset, time.monotonic())

        try:
            delivery = await producer.send(
                TOPIC,
                line.encode(),
                client_of(line).encode(),
                headers=[(LINE_HEADER, str(number).encode())],
            )
        except KafkaError as error:
            self.ledger.note_failure(number, str(error))
        else:
            delivery.when_done(answered)

    async def _consume(self, member: int) -> None:
        config = {**self._servers, "group.id": GROUP, "auto.offset.reset": "earliest"}
        async with Consumer({**config, "client.id": f"reader-{member + 1}"}) as consumer:
            consumer.subscribe([TOPIC])
            while True:
                for record in await consumer.poll(1.0):
                    number = int(dict(record.headers)[LINE_HEADER] or b"-1")
                    intact = self.lines[number].encode() == record.value
                    self.ledger.note_read(number, record.partition, record.offset, intact=intact)
                    self.members[member] += 1

    async def _wait_until_read(self) -> None:
        """Wait until the group has read all acknowledged records, and no more come."""
        self._say("all lines are sent; the group reads what is left")
        with suppress(GaveUp):
            await self._until(lambda: self.ledger.unread() == 0, "the group to read everything")
        seen = -1
        while seen != self.ledger.reads:
            seen = self.ledger.reads
            await trio.sleep(_QUIET_S)

    # The faults

    async def _chaos(self, admin: Admin) -> None:
        await self._until(lambda: len(self.ledger.acknowledged) > len(self.lines) // 5, "records")
        await self._until(lambda: min(self.members) > 0, "both members of the group to read")
        active = await self._active_controller(admin)
        layout = await self._layout(admin)
        leader = next(p.leader.id for p in layout if p.leader and p.leader.id != active)
        await self._fail(admin, "partition leader", leader, layout)
        await trio.sleep(_QUIET_S)
        active = await self._active_controller(admin)
        await self._fail(admin, "active controller", active, await self._layout(admin))

    async def _fail(
        self, admin: Admin, what: str, node: int, layout: tuple[PartitionDescription, ...]
    ) -> None:
        led = [p.index for p in layout if p.leader is not None and p.leader.id == node]
        failover = Failover(
            what,
            node,
            led,
            {p.index: p.isr for p in layout},
            at_wall=time.time(),
            at=time.monotonic(),
        )
        self.failovers.append(failover)
        self.cluster.kill(node)
        self._say(f"kill -9 node {node}, the {what}; it led partitions {_listed(led)}")
        await self._until(
            lambda: self.ledger.outage(led, failover.at) is not None,
            f"an acknowledgement on partitions {_listed(led)}",
        )
        # The longest gap is only known a while after it ended.
        await trio.sleep(_QUIET_S)
        failover.outage_s = self.ledger.outage(led, failover.at)
        failover.isr_after = {p.index: p.isr for p in await self._layout(admin)}
        self._learn(failover)
        await trio.to_thread.run_sync(self.cluster.start_node, node)
        self._say(f"node {node} is back; waiting until it is in sync again")
        await self._healed(admin, failover)

    def _learn(self, failover: Failover) -> None:
        """The failover according to the surviving nodes' logs."""
        logs = [self.cluster.log(node) for node in self.cluster.node_ids]
        failover.elections = [
            each
            for each in elections(logs)
            if each.at >= failover.at_wall and each.name.startswith(TOPIC)
        ]
        later = [each for each in activations(logs) if each.at >= failover.at_wall]
        failover.new_controller = later[-1] if later else None
        if failover.new_controller is not None:
            self._say(f"node {failover.new_controller.controller} is the active controller now")
        elected = [each for each in failover.elections if each.new_leader >= 0]
        paused = "" if failover.outage_s is None else f"{failover.outage_s * 1000:.0f} ms"
        self._say(f"{len(elected)} partitions have new leaders; acknowledgements paused {paused}")

    async def _healed(self, admin: Admin, failover: Failover) -> None:
        with trio.move_on_after(_PATIENCE_S):
            while True:
                topics = await admin.describe_topics(await admin.list_topics())
                failover.isr_healed = {p.index: p.isr for p in topics[TOPIC].partitions}
                # The group's offsets count, too: they must survive the next failure.
                everything = [p for topic in topics.values() for p in topic.partitions]
                if all(len(p.isr) == len(p.replicas) for p in everything):
                    return
                await trio.sleep(0.1)
        raise GaveUp(f"node {failover.node_id} did not get in sync again in {_PATIENCE_S:g} s")

    async def _layout(self, admin: Admin) -> tuple[PartitionDescription, ...]:
        return (await admin.describe_topics([TOPIC]))[TOPIC].partitions

    async def _active_controller(self, admin: Admin) -> int:
        return (await admin.describe_quorum()).leader_id

    async def _until(self, true: Callable[[], bool], what: str) -> None:
        with trio.move_on_after(_PATIENCE_S):
            while True:
                if true():
                    return
                await trio.sleep(0.05)
        raise GaveUp(f"waited {_PATIENCE_S:g} s for {what}")


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"
