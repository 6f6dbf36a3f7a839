"""Machines and voters that come and go: what a careful administrator does, and when.

The voters are taken from the committed log, and a machine's replica from its disk. An
administrator asks only for changes that leave a majority of voters whose disks still exist; faults
may kill machines in the middle of it.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable

import trio

from raftka.client.admin import Admin
from raftka.model.ids import Endpoint
from raftka.simulations.load.workload import CLIENT_ERRORS
from raftka.simulations.machines.machine import CONTROLLER_PORT, METADATA, Machine
from raftka.simulations.observers.voters import Member, Voters, majority
from raftka.simulations.world import World

VOTERS_MAX = 5
LATE_S = 31.0
"""How long a controller tries to change the voters, even after its client has given up."""
EXTRA_MACHINES_MAX = 2
"""The most machines that may be added to those of the plan: each costs time."""


def replica_on(world: World, machine: Machine) -> Member:
    return world.raft.voter_sets.identity(machine.host)


def votes(world: World, machine: Machine) -> bool:
    return machine.is_controller and replica_on(world, machine) in world.raft.voters


def machine_of(world: World, member: Member) -> Machine | None:
    """The machine on which a voter lives; None for one whose disk is lost."""
    machine = world.cluster.machines.get(int(member.host[1:]))
    return machine if machine is not None and replica_on(world, machine) == member else None


def lives(world: World, voters: Voters) -> bool:
    """Whether a majority of these voters runs."""
    machines = [machine_of(world, member) for member in voters]
    return sum(each is not None and each.is_running for each in machines) >= majority(voters)


def may_join(world: World) -> bool:
    return len(world.cluster.machines) < len(world.plan.nodes) + EXTRA_MACHINES_MAX


def join(world: World, roles: str, cause: int, node_id: int | None = None) -> Machine:
    """Start a machine with an empty disk."""
    if node_id is None:
        world.last_id += 1
        node_id = world.last_id
    machine = world.cluster.add(node_id, roles)
    world.trace.event("join", node=machine.host, cause=cause, roles=roles)
    world.start(machine, cause)
    return machine


def scrap(world: World, machine: Machine, cause: int) -> None:
    """Remove a machine whose process is down for good, with its disks."""
    assert machine.process is None
    world.trace.event("scrap", node=machine.host, cause=cause)
    del world.cluster.machines[machine.node_id]
    machine.medium.wipe("/")
    world.raft.disk_replaced(machine.host)


def lose_metadata_disk(world: World, machine: Machine, cause: int) -> None:
    """A new disk for the metadata log of a machine whose process is down: another replica."""
    assert machine.process is None
    world.trace.event("metadata-disk-lost", node=machine.host, cause=cause)
    machine.founds = False
    machine.medium.wipe(METADATA)
    world.raft.disk_replaced(machine.host)


def settled(world: World) -> bool:
    """Whether no change of the voters is in progress. An administrator who removes a voter while
    the disk of another is lost can end a quorum for good, which is no defect.
    """
    return trio.current_time() >= world.voters_settled_at


async def _change(world: World, host: str, request: Awaitable[None]) -> None:
    world.voters_settled_at = math.inf
    try:
        await request
        world.voters_settled_at = 0.0
    except CLIENT_ERRORS as error:
        # A controller that took the request may still be working on it.
        world.voters_settled_at = trio.current_time() + LATE_S
        world.trace.event("refused", node=host, error=str(error))


async def add_voter(world: World, admin: Admin, machine: Machine) -> bool:
    """Request to add a controller as a voter; returns whether it is one in the end."""
    member = replica_on(world, machine)
    if not member.directory or votes(world, machine) or not settled(world):
        return False
    endpoint = {"CONTROLLER": Endpoint(machine.host, CONTROLLER_PORT)}
    await _change(
        world,
        machine.host,
        admin.add_raft_voter(machine.node_id, member.directory, endpoint),
    )
    return member in world.raft.voters


async def remove_voter(world: World, admin: Admin, member: Member) -> bool:
    """Request to remove a voter; returns whether it is gone in the end."""
    voter_id = int(member.host[1:])
    await _change(world, member.host, admin.remove_raft_voter(voter_id, member.directory))
    return member not in world.raft.voters
