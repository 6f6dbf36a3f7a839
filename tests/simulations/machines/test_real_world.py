"""Code that gets around the ports while a simulation runs fails at once."""

from __future__ import annotations

import concurrent.futures
import gc
import mmap
import os
import random
import secrets
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from datetime import date
from os import getpid as captured_getpid
from pathlib import Path
from random import random as captured_random
from time import monotonic as captured_monotonic
from types import ModuleType

import pytest
import trio
from trio.to_thread import run_sync as captured_run_sync

import raftka.simulations.runs.run as simulated
from raftka.simulations.machines.determinism import run
from raftka.simulations.machines.real_world import RealWorldTouched
from raftka.simulations.plan import Options
from raftka.simulations.violation import Exit

TOUCHES: dict[str, Callable[[], object]] = {
    "time": lambda: time.time(),
    "monotonic": lambda: time.monotonic(),
    "process-time": lambda: time.process_time(),
    "clock-gettime": lambda: time.clock_gettime(time.CLOCK_MONOTONIC),
    "localtime": lambda: time.localtime(),
    "gmtime": lambda: time.gmtime(),
    "strftime": lambda: time.strftime("%H"),
    "today": lambda: date.today(),
    "sleep": lambda: time.sleep(0),
    "captured-clock": lambda: captured_monotonic(),
    "random": lambda: random.random(),
    "gauss": lambda: random.gauss(0, 1),
    "captured-dice": lambda: captured_random(),
    "no-seed": lambda: random.Random(),
    "system-random": lambda: random.SystemRandom().random(),
    "secrets": lambda: secrets.token_bytes(4),
    "uuid4": lambda: uuid.uuid4(),
    "uuid1": lambda: uuid.uuid1(),
    "urandom": lambda: os.urandom(4),
    "getpid": lambda: os.getpid(),
    "captured-getpid": lambda: captured_getpid(),
    "getcwd": lambda: os.getcwd(),
    "open": lambda: open("/etc/hostname"),  # noqa: SIM115
    "os-open": lambda: os.open("/etc/hostname", os.O_RDONLY),
    "listdir": lambda: os.listdir("/tmp"),
    "stat": lambda: os.stat("/tmp"),
    "exists": lambda: os.path.exists("/tmp"),
    "path-exists": lambda: Path("/tmp").exists(),
    "path-read": lambda: Path("/etc/hostname").read_text(),
    "mkdir": lambda: os.mkdir("/tmp/never-made"),
    "tempfile": lambda: tempfile.mkdtemp(),
    "mmap": lambda: mmap.mmap(-1, 4096),
    "socket": lambda: socket.socket(),
    "socketpair": lambda: socket.socketpair(),
    "select": lambda: select.select([], [], [], 0),
    "thread": lambda: threading.Thread(target=print).start(),
    "executor": lambda: concurrent.futures.ThreadPoolExecutor(1).submit(print),
    "subprocess": lambda: subprocess.run(["true"]),
    "fork": lambda: os.fork(),
    "kill": lambda: os.kill(1, 0),
}


@pytest.mark.parametrize("name", TOUCHES)
def test_the_real_world_is_out_of_reach(name: str) -> None:
    async def main() -> None:
        await trio.sleep(1)
        with pytest.raises(RealWorldTouched):
            TOUCHES[name]()

    run(main, 1)


def test_threads_are_out_of_reach() -> None:
    async def main() -> None:
        with pytest.raises(RealWorldTouched):
            await trio.to_thread.run_sync(print)
        with pytest.raises(RealWorldTouched):
            await captured_run_sync(print)

    run(main, 1)


def test_all_is_as_before_after_a_run() -> None:
    before = (time.time, captured_monotonic, random.Random.seed, threading.Thread.start, os.stat)

    async def main() -> None:
        assert time.time is not before[0]

    run(main, 1)
    after = (time.time, captured_monotonic, random.Random.seed, threading.Thread.start, os.stat)
    assert before == after
    assert random.Random() is not None


def test_a_module_may_be_imported_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled and written beside its source; what it captures is given to it afterwards."""
    (tmp_path / "a_late_module.py").write_text("from time import monotonic\n")
    monkeypatch.syspath_prepend(tmp_path)
    found: list[ModuleType] = []

    async def main() -> None:
        import a_late_module  # type: ignore[import-not-found]

        with pytest.raises(RealWorldTouched):
            a_late_module.monotonic()
        found.append(a_late_module)

    run(main, 1)
    assert found[0].monotonic is time.monotonic
    del sys.modules["a_late_module"]


def test_an_error_may_be_written_with_its_lines() -> None:
    async def main() -> str:
        try:
            raise ValueError("lost")
        except ValueError:
            return traceback.format_exc()

    assert 'raise ValueError("lost")' in run(main, 1)


def test_a_moment_that_is_given_may_be_written() -> None:
    async def main() -> str:
        return time.strftime("%Y", time.gmtime(0))

    assert run(main, 1) == "1970"


def test_dice_with_a_seed_are_nobodys_business() -> None:
    async def main() -> float:
        return random.Random(3).random()

    assert run(main, 1) == random.Random(3).random()


def test_who_times_collections_is_not_told_of_those_of_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(simulated, "_LOOKS_A_COLLECTION", 1)

    def listen(phase: str, _: object) -> None:
        told.append(phase)

    gc.disable()  # Collections that come by themselves are between runs, and do not matter.
    gc.callbacks.append(listen)
    try:
        outcome = simulated.run_plan(simulated.plan_for(Options(1, duration_s=3.0, faults=())))
        assert listen in gc.callbacks
    finally:
        gc.callbacks.remove(listen)
        gc.enable()
    assert outcome.exit is Exit.HELD
    assert not told
