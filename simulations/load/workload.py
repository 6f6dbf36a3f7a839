"""The clients of a run: producers, consumers and an administrator, all of them raftka's own."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from random import Random
from typing import Any

import trio

from raftka.client.admin import Admin
from raftka.client.consumer.consumer import Consumer
from raftka.client.consumer.group_client import GroupClient
from raftka.client.consumer.state import ConsumerRecord
from raftka.client.group_offsets import OffsetAndMetadata
from raftka.client.producer import RecordMetadata
from raftka.client.producer.producer import Producer
from raftka.model.access import REFUSALS
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import BrokenConnection, Network
from raftka.net.futures import Future
from raftka.simulations.checkers.history import value_of
from raftka.simulations.load.contents import contents, differs, identity
from raftka.simulations.machines import logins
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.life import current_node
from raftka.simulations.plan import ConsumerPlan, ProducerPlan
from raftka.simulations.world import World

CLIENT_ERRORS = (KafkaError, BrokenConnection)


def report_corrupt(world: World, client: str, error: BaseException) -> None:
    """A record that a client received and cannot read is a violation, whatever the client does."""
    if isinstance(error, KafkaError) and error.code is ErrorCode.CORRUPT_MESSAGE:
        world.report("corrupt-record-read", f"{client} was given a damaged record: {error}")


def report_refused(world: World, client: str, error: BaseException) -> None:
    """ACLs allow the load everything; a broker without these ACLs yet denies everything."""
    if isinstance(error, KafkaError) and error.code in REFUSALS.values():
        world.report("allowed-but-refused", f"{client} may do what it asked, and got: {error}")


def client_ports(world: World, name: str, user: str = logins.LOAD) -> dict[str, Any]:
    """The ports of a client, which logs in as `user` where brokers require a login."""
    network: Network = world.fabric.host(name)
    if (detail := world.trace.detail) is not None:
        network = detail.network(name, network)
    clock = SimClock()
    if (protocol := world.cluster.asks_for_logins) is not None:
        dice = Random(f"{world.plan.seed} login of {name}")
        network = logins.as_user(network, clock, dice, protocol, user)
    return {
        "network": network,
        "clock": clock,
        "dice": Random(f"{world.plan.seed} client {name}"),
    }


class ProducerTask:
    """Sends bursts of records until the workload ends, then waits for every answer."""

    def __init__(self, world: World, plan: ProducerPlan) -> None:
        self.world = world
        self.plan = plan
        self.sent = 0
        self.open = 0
        self.done = trio.Event()
        self._producer: Producer | None = None
        self._stirred = trio.Event()
        self._settled = trio.Event()

    async def run(self) -> None:
        plan, world = self.plan, self.world
        current_node.set(plan.name)
        dice = Random(f"{world.plan.seed} producer {plan.name}")
        async with self._made() as self._producer:
            producer = self._producer
            while not world.quiet.is_set():
                await self._burst(producer, dice)
                self._stirred = trio.Event()
                with trio.move_on_after(dice.expovariate(1 / plan.pause_s)):
                    await self._stirred.wait()
            await producer.flush()
        self.done.set()

    def _made(self) -> Producer:
        plan, world = self.plan, self.world
        config = {
            "bootstrap.servers": ",".join(world.cluster.bootstrap),
            "client.id": plan.name,
            "acks": plan.acks,
            "enable.idempotence": plan.idempotent,
            **plan.settings,
        }
        return Producer(config, **client_ports(world, plan.name))

    def abandon(self) -> None:
        """Vanish, as if its process were killed."""
        if self._producer is not None:
            self._producer.abandon()

    def stir(self) -> None:
        """End a pause: send the next burst now, or notice that the load has ended."""
        self._stirred.set()

    async def _burst(self, producer: Producer, dice: Random) -> None:
        await self._send(producer, dice, 1 + dice.randrange(2 * self.plan.records_per_burst))

    async def _send(self, producer: Producer, dice: Random, records: int) -> None:
        plan, clock = self.plan, SimClock()
        for _ in range(records):
            number, at_ms = self.sent, clock.wall_ms()
            padding = 20 + dice.randrange(60)
            value = value_of(plan.name, number, plan.idempotent, padding, at_ms)
            if (detail := self.world.trace.detail) is not None:
                detail.observer.produced(plan.name, plan.topic, number, value)
            self.sent += 1
            made = contents(value, number, compacted=self.world.compacts(plan.topic))
            try:
                future = await producer.send(
                    plan.topic, made.value, made.key, headers=made.headers, timestamp_ms=at_ms
                )
            except CLIENT_ERRORS as error:
                self.world.history.failed += 1
                self.world.trace.event("send-refused", node=plan.name, error=str(error))
                continue
            self.open += 1
            future.when_done(partial(self._answered, value, number))

    def _answered(self, value: bytes, number: int, future: Future[RecordMetadata]) -> None:
        self.open -= 1
        if self.world.ended.is_set() or self.world.violation is not None:
            return
        detail = self.world.trace.detail
        if future.error is not None:
            report_refused(self.world, self.plan.name, future.error)
            self.world.history.failed += 1
            if detail is not None:
                detail.observer.failed(self.plan.name, number, value, str(future.error))
            self.world.trace.event("send-failed", node=self.plan.name, error=str(future.error))
            return
        where = future.result()
        if where.offset < 0:
            return
        if detail is not None:
            name = f"{where.topic}-{where.partition}"
            detail.observer.acknowledged(self.plan.name, name, where.offset, number, value)
        self.world.history.acknowledged(
            self.plan.name,
            (where.topic, where.partition),
            where.offset,
            value,
            acks=self.plan.acks,
            idempotent=self.plan.idempotent,
        )


class HandProducer(ProducerTask):
    """Sends its `records_per_burst` records once: the verb `produce` of a session."""

    async def run(self) -> None:
        """Send them, and wait for the answers."""
        plan = self.plan
        current_node.set(plan.name)
        dice = Random(f"{self.world.plan.seed} producer {plan.name}")
        async with self._made() as self._producer:
            await self._send(self._producer, dice, plan.records_per_burst)
            await self._producer.flush()
        self.done.set()


POLLS_S = (0.005, 0.05, 1.0)
"""How long a group's member waits in a poll."""


