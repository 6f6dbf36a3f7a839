"""Operations and clients at the wrong moment, and clocks that are wrong."""

from __future__ import annotations

from random import Random

import trio

from raftka.client.admin.partitions import ElectionType
from raftka.model.ids import TopicPartition
from raftka.simulations.faults.process import down_time_s
from raftka.simulations.faults.registry import fault
from raftka.simulations.load.workload import CLIENT_ERRORS, make_admin
from raftka.simulations.world import World


@fault("clock-jump", "other", chance=0.3, rate=2)
async def clock_jump(world: World, dice: Random, cause: int) -> None:
    """one machine's wall clock jumps by up to an hour, either way"""
    machine = dice.choice(list(world.cluster.machines.values()))
    jump_ms = dice.choice([dice.randrange(-3_600_000, 3_600_000), dice.randrange(-2000, 2000)])
    world.trace.event("clock-jump", node=machine.host, cause=cause, ms=jump_ms)
    machine.jump(jump_ms)


@fault("clock-drift", "other", chance=0.2, rate=1)
async def clock_drift(world: World, dice: Random, cause: int) -> None:
    """from its next start on, one machine's clock runs too fast or too slow"""
    machine = dice.choice(list(world.cluster.machines.values()))
    machine.clock_rate = dice.uniform(0.93, 1.07)
    world.trace.event("clock-drift", node=machine.host, cause=cause, rate=machine.clock_rate)


@fault("reassign", "other", chance=0.5, rate=2)
async def reassign(world: World, dice: Random, cause: int) -> None:
    """a partition moves to other brokers, or its replicas change their order"""
    topic = dice.choice(world.plan.topics)
    target = TopicPartition(topic.name, dice.randrange(topic.partitions))
    brokers = [machine.node_id for machine in world.cluster.brokers if not machine.leaves]
    count = dice.randrange(1, min(len(brokers), 3) + 1) if dice.random() < 0.3 else None
    replicas = dice.sample(brokers, count or min(topic.replication_factor, len(brokers)))
    needed = int(topic.configs.get("min.insync.replicas", "1"))
    if len(replicas) < needed:
        replicas = dice.sample(brokers, min(needed, len(brokers)))
    world.trace.event("reassign", cause=cause, partition=f"{target[0]}-{target[1]}", to=replicas)
    async with make_admin(world, "reassigner", cause) as admin:
        await admin.alter_partition_reassignments({target: replicas})


@fault("reassignment-crash", "other", chance=0.3, rate=1)
async def reassignment_crash(world: World, dice: Random, cause: int) -> None:
    """a partition gets another replica over a slow link, and the leader or the new one is killed"""
    topic = dice.choice(world.plan.topics)
    target = TopicPartition(topic.name, dice.randrange(topic.partitions))
    partition, leader = world.image.partition(*target), world.leader_of(*target)
    if partition is None or leader is None or partition.is_reassigning:
        return
    others = [m for m in world.machines(brokers=True) if m.node_id not in partition.replicas]
    async with make_admin(world, "reassigner", cause) as admin:
        if not others and len(partition.replicas) > max(1, world.min_isr(topic.name)):
            # Every broker has a replica: one broker loses its replica first, then gets it again.
            left = [b for b in partition.replicas if b != leader.node_id]
            others = [world.cluster.machines[dice.choice(left)]]
            without = [b for b in partition.replicas if b != others[0].node_id]
            await admin.alter_partition_reassignments({target: without})
            await world.until(lambda: _replicas_are(world, target, without), 5.0)
        if not others:
            return
        added = dice.choice(others)
        kept = [b for b in partition.replicas if b != added.node_id]
        wanted = [added.node_id, *(kept if dice.random() < 0.5 else kept[1:])]
        if len(wanted) < world.min_isr(topic.name):
            wanted = [added.node_id, *kept]
        world.trace.event("reassign", cause=cause, partition=f"{target[0]}-{target[1]}", to=wanted)
        world.fabric.clog(leader.host, added.host, dice.uniform(0.3, 2))
        await admin.alter_partition_reassignments({target: wanted})
    await trio.sleep(dice.uniform(0, 0.5))
    victim = dice.choice([leader, added])
    if victim.is_up:
        world.cluster.kill(victim, cause)
        await trio.sleep(down_time_s(dice))
        world.start(victim, cause)


def _replicas_are(world: World, target: TopicPartition, wanted: list[int]) -> bool:
    found = world.image.partition(*target)
    return found is None or (not found.is_reassigning and list(found.replicas) == wanted)


@fault("quorum-change", "other", chance=0.1, rate=0.5)
async def quorum_change(world: World, dice: Random, cause: int) -> None:
    """an administrator asks for a change of the quorum in the middle of it all"""
    controllers = world.cluster.controllers
    machine = dice.choice(controllers)
    world.trace.event("quorum-change", node=machine.host, cause=cause)
    async with make_admin(world, "voter-admin", cause) as admin:
        info = await admin.describe_quorum()
        voter = dice.choice(info.voters)
        await admin.remove_raft_voter(voter.id, voter.directory_id)


@fault("group-churn", "other", chance=0.4, rate=3)
async def group_churn(world: World, dice: Random, cause: int) -> None:
    """a consumer of the group is stopped, or killed, and a new one takes its place"""
    members = [task for task in world.consumers if task.plan.group is not None]
    if members:
        member = dice.choice(members)
        end = dice.choice(["stopped", "killed"])
        world.trace.event("group-churn", node=member.plan.name, cause=cause, end=end)
        if end == "killed":
            member.abandon()
        member.end()


@fault("stale-clients", "other", chance=0.3, rate=1)
async def stale_clients(world: World, dice: Random, cause: int) -> None:
    """a client cannot reach the leader it knows of, nor learn of another, for a while"""
    clients = world.client_names()
    if not clients:
        return
    client = dice.choice(clients)
    topic = dice.choice(world.plan.topics).name
    leader = world.leader_of(topic, 0)
    kept = leader.host if leader is not None else ""
    hosts = [host for host in world.hosts() if host != kept]
    world.trace.event("stale-client", node=client, cause=cause, still_reaches=kept)
    world.cut(((client, host) for host in hosts), cause)
    async with make_admin(world, "mover", cause) as admin:
        with trio.move_on_after(dice.uniform(0.5, 5)):
            try:
                await admin.elect_leaders(ElectionType.PREFERRED, None)
            except CLIENT_ERRORS as error:
                world.trace.event("refused", cause=cause, error=str(error))
            await trio.sleep_forever()
    world.heal(((client, host) for host in hosts), cause)
