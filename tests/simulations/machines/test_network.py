"""The simulated network: order, cuts that hold bytes back, resets by kills, silent power losses."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest
import trio

from raftka.model.ports import BrokenConnection, Connection
from raftka.simulations.machines.determinism import run
from raftka.simulations.machines.network import Fabric
from raftka.simulations.machines.real_world import RealWorldTouched

Scenario = Callable[[Fabric, Connection, Connection], Awaitable[None]]


def with_link(scenario: Scenario, seed: int = 1) -> None:
    async def main() -> None:
        fabric = Fabric(random.Random(seed))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fabric.run)
            listener = await fabric.host("b").listen("b", 9092)
            near = await fabric.host("a").connect("b", 9092)
            far = await listener.accept()
            await scenario(fabric, near, far)
            nursery.cancel_scope.cancel()

    run(main, seed)


async def receive(connection: Connection, size: int) -> bytes:
    found = b""
    while len(found) < size:
        buffer = bytearray(size - len(found))
        got = await connection.receive_into(buffer)
        if not got:
            return found
        found += bytes(buffer[:got])
    return found


@pytest.mark.parametrize("seed", range(10))
def test_bytes_arrive_in_order_and_whole(seed: int) -> None:
    async def scenario(fabric: Fabric, near: Connection, far: Connection) -> None:
        fabric.faults.split_rate = 0.5
        data = random.Random(seed).randbytes(5000)
        for start in range(0, 5000, 100):
            await near.send([data[start : start + 100]])
        assert await receive(far, 5000) == data

    with_link(scenario, seed)


def test_a_cut_holds_bytes_until_it_heals() -> None:
    async def scenario(fabric: Fabric, near: Connection, far: Connection) -> None:
        fabric.cut("a", "b")
        await near.send([b"hello"])
        with trio.move_on_after(5) as waited:
            await receive(far, 5)
        assert waited.cancelled_caught
        fabric.heal("a", "b")
        assert await receive(far, 5) == b"hello"

    with_link(scenario)


def test_a_killed_process_resets_its_peers() -> None:
    async def scenario(fabric: Fabric, near: Connection, far: Connection) -> None:
        fabric.kill("b")
        with pytest.raises(BrokenConnection):
            await receive(near, 1)
        with pytest.raises(BrokenConnection):
            await fabric.host("a").connect("b", 9092)

    with_link(scenario)


def test_a_machine_without_power_says_nothing() -> None:
    async def scenario(fabric: Fabric, near: Connection, far: Connection) -> None:
        fabric.lose_power("b")
        with trio.move_on_after(60) as waited:
            await receive(near, 1)
        assert waited.cancelled_caught

    with_link(scenario)


def test_who_closes_what_it_has_lost_says_nothing() -> None:
    async def scenario(fabric: Fabric, near: Connection, far: Connection) -> None:
        fabric.half_open("a", "b")
        with pytest.raises(BrokenConnection):
            await receive(near, 1)
        near.close()
        with trio.move_on_after(60) as waited:
            await receive(far, 1)
        assert waited.cancelled_caught
        await far.send([b"still there?"])
        with pytest.raises(BrokenConnection):
            await receive(far, 1)

    with_link(scenario)


def test_an_end_of_stream_comes_after_the_bytes() -> None:
    async def scenario(fabric: Fabric, near: Connection, far: Connection) -> None:
        await near.send([b"bye"])
        near.close()
        assert await receive(far, 10) == b"bye"

    with_link(scenario)


def test_the_real_clock_is_out_of_reach() -> None:
    import time

    async def main() -> None:
        with pytest.raises(RealWorldTouched):
            time.monotonic()

    run(main, 1)


def test_a_held_connection_keeps_its_bytes_and_no_others() -> None:
    async def scenario(fabric: Fabric, near: Connection, far: Connection) -> None:
        taps: list[object] = []
        near.tap = lambda data: taps.append(fabric.sending)  # type: ignore[attr-defined]
        await near.send([b"one"])
        assert taps == [near]
        near.hold()  # type: ignore[attr-defined]
        await near.send([b"two"])
        await far.send([b"back"])
        assert await receive(near, 4) == b"back"
        with trio.move_on_after(60):
            await receive(far, 6)
            raise AssertionError("it got through, or was given up")
        near.release()  # type: ignore[attr-defined]
        assert await receive(far, 3) in (b"one", b"two")

    with_link(scenario)


def test_a_service_is_cut_off_alone() -> None:
    async def main() -> None:
        fabric = Fabric(random.Random(1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fabric.run)
            broker = await fabric.host("b").listen("b", 9092)
            controller = await fabric.host("b").listen("b", 9093)
            client = fabric.host("a")
            first = await client.connect("b", 9092)
            fabric.cut_service("a", "b", 9092)
            await first.send([b"held"])
            far = await broker.accept()
            near = await client.connect("b", 9093)
            await near.send([b"passes"])
            assert await receive(await controller.accept(), 6) == b"passes"
            with pytest.raises(BrokenConnection, match="no answer"):
                await client.connect("b", 9092, timeout_s=1)
            fabric.heal_service("a", "b", 9092)
            assert await receive(far, 4) == b"held"
            await client.connect("b", 9092, timeout_s=1)
            nursery.cancel_scope.cancel()

    run(main, 1)
