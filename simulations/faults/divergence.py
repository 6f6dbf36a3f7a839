"""Logs that part: what a leader takes while it is one no more, and how it comes back."""

from __future__ import annotations

from random import Random

import trio

from client.producer.producer import Producer
from model.ids import TopicPartition
from simulations.checkers.history import value_of
from simulations.cluster import BROKER_PORT
from simulations.faults.registry import fault
from simulations.workload import CLIENT_ERRORS, client_ports
from simulations.world import World


@fault("divergent-failover", "network", chance=0.35, rate=1.5)
async def divergent_failover(world: World, dice: Random, cause: int) -> None:
    """a stranded leader takes records of a client that knows no other; its way back is slow"""
    topic = dice.choice(world.plan.topics)
    target = TopicPartition(topic.name, dice.randrange(topic.partitions))
    leader = world.leader_of(*target)
    if leader is None or not leader.is_running:
        return
    world.trace.event("divergent-failover", node=leader.host, cause=cause)
    pairs = world.ways_of(leader.host)
    world.cut(pairs)
    session_s = int(world.plan.settings["broker.session.timeout.ms"]) / 1000
    records = round(10 ** dice.uniform(0.3, 2.3))
    with trio.move_on_after(session_s + 3):
        await _write(world, leader.host, f"loyal-{cause}", target, records)
        while world.leader_of(*target) in (leader, None):  # noqa: ASYNC110 - observed
            await trio.sleep(0.05)
    # A short while, and its log is longer than its successor's; a long one, and it is shorter.
    await trio.sleep(10 ** dice.uniform(-2, 0.5))
    slow_s = dice.choice([0.0, dice.uniform(0.02, 0.4)])
    for source, end in pairs:
        world.fabric.heal(source, end)
        if slow_s:
            world.fabric.slow(source, end, slow_s)
    if slow_s:
        await trio.sleep(dice.uniform(1, 5))
        world.heal(pairs)


async def _write(world: World, host: str, name: str, to: TopicPartition, records: int) -> None:
    """Write records, one to a batch, as a client does that has only heard of one broker."""
    config = {
        "bootstrap.servers": f"{host}:{BROKER_PORT}",
        "client.id": name,
        "acks": 1,
        "enable.idempotence": False,
        "linger.ms": 0,
        "batch.size": 1,
        "retries": 0,
        "max.block.ms": 1000,
        "request.timeout.ms": 1000,
        "delivery.timeout.ms": 1000,
    }
    async with Producer(config, **client_ports(world, name)) as producer:
        try:
            for number in range(records):
                value = value_of(name, number, False, 0)
                await producer.send(to.topic, value, partition=to.partition)
            await producer.flush()
        except CLIENT_ERRORS as error:
            world.trace.event("send-refused", node=name, error=str(error))