class ConsumerTask:
    """Polls, alone or as a member of a group, until the run ends."""

    def __init__(self, world: World, plan: ConsumerPlan) -> None:
        self.world = world
        self.plan = plan
        self.last: dict[TopicPartition, int] = {}
        self._scope = trio.CancelScope()
        self.partitions: set[TopicPartition] = set()
        self.host = plan.name
        self._consumer: Consumer | None = None

    async def run(self) -> None:
        current_node.set(self.plan.name)
        if self.plan.begins_s:
            await trio.sleep(self.plan.begins_s)
        lives = 0
        while not self.world.ended.is_set():
            with trio.CancelScope() as self._scope:
                try:
                    await self._live(f"{self.plan.name}.{lives}" if lives else self.plan.name)
                except CLIENT_ERRORS as error:
                    report_corrupt(self.world, self.plan.name, error)
                    self.world.trace.event("consumer-failed", node=self.plan.name, error=str(error))
            lives += 1
            await trio.sleep(0.5)

    def abandon(self) -> None:
        """Vanish, as if its process were killed."""
        if self._consumer is not None:
            self._consumer.abandon()

    def end(self) -> None:
        """Stop it, so that it leaves its group, and start it as another member."""
        self._scope.cancel()

    async def _live(self, name: str) -> None:
        plan, world = self.plan, self.world
        self.host = name
        config: dict[str, object] = {
            "bootstrap.servers": ",".join(world.cluster.bootstrap),
            "client.id": name,
            "auto.offset.reset": "earliest",
            "request.timeout.ms": 5000,
            **plan.settings,
        }
        if plan.group is not None:
            config["group.id"] = plan.group
        self.last.clear()
        async with Consumer(config, **client_ports(world, name)) as self._consumer:
            consumer = self._consumer
            if plan.group is not None:
                consumer.subscribe(plan.topics, self)
            else:
                found = [
                    TopicPartition(topic.name, index)
                    for topic in world.plan.topics
                    for index in range(topic.partitions)
                ]
                consumer.assign(found)
            dice = Random(f"{world.plan.seed} polls of {name}")
            while True:
                # A poll that ends in the middle of a rebalance leaves the rest to the next one.
                timeout_s = 1.0 if plan.group is None else dice.choice(POLLS_S)
                self._take(await consumer.poll(timeout_s))

    def _take(self, records: Sequence[Any]) -> None:
        history, name, group = self.world.history, self.plan.name, self.plan.group
        if (detail := self.world.trace.detail) is not None:
            for (topic, index), run in groupby(records, key=lambda r: (r.topic, r.partition)):
                offsets = [record.offset for record in run]
                where = f"{topic}-{index}"
                detail.observer.read(name, self.host, where, offsets[0], offsets[-1])
        committed_only = self.plan.settings.get("isolation.level") == "read_committed"
        for record in records:
            target = TopicPartition(record.topic, record.partition)
            self._check_contents(record)
            if committed_only:
                atomicity = self.world.witnesses.atomicity
                what = identity(record.value, record.headers)
                atomicity.read(name, target, record.offset, what)
                self.last[target] = record.offset
                continue
            what = identity(record.value, record.headers)
            history.polled(name, target, self.last.get(target), record.offset, what)
            if group is not None:
                if target not in self.last:
                    # Without a seek, a member starts at the group's committed offset.
                    history.found_committed(group, target, record.offset)
                history.consumed(group, target, record.offset + 1)
            self.last[target] = record.offset

    def _stamps(self, topic: str) -> bool:
        """Whether its records have the time at which the leader appended them."""
        config = self.world.image.topic_config(topic)
        return config.get("message.timestamp.type") == "LogAppendTime"

    def _check_contents(self, record: ConsumerRecord) -> None:
        stamps, compacted = self._stamps(record.topic), self.world.compacts(record.topic)
        if (words := differs(record, log_append_time=stamps, compacted=compacted)) is not None:
            self.world.report(
                "record-differs",
                f"{self.plan.name} read a record at offset {record.offset} of {record.topic}-"
                f"{record.partition} that is not what was sent: {words}",
            )

    # client.consumer.membership.RebalanceListener

    async def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self.world.trace.event("assigned", node=self.plan.name, partitions=_names(partitions))
        for partition in partitions:
            self.last.pop(partition, None)

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.world.trace.event("revoked", node=self.plan.name, partitions=_names(partitions))
        consumer = self._consumer
        if consumer is not None and self.plan.settings.get("group.protocol") == "consumer":
            mine = {each: self.last[each] + 1 for each in partitions if each in self.last}
            if mine:
                consumer.tasks.start_soon(commit_late, consumer, mine, self.world)

    async def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.world.trace.event("lost", node=self.plan.name, partitions=_names(partitions))


