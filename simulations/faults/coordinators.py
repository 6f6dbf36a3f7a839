"""Faults of coordinators: their messages arrive after another one replaced them."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

import trio

from raftka.simulations.faults.registry import fault
from raftka.simulations.machines.machine import Machine
from raftka.simulations.machines.stream import Stream
from raftka.simulations.world import World

_WAIT_S = 12.0


class _Held(NamedTuple):
    coordinator: Machine
    stream: Stream
    producers: frozenset[int]
    """The producers whose markers are held up."""


@fault("late-marker", "process", chance=0.35, rate=1.5, at_least_once=True)
async def late_marker(world: World, dice: Random, cause: int) -> None:
    """markers are delayed until another coordinator has written them, and the producer went on"""
    if not world.plan.transactors:
        return
    held = await _hold_markers(world, within_s=_WAIT_S)
    if held is None:
        return
    process = held.coordinator.process
    world.trace.event("markers-held", node=held.coordinator.host, cause=cause)
    # It is paused with its connections open: its messages still arrive.
    world.cluster.pause(held.coordinator, cause)
    if await _written_by_another(world, held, within_s=_WAIT_S):
        world.note("markers of a former coordinator arrive late")
        for _ in range(dice.choice([0, 0, 1, 3])):
            for plan in world.plan.transactors:
                world.stir(plan.topic)
            await trio.sleep(dice.uniform(0.1, 0.6))
    held.stream.release()
    await trio.sleep(dice.uniform(0.0, 2.0))
    if held.coordinator.process is process:
        world.resume(held.coordinator, cause)


@fault("late-share-state", "process", chance=0.35, rate=1.5, at_least_once=True)
async def late_share_state(world: World, dice: Random, cause: int) -> None:
    """a leader's write of a share group's state is delayed until its successor has read it"""
    if not any(group.kind == "share" for group in world.plan.groups):
        return
    held = await _hold_state(world, within_s=_WAIT_S)
    if held is None:
        return
    process = held.leader.process
    world.trace.event("share-state-held", node=held.leader.host, cause=cause)
    # It is paused with its connections open: its messages still arrive.
    world.cluster.pause(held.leader, cause)
    if await _read_by_another(world, held, within_s=_WAIT_S):
        world.note("a share group's state of a former leader arrives late")
        await trio.sleep(dice.uniform(0.0, 0.6))
    held.stream.release()
    await trio.sleep(dice.uniform(0.0, 2.0))
    if held.leader.process is process:
        world.resume(held.leader, cause)


class _HeldState(NamedTuple):
    leader: Machine
    stream: Stream
    partitions: frozenset[tuple[str, bytes, int]]
    """Whose states the write has: group, topic id, partition."""


async def _hold_state(world: World, within_s: float) -> _HeldState | None:
    """Hold the connection on which a leader sends states to their coordinator on another broker."""
    held: list[_HeldState] = []
    sent = trio.Event()

    def hold(client: str, server: str, request: Any) -> None:
        stream = world.fabric.sending
        machine = next((each for each in world.machines() if each.host == client), None)
        if held or stream is None or machine is None or client == server:
            return
        stream.hold()
        held.append(_HeldState(machine, stream, frozenset(_states(request))))
        sent.set()

    with world.witnesses.hearing("WriteShareGroupState", hold), trio.move_on_after(within_s):
        await sent.wait()
    return held[0] if held else None


async def _read_by_another(world: World, held: _HeldState, within_s: float) -> bool:
    """Wait until another leader asks for one of the same states, and for its answer."""
    sent = trio.Event()

    def note(client: str, server: str, request: Any) -> None:
        if client != held.leader.host and held.partitions & set(_states(request)):
            sent.set()

    with world.witnesses.hearing("ReadShareGroupState", note), trio.move_on_after(within_s):
        await sent.wait()
    await trio.sleep(0.05)
    return sent.is_set()


def _states(request: Any) -> list[tuple[str, bytes, int]]:
    return [
        (request.group_id, bytes(topic.topic_id), each.partition)
        for topic in request.topics
        for each in topic.partitions
    ]


async def _hold_markers(world: World, within_s: float) -> _Held | None:
    """Hold the connection on which a coordinator sends markers to another broker."""
    held: list[_Held] = []
    sent = trio.Event()

    def hold(client: str, server: str, request: Any) -> None:
        stream = world.fabric.sending
        machine = next((each for each in world.machines() if each.host == client), None)
        if held or stream is None or machine is None or client == server:
            return
        stream.hold()
        held.append(_Held(machine, stream, frozenset(_producers(request))))
        sent.set()

    with world.witnesses.hearing("WriteTxnMarkers", hold), trio.move_on_after(within_s):
        await sent.wait()
    return held[0] if held else None


async def _written_by_another(world: World, held: _Held, within_s: float) -> bool:
    """Wait until another coordinator sends the same markers."""
    sent = trio.Event()

    def note(client: str, server: str, request: Any) -> None:
        if client != held.coordinator.host and held.producers & set(_producers(request)):
            sent.set()

    with world.witnesses.hearing("WriteTxnMarkers", note), trio.move_on_after(within_s):
        await sent.wait()
    await trio.sleep(0.05)
    return sent.is_set()


def _producers(request: Any) -> list[int]:
    return [each.producer_id for each in request.markers]
