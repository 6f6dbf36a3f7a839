"""Ways around the ports that no replacement can catch: found in the sources, and among the calls of
C in a whole run.

Others fail during a run (simulations/machines/real_world.py).
"""

from __future__ import annotations

import ast
import gc
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import datetime
from types import FrameType
from typing import Any

import pytest
import trio

from raftka.simulations.machines.determinism import run
from raftka.simulations.plan import Options, Step
from raftka.simulations.runs.run import plan_for, run_plan
from tests.test_architecture import REAL_WORLD, ROOT, sources

SIMULATED = ("model", "storage", "kraft", "net", "broker", "client")
NOT_SIMULATED = {*REAL_WORLD, "net/protocol/generate.py", "broker/generate_promises.py"}
"""And client/tools, which people start."""

MACHINE = frozenset(
    {
        *("time", "datetime", "calendar", "sched", "timeit", "zoneinfo", "random", "secrets"),
        *("uuid", "tempfile", "numpy", "os", "pathlib", "io", "shutil", "glob", "fileinput"),
        *("mmap", "fcntl", "stat", "dbm", "shelve", "sqlite3", "platform", "getpass", "pwd"),
        *("socket", "select", "selectors", "socketserver", "ssl", "http", "urllib", "asyncio"),
        *("signal", "threading", "_thread", "concurrent", "multiprocessing", "subprocess"),
        *("queue", "ctypes", "resource"),
    }
)
BUILTINS = {"open", "input", "print", "breakpoint", "__import__"}
ALLOWED = {
    # Where in memory a buffer begins, which compiled code must know; nothing else depends on it.
    "model/record_walk.py imports ctypes",
    "model/record_walk.py uses id",
    "model/record_check.py uses id",
    "storage/cleaning/compiled.py imports ctypes",
    # What a URL consists of: the bytes go over the network port.
    "net/security/http.py imports urllib.parse",
}
TRIO = frozenset(
    {
        *("run", "to_thread", "from_thread", "run_process", "open_file", "wrap_file", "Path"),
        *("socket", "testing", "SocketStream", "open_tcp_stream", "open_tcp_listeners"),
        *("serve_tcp", "open_ssl_over_tcp_stream", "open_unix_socket", "open_signal_receiver"),
        # Waits on the machine's clock instead of the node's own (Clock.sleep, within, alarm).
        *("sleep", "sleep_until", "current_time"),
        *("move_on_after", "move_on_at", "fail_after", "fail_at"),
    }
)


def simulated() -> Iterator[tuple[str, str]]:
    """(name, text) of the modules that run under simulation."""
    for package in SIMULATED:
        for path in sources(package):
            name = str(path.relative_to(ROOT))
            if name not in NOT_SIMULATED and not name.startswith("client/tools/"):
                yield name, path.read_text()


def ways_around(text: str) -> list[str]:
    """Names in a source that depend on the machine, or differ from process to process."""
    tree = ast.parse(text)
    hashing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__hash__"
        for inner in ast.walk(node)
    }
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            found += [f"imports {n}" for n in names if n.partition(".")[0] in MACHINE]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            package, _, rest = node.module.partition(".")
            taken = {rest.partition(".")[0]} if rest else {alias.name for alias in node.names}
            if package in MACHINE:
                found.append(f"imports {node.module}")
            elif package == "trio":
                found += [f"imports trio.{name}" for name in sorted(taken & TRIO)]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "trio" and node.attr in TRIO:
                found.append(f"uses trio.{node.attr}")
        elif isinstance(node, ast.Name) and node.id in BUILTINS:
            found.append(f"uses {node.id}")
        elif isinstance(node, ast.Call):
            called = [node.func, *(each.value for each in node.keywords if each.arg == "key")]
            names = [each.id for each in called if isinstance(each, ast.Name)]
            found += ["uses id"] * ("id" in names)
            if "hash" in names and id(node) not in hashing:
                found.append("uses hash outside of a __hash__")
    return found


