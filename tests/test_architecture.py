"""The rules of ARCHITECTURE.md that a machine can check: allowed imports, and pure modules."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.import_circles import Import, circles, imports_in, imports_of

ROOT = Path(__file__).parent.parent
PACKAGES = (
    *("model", "storage", "kraft", "net", "broker", "client", "tracing", "simulations"),
    *("lessons", "raftka"),
)
"""The folders; all but `raftka` itself are imported as raftka.<folder>."""

MAY_IMPORT = {
    "model": {"model"},
    "storage": {"model", "storage"},
    "kraft": {"model", "kraft"},
    "net": {"model", "net"},
    "broker": {"model", "storage", "kraft", "net", "broker"},
    "client": {"model", "net", "client"},
    "tracing": {"model", "kraft", "net", "broker", "tracing"},
    "simulations": set(PACKAGES) - {"lessons"},
    "lessons": {"model", "client", "simulations", "raftka", "lessons"},
    "raftka": set(PACKAGES),
}

# The simulator's rooms, and the files beside them. `runs`, `scenarios` and `story` know all.
SIMULATOR = {
    "machines": {"machines", "trace"},
    "trace": {"machines", "trace_file"},
    "observers": {"machines", "observers", "trace", "violation"},
    "checkers": {"machines", "observers", "checkers", "trace", "violation"},
    "oversight": {"machines", "observers", "checkers", "plan", "trace", "violation"},
    "world": {"machines", "oversight", "plan", "trace", "violation"},
    "load": {"machines", "observers", "checkers", "world", "plan", "load", "violation"},
    "faults": {"machines", "observers", "world", "load", "faults"},
    "aftermath": {"machines", "checkers", "world", "load", "aftermath", "violation"},
}

# Modules that may touch the machine itself; everything else goes through model/ports.py, which
# tests/test_real_world.py checks.
REAL_WORLD = {
    "net/clock.py",
    "net/security/certificates.py",
    # Files of tokens and of issuers' keys, as those of certificates.
    "net/security/issuer_keys.py",
    "net/security/token_source.py",
    "net/security/openssl.py",
    "net/transport.py",
    "storage/apart.py",
    "storage/apart_process.py",
    "storage/posix.py",
    "storage/posix_files.py",
}

# Modules that wait. All other modules of a server are called with the time.
SERVER = ("model", "storage", "kraft", "net", "broker")
WAITS = {
    "storage/log_manager.py",
    *(f"kraft/raft/{name}.py" for name in ("driver", "link", "links", "quorum")),
    *(
        f"net/{name}.py"
        for name in ("answers", "channel", "dispatch", "futures", "reactor", "server")
    ),
    *(f"broker/coordinators/{name}.py" for name in ("host", "hosted_partition", "runtime")),
    "broker/coordinators/transaction/marker_sender.py",
    "broker/coordinators/group/share/service.py",
    *(f"broker/share/{name}.py" for name in ("dead_letters", "partitions", "persister")),
    *(f"broker/controller/{name}.py" for name in ("log", "service", "writer")),
    *(f"net/security/{name}.py" for name in ("http", "issuer_keys")),
    *(f"broker/metrics/{name}.py" for name in ("end_offsets", "http")),
    *(
        f"broker/replication/{name}.py"
        for name in (
            "alter_partition",
            "data_plane",
            "deadlines",
            "joining",
            "leader_fetcher",
            "producer_ids",
            "replica_fetchers",
        )
    ),
    *(
        f"broker/{name}.py"
        for name in (
            "channels",
            "cleaning",
            "coordination",
            "housekeeping",
            "lifecycle",
            "metadata_loader",
            "no_controller",
            "pacing",
            "peers",
            "serve",
            "suspects",
        )
    ),
}

WRITTEN = (*PACKAGES, "benchmarks", "tests")
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 70
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LINES = {
    "tests/broker/handlers/test_fetch.py": 420,
    "tests/broker/replication/test_partition.py": 430,
    "tests/kraft/raft/test_raft_quorum.py": 420,
    "tests/support/data_plane.py": 440,
    "tests/support/partition_model.py": 560,
}
"""The exceptions, and how far they go."""


@cache
def sources(package: str) -> Sequence[Path]:
    """Each file once: raftka/ has a link to each of the other folders."""
    return sorted(
        path
        for path in (ROOT / package).rglob("*.py")
        if not any(parent.is_symlink() for parent in path.parents)
    )


def written(package: str) -> Iterator[Path]:
    """Without what is generated."""
    generated = ROOT / "net" / "protocol" / "messages"
    yield from (path for path in sources(package) if generated not in path.parents)


class Facts(NamedTuple):
    """The facts about a file for these tests."""

    imports: Sequence[Import]
    lines: int
    functions: Sequence[tuple[str, int]]
    """(name, lines)."""
    has_docstring: bool
    """An empty file needs none."""
    undocumented: Sequence[str]
    """Public classes without a docstring."""


@cache
def facts(path: Path) -> Facts:
    """Each file is parsed once for all tests, since parsing takes most of their time."""
    text = path.read_text()
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    return Facts(
        imports_in(nodes),
        text.count("\n"),
        [
            (node.name, (node.end_lineno or 0) - node.lineno + 1)
            for node in nodes
            if isinstance(node, FUNCTIONS)
        ],
        not tree.body or bool(ast.get_docstring(tree)),
        [
            node.name
            for node in tree.body
            if isinstance(node, ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ],
    )


def imported(path: Path) -> Iterator[str]:
    yield from (each.module for each in facts(path).imports)


def folder_of(module: str) -> str | None:
    """The folder of the repository that a module is in; None for modules that are not ours."""
    names = module.split(".")
    if names[0] != "raftka":
        return None
    return names[1] if len(names) > 1 and names[1] in PACKAGES else "raftka"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_those_below_it(package: str) -> None:
    allowed = MAY_IMPORT[package]
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(package)
        for name in imported(path)
        if (folder := folder_of(name)) is not None and folder not in allowed
    ]
    assert wrong == []


def test_a_room_of_the_simulator_imports_only_those_below_it() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("simulations")
        if (allowed := SIMULATOR.get(path.relative_to(ROOT).with_suffix("").parts[1])) is not None
        for name in imported(path)
        if name.startswith("raftka.simulations.") and name.split(".")[2] not in allowed
    ]
    assert wrong == []


def test_no_modules_import_each_other() -> None:
    """Imports for type checkers only, and late ones, make a circle, too."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in sources(package)
    }
    named = {
        name if name.startswith("raftka") else f"raftka.{name}": facts(path).imports
        for name, path in modules.items()
    }
    found = circles(imports_of(named))
    assert [sorted(circle) for circle in found] == []


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
    """Pure state machines are called with the time; trio is for modules that do I/O."""
    wrong = [
        name
        for package in SERVER
        for path in sources(package)
        if (name := str(path.relative_to(ROOT))) not in WAITS | REAL_WORLD
        and any(module.partition(".")[0] == "trio" for module in imported(path))
    ]
    assert wrong == []
    assert [name for name in sorted(WAITS | REAL_WORLD) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("package", WRITTEN)
def test_files_and_functions_fit_on_a_few_screens(package: str) -> None:
    wrong = []
    for path in written(package):
        name = str(path.relative_to(ROOT))
        if facts(path).lines > LINES.get(name, MOST_LINES):
            wrong.append(f"{name} has {facts(path).lines} lines")
        wrong += [
            f"{name}: {function} has {size} lines"
            for function, size in facts(path).functions
            if size > MOST_LINES_OF_A_FUNCTION
        ]
    assert wrong == []


@pytest.mark.parametrize("package", WRITTEN)
def test_every_module_says_what_it_is(package: str) -> None:
    wrong = [
        str(path.relative_to(ROOT)) for path in written(package) if not facts(path).has_docstring
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["net", "broker", "client", "tracing", "raftka"])
def test_every_public_class_says_what_it_is(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in written(package)
        for name in facts(path).undocumented
    ]
    assert wrong == []


def test_the_promises_of_the_handlers_are_current() -> None:
    """In a process of its own: the handlers are imported without the promises."""
    command = [sys.executable, "-m", "raftka.broker.generate_promises"]
    done = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run: {' '.join(command)}\n{done.stdout}{done.stderr}"


def test_handlers_has_handlers_only() -> None:
    """broker/promises.py lists the handlers in the folder, and no other place names one."""
    folder = ROOT / "broker" / "handlers"
    others = {path.stem for path in folder.glob("*.py") if "\n@handles(" not in path.read_text()}
    assert others == {"__init__"}


def test_every_message_is_used() -> None:
    used = {name for package in PACKAGES for path in sources(package) for name in imported(path)}
    messages = {path.stem for path in (ROOT / "net" / "protocol" / "schema").glob("*.txt")}
    unused = {stem for stem in messages if f"raftka.net.protocol.messages.{stem}" not in used}
    assert not unused


def test_every_dependency_is_used_and_declared() -> None:
    """pytest is there wherever the fixtures are imported; extras are optional."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"]]
    declared += [*extras["pkcs12"], *extras["oauth"], *extras["learn"]]
    names = {re.split("[^a-zA-Z0-9-]", line)[0].removeprefix("google-") for line in declared}
    names = {"jwt" if name == "PyJWT" else name for name in names}
    used = {
        module.partition(".")[0]
        for package in PACKAGES
        for path in sources(package)
        for module in imported(path)
    }
    assert used - set(sys.stdlib_module_names) - {"raftka", "pytest"} == names


def test_the_files_that_architecture_names_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    named = re.findall(rf"`((?:{'|'.join(PACKAGES)})/[\w/.]+)`", text)
    assert len(named) > 20
    missing = [
        name for name in named if not (ROOT / name).exists() and not (ROOT / f"{name}.py").exists()
    ]
    assert missing == []
