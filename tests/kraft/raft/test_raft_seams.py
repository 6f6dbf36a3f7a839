"""The contract with pysyncobj: the names that seams.py uses, and those that must be unreachable."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from random import Random

import pysyncobj.pickle
import pysyncobj.syncobj as library
import pysyncobj.version
import pytest

from raftka.kraft.raft import seams
from raftka.kraft.raft.engine import Engine
from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.port import QuorumSettings, ReplicaKey, Voter
from raftka.kraft.raft.store import Store
from raftka.simulations.machines.disk import SimDisk
from raftka.simulations.machines.medium import Medium

FOLDER = Path(seams.__file__).parent


def single() -> Engine:
    return Engine(
        ReplicaKey(1, b"a" * 16),
        Store(SimDisk(Medium(Random(1))), "/log"),
        can_vote=True,
        static_voters=VoterSet([Voter(1)]),
        settings=QuorumSettings(),
        dice=Random(1),
        now=5.0,
    )


def test_the_version_is_the_one_that_was_audited() -> None:
    assert pysyncobj.version.VERSION == seams.SUPPORTED_VERSION == "0.3.17"


@pytest.mark.parametrize("name", seams.METHODS)
def test_a_private_method_exists(name: str) -> None:
    assert callable(getattr(library.SyncObj, f"_SyncObj__{name}"))


@pytest.mark.parametrize("name", seams.ATTRIBUTES)
def test_a_private_attribute_exists(name: str) -> None:
    stock = ast.parse(Path(library.__file__).read_text())
    written = {
        node.attr
        for node in ast.walk(stock)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    assert f"__{name}" in written


@pytest.mark.parametrize("name", seams.GLOBALS)
def test_a_global_is_replaced(name: str) -> None:
    assert hasattr(library, name)


def test_every_private_name_in_use_is_declared_and_in_one_file() -> None:
    declared = {f"_SyncObj__{name}" for name in (*seams.METHODS, *seams.ATTRIBUTES)}
    for path in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(path.read_text())
        used = {
            name
            for node in ast.walk(tree)
            for name in (getattr(node, "attr", None), getattr(node, "name", None))
            if isinstance(name, str) and name.startswith("_SyncObj__")
        }
        assert used <= (declared if path.name == "seams.py" else set()), path


def test_names_of_the_library_s_messages_stand_in_one_file() -> None:
    theirs = {*seams._OURS, "prevLogTerm", "nextNodeIdx"}
    top = FOLDER.parent.parent
    for package in ("kraft", "broker", "tracing", "simulations"):
        for path in sorted((top / package).rglob("*.py")):
            if path != FOLDER / "seams.py":
                assert not [name for name in theirs if name in path.read_text()], path


def test_pickle_cannot_be_reached() -> None:
    for name in ("loads", "dumps", "load", "dump"):
        with pytest.raises(seams.PickleReached):
            getattr(pysyncobj.pickle, name)(b"cos\nsystem\n(S'true'\ntR.")
    engine = single()
    with pytest.raises(seams.PickleReached):
        engine.setCodeVersion(0)


def test_an_engine_has_no_thread_no_socket_and_no_pipe() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    engines = [single() for _ in range(20)]
    for engine in engines:
        engine.at(6.0)
        engine.tick()
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert engines[0].__dict__["_SyncObj__thread"] is None


def test_a_peer_hashes_the_same_everywhere() -> None:
    assert hash(seams.Peer(3)) == 102406062
    assert hash(seams.Peer(ReplicaKey(3, b"d" * 16))) == 486190863


def test_only_tests_and_the_simulator_switch_rules_off() -> None:
    root = FOLDER.parent.parent
    callers = [
        str(path.relative_to(root))
        for package in ("model", "storage", "kraft", "net", "broker", "client", "raftka")
        for path in sorted((root / package).rglob("*.py"))
        if re.search(
            r"rules_off=(?!(self\.|node\.|model\.)?_?rules_off\b|sorted\(rule\.name)",
            path.read_text(),
        )
    ]
    assert callers == []
    assert single()._off == frozenset()
