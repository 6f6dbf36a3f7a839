"""One seed, one history: in another process, under another hash seed, on another machine."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
import trio

from raftka.simulations.machines.determinism import Running, run, sleep
from raftka.simulations.machines.network import Fabric
from raftka.simulations.machines.virtual_clock import HeldClock
from raftka.simulations.plan import Options, Plan, Step
from raftka.simulations.runs.run import plan_for, run_plan
from raftka.simulations.trace import Trace

ROOT = Path(__file__).parents[3]
GOLDEN = "fdac6ae1e4aa83dd"


def short_plan(seed: int = 7) -> Plan:
    plan = plan_for(Options(seed, duration_s=4.0, faults=()))
    faults = (Step(3.1, "kill", "kill 0"), Step(3.5, "reset", "reset 0"))
    return replace(plan, faults=faults)


def test_the_same_plan_gives_the_same_trace_in_this_process() -> None:
    first, second = run_plan(short_plan()), run_plan(short_plan())
    assert first.trace_hash == second.trace_hash
    assert first.events == second.events
    assert first.acked > 0


def test_the_same_seed_gives_the_same_trace_under_another_hash_seed() -> None:
    command = [
        sys.executable,
        "-m",
        "raftka",
        "simulate",
        "--seed",
        "7",
        "--seconds",
        "5",
        "--json",
    ]
    found = []
    for hash_seed in ("1", "77"):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        found.append(json.loads(done.stdout.splitlines()[-1]))
    assert found[0]["trace_hash"] == found[1]["trace_hash"]
    assert found[0]["events"] == found[1]["events"]


def test_another_seed_gives_another_trace() -> None:
    assert run_plan(short_plan(7)).trace_hash != run_plan(short_plan(8)).trace_hash


def test_a_run_that_was_held_while_it_ended_can_be_resumed_to_its_end() -> None:
    """trio's last task is woken by what `main` left behind, not by the clock, which still holds."""
    clock = HeldClock()
    clock.until_s = 2.0

    async def main() -> None:
        clock.at(5.0, lambda: None)
        await sleep(1.0)

    running = Running(main, 1, clock)
    assert not running.go()
    clock.until_s = inf
    assert running.go()
    running.result()


def network_story() -> str:
    """Tasks, links with delays and splits, cuts: everything but the cluster."""
    trace = Trace()

    async def main() -> None:
        fabric = Fabric(random.Random(3), observe=trace.message)
        fabric.faults.split_rate = 0.3

        async def serve(port: int) -> None:
            listener = await fabric.host("b").listen("b", port)
            connection = await listener.accept()
            buffer = bytearray(64)
            while size := await connection.receive_into(buffer):
                trace.event("received", node="b", size=size)

        async def send(port: int) -> None:
            await trio.sleep(0.01)
            connection = await fabric.host("a").connect("b", port)
            for number in range(20):
                await connection.send([b"x" * (1 + number % 7)])
                await trio.sleep(0.001 * (number % 3))
            connection.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fabric.run)
            for port in (1, 2, 3):
                nursery.start_soon(serve, port)
                nursery.start_soon(send, port)
            await trio.sleep(1)
            fabric.cut("a", "b")
            await trio.sleep(1)
            nursery.cancel_scope.cancel()

    run(main, 11)
    return trace.digest


def test_the_scheduler_and_the_network_are_golden() -> None:
    assert network_story() == GOLDEN


def test_a_deadlock_is_told() -> None:
    async def main() -> None:
        await trio.Event().wait()

    with pytest.raises(RuntimeError, match="nothing would ever happen"):
        run(main, 1)


def test_a_loop_that_waits_for_nothing_is_told() -> None:
    async def busy() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    async def main() -> None:
        await trio.sleep(1)
        await busy()

    with pytest.raises(RuntimeError, match=r"time stands still at 1.0 s while"):
        run(main, 1)


def test_time_costs_nothing() -> None:
    async def main() -> float:
        await trio.sleep(80_000)
        return trio.current_time()

    assert run(main, 1) == 80_000
