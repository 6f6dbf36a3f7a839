"""Logs that part: what a leader takes while it is one no more, and how it comes back."""

from __future__ import annotations

from random import Random

import trio

from model.ids import TopicPartition
from simulations import loyal
from simulations.faults.network import come_back
from simulations.faults.registry import fault
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
    async with trio.open_nursery() as clients:
        clients.start_soon(loyal.read, world, leader.host, f"loyal-reader-{cause}", [target])
        with trio.move_on_after(session_s + 3):
            await loyal.write(world, leader.host, f"loyal-{cause}", target, records)
            while world.leader_of(*target) in (leader, None):  # noqa: ASYNC110 - observed
                await trio.sleep(0.05)
        for producer in world.producers:
            if producer.plan.topic == topic.name:
                producer.stir()  # What was written in the meantime is written over.
        # A short while, and its log is longer than its successor's; a long one, and it is shorter.
        await trio.sleep(10 ** dice.uniform(-2, 0.5))
        await come_back(world, dice, pairs)
        clients.cancel_scope.cancel()
