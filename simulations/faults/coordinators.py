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
