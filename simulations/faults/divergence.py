"""Logs that part: what a leader takes while it is one no more, and how it comes back."""

from __future__ import annotations

from random import Random

import trio

from raftka.simulations.faults.network import come_back, led_by_enough
from raftka.simulations.faults.registry import fault
from raftka.simulations.load import pinned_clients
from raftka.simulations.world import World


@fault("divergent-failover", "network", chance=0.5, rate=2)
async def divergent_failover(world: World, dice: Random, cause: int) -> None:
    """a stranded leader takes records of a client that knows no other; its way back is slow"""
    target = led_by_enough(world, dice)
    leader = world.leader_of(*target)
    if leader is None or not leader.is_running:
        return
    world.trace.event("divergent-failover", node=leader.host, cause=cause)
    pairs = world.ways_of(leader.host)
    world.cut(pairs)
    session_s = int(world.plan.settings["broker.session.timeout.ms"]) / 1000
    records = round(10 ** dice.uniform(0.3, 2.3))
    async with pinned_clients.readers(world, leader.host, cause):
        with trio.move_on_after(session_s + 3):
            await pinned_clients.write(world, leader.host, f"loyal-{cause}", target, records)
            while world.leader_of(*target) in (leader, None):  # noqa: ASYNC110 - observed
                await trio.sleep(0.05)
        successor = world.leader_of(*target)
        if successor is not None and successor is not leader:
            # Where the logs have parted, records are committed that the old one does not have.
            with trio.move_on_after(3):
                few = 1 + dice.randrange(10)
                await pinned_clients.write(
                    world, successor.host, f"loyal-{cause}-later", target, few
                )
        # A short while, and its log is longer than its successor's; a long one, and it is shorter.
        await trio.sleep(10 ** dice.uniform(-2, 0.5))
        await come_back(world, dice, pairs)