async def commit_late(consumer: Consumer, offsets: dict[TopicPartition, int], world: World) -> None:
    """A thread of the member that has not heard of the revocation commits by its former epoch."""
    place = consumer.group_metadata()
    stale = GroupClient(consumer.cluster, place.group_id, patient=False)
    stale.generation, stale.member_id = place.generation, place.member_id
    stale.instance_id = place.instance_id
    await trio.sleep(Random(f"{world.plan.seed} {place}").uniform(0.2, 4.0))
    with contextlib.suppress(*CLIENT_ERRORS):
        await stale.commit({target: OffsetAndMetadata(each) for target, each in offsets.items()})


def _names(partitions: Sequence[TopicPartition]) -> list[str]:
    return [f"{topic}-{index}" for topic, index in partitions]


def abandon_clients(world: World) -> None:
    """Let no client of the workload wait for nodes that end with the run."""
    for producer in world.producers:
        producer.abandon()
    for consumer in world.consumers:
        consumer.abandon()
    for group in world.groups:
        group.abandon()


def make_admin(
    world: World, name: str = "admin", cause: int | None = None, user: str = logins.LOAD
) -> Admin:
    """An administrator's client; `cause` is the operation or fault that it is for."""
    detail = world.trace.detail
    if cause is not None:
        name = f"{name}-{cause}"
        if detail is not None:
            detail.ordered(name, cause)
    elif detail is not None:
        detail.asked(name, "administer")
    config = {
        "bootstrap.servers": ",".join(world.cluster.bootstrap),
        "client.id": name,
        "request.timeout.ms": 5000,
        "default.api.timeout.ms": 30_000,
    }
    return Admin(config, **client_ports(world, name, user))