def test_nothing_simulated_reaches_around_its_ports() -> None:
    found = {f"{name} {words}" for name, text in simulated() for words in ways_around(text)}
    assert found == ALLOWED


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("from time import monotonic", "imports time"),
        ("def f():\n    import datetime", "imports datetime"),
        ("from concurrent.futures import ThreadPoolExecutor", "imports concurrent.futures"),
        ("from os import path", "imports os"),
        ("from trio import to_thread", "imports trio.to_thread"),
        ("from trio.to_thread import run_sync", "imports trio.to_thread"),
        ("import trio\ntrio.Path('x')", "uses trio.Path"),
        ("import trio\nwith trio.move_on_after(1): ...", "uses trio.move_on_after"),
        ("def f(x):\n    return id(x)", "uses id"),
        ("sorted(found, key=id)", "uses id"),
        ("hash('x') % 50", "uses hash outside of a __hash__"),
        ("def f(opener=open): ...", "uses open"),
    ],
)
def test_a_source_that_does_is_told(text: str, words: str) -> None:
    assert ways_around(text) == [words]


def test_a_hash_may_be_made_of_hashes() -> None:
    assert ways_around("class C:\n    def __hash__(self):\n        return hash(self.x)") == []


# While it runs.

_CLASS_METHODS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("datetime", "fromtimestamp"),
}
_OURS = (*SIMULATED, "tests")


def looked_on(main: Callable[[], object]) -> set[str]:
    """The calls of C during `main` that a simulation must not make."""
    found: set[str] = set()
    clocks = {id(getattr(time, name)) for name in dir(time) if callable(getattr(time, name))}

    def called(frame: FrameType, event: str, function: Any) -> None:
        if event != "c_call":
            return
        name = function.__name__
        owner = getattr(function.__self__, "__name__", "")
        if id(function) in clocks or (owner, name) in _CLASS_METHODS:
            found.add(f"{owner}.{name}")
        elif owner == "builtins" and name in ("id", "hash"):
            where = str(frame.f_globals.get("__name__"))
            method = frame.f_code.co_name
            room = where.removeprefix("raftka.").partition(".")[0]
            if room in _OURS and method not in ("__hash__", "looked_on"):
                found.add(f"{name} in {where}")

    collecting = gc.isenabled()
    gc.disable()  # Between runs a collection may come at any time, and hypothesis times it.
    sys.setprofile(called)
    try:
        main()
    finally:
        sys.setprofile(None)
        if collecting:
            gc.enable()
    return found


def under_simulation(action: Callable[[], object]) -> Callable[[], object]:
    async def main() -> None:
        await trio.lowlevel.checkpoint()
        action()

    awaitable: Callable[[], Awaitable[None]] = main
    return lambda: run(awaitable, 1)


def _stamp(clock: Callable[[], float] = time.monotonic) -> float:
    return clock()


class _Stamps:
    clock = time.perf_counter_ns


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda: datetime.now(), "datetime.now"),
        (lambda: _stamp(), "time.monotonic"),
        (lambda: _Stamps.clock(), "time.perf_counter_ns"),
        (lambda: hash("x"), "hash in tests.test_real_world"),
        (lambda: id(object()), "id in tests.test_real_world"),
    ],
)
def test_a_call_that_cannot_be_refused_is_seen(action: Callable[[], object], words: str) -> None:
    assert words in looked_on(under_simulation(action))


def test_a_whole_run_makes_no_such_call() -> None:
    plan = replace(
        plan_for(Options(7, duration_s=4.0, faults=())),
        faults=(Step(2.1, "kill", "kill 0"), Step(2.5, "power-loss", "power-loss 0")),
    )
    acknowledged = 0

    def main() -> None:
        nonlocal acknowledged
        acknowledged = run_plan(plan).acked

    # A run's cost is measured outside it; an address goes into compiled code only.
    addresses = {"id in raftka.model.record_check", "id in raftka.model.record_walk"}
    assert looked_on(main) <= {"time.process_time", *addresses}
    assert acknowledged > 0
