"""The rules of ARCHITECTURE.md that a machine can check: who imports whom, and what is pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("model", "storage", "kraft", "net", "broker", "client", "simulations", "raftka")

MAY_IMPORT = {
    "model": {"model"},
    "storage": {"model", "storage"},
    "kraft": {"model", "kraft"},
    "net": {"model", "net"},
    "broker": {"model", "storage", "kraft", "net", "broker"},
    "client": {"model", "net", "client", "raftka.version"},
    "simulations": set(PACKAGES),
    "raftka": set(PACKAGES),
}

# Modules that may touch the machine itself; everything else goes through model/world.py.
REAL_WORLD = {
    "net/clock.py",
    "net/transport.py",
    "storage/posix.py",
}
MACHINE = {"time", "random", "os", "socket", "threading", "subprocess", "asyncio", "select"}


def sources(package: str) -> Iterator[Path]:
    yield from sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_those_below_it(package: str) -> None:
    allowed = MAY_IMPORT[package]
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(package)
        for name in imported(path)
        if name.partition(".")[0] in PACKAGES
        and name.partition(".")[0] not in allowed
        and name not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["model", "storage", "kraft", "net", "broker"])
def test_time_chance_files_and_sockets_come_in_through_ports(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(package)
        if str(path.relative_to(ROOT)) not in REAL_WORLD
        for name in imported(path)
        if name.partition(".")[0] in MACHINE
    ]
    assert wrong == []


def test_pysyncobj_is_known_in_one_folder_only() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in sources(package)
        if "kraft/raft" not in str(path)
        and any(name.partition(".")[0] == "pysyncobj" for name in imported(path))
    ]
    assert wrong == []


def test_nothing_that_decides_waits() -> None:
    """Pure state machines are called with the time; trio is for those who do I/O."""
    pure = [
        *sources("model"),
        *sources("storage"),
        *(ROOT / "kraft").glob("*.py"),
        *(ROOT / "kraft" / "controller").glob("*.py"),
        ROOT / "broker" / "partition.py",
        ROOT / "net" / "connection.py",
        *(ROOT / "broker" / "coordinators").rglob("*.py"),
    ]
    running = {f"broker/coordinators/group/{name}.py" for name in ("hosting", "runtime", "service")}
    wrong = [
        str(path.relative_to(ROOT))
        for path in pure
        if str(path.relative_to(ROOT)) not in REAL_WORLD | running | {"storage/log_manager.py"}
        and any(name.partition(".")[0] == "trio" for name in imported(path))
    ]
    assert wrong == []
