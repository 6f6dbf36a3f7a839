"""Stand-ins for an operating system and for packages without a wheel give the same results."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import crc32c as real
import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from raftka.kraft.raft.port import ReplicaKey
from raftka.kraft.raft.seams import Peer
from raftka.simulations.runs import golden
from raftka.simulations.sessions.engine import Engine
from raftka.simulations.wasm import checksums, operating, passwords, patterns
from raftka.simulations.wasm.served import Served

ROOT = Path(__file__).parents[3]

WITHOUT = """
import importlib.machinery, json, os, select, signal, socket, sys, time

finder = importlib.machinery.PathFinder
find = finder.find_spec

def elsewhere(name, path=None, target=None):
    taken = name.partition(".")[0] in ("crc32c", "re2", "lupa")
    return None if taken else find(name, path, target)

finder.find_spec = elsewhere

def fails(*_, **__):
    raise OSError("there is no such thing here")

for name in ("epoll", *(each for each in dir(select) if each.startswith("EPOLL"))):
    delattr(select, name)
socket.socketpair = fails
del signal.set_wakeup_fd, os.pidfd_open, time.CLOCK_MONOTONIC_RAW
clock_gettime, time.clock_gettime = time.clock_gettime, fails
sys.platform = "emscripten"

from raftka.simulations.wasm import stand_ins
missing = stand_ins.take_their_places()
time.clock_gettime = clock_gettime

from raftka.model import record_walk
from raftka.simulations.plan import Plan
from raftka.simulations.runs import golden
plan = next(path for path in golden.plans() if path.stem == "single-node")
print(json.dumps([missing, record_walk.load() is None, sys.platform, golden.found(plan)]))
"""


@pytest.mark.parametrize("name", ["sha256", "sha512"])
@pytest.mark.parametrize("iterations", [1, 2, 4096])
def test_keys_of_passwords_are_those_of_openssl(name: str, iterations: int) -> None:
    expected = hashlib.pbkdf2_hmac(name, b"secret", b"salt of it", iterations)
    assert passwords.pbkdf2_hmac(name, b"secret", b"salt of it", iterations) == expected


SHORT_COUNTS = """
import itertools, json

class Islice(itertools.islice):
    def __new__(cls, items, *bounds):
        if any(bound is not None and bound >= 2**31 for bound in bounds):
            raise ValueError("where pointers have 32 bits, no count is greater than 2**31 - 1")
        return super().__new__(cls, items, *bounds)

itertools.islice = Islice

from raftka.simulations.sessions.engine import Engine
engine = Engine()
session = {"scenario": "share_group", "seed": 1, "until_s": 3.0}
list(engine.handle({"id": 1, "op": "open", "session": session}))
*_, last = engine.handle({"id": 2, "op": "run", "session": "s1", "until_s": 3.0})
engine.close()
print(json.dumps([last["hash"], last["now_s"], last["violations"]]))
"""


def test_a_run_has_the_same_hash_with_all_stand_ins_as_with_none() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    missing, walks_in_python, platform, found = json.loads(done.stdout)
    assert missing == ["crc32c", "re2"]
    assert walks_in_python
    assert platform == "emscripten"
    plan = next(path for path in golden.plans() if path.stem == "single-node")
    assert found == golden.found(plan)


def test_members_of_a_share_group_fetch_where_counts_have_32_bits() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHORT_COUNTS], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    found, now_s, violations = json.loads(done.stdout)
    assert (now_s, violations) == (3.0, [])
    assert found == run_session({"scenario": "share_group", "seed": 1, "until_s": 3.0}, 3.0)


@given(st.binary(max_size=300), st.binary(max_size=30))
def test_the_table_gives_the_numbers_of_the_package(data: bytes, before: bytes) -> None:
    value = real.crc32c(before)
    assert checksums.crc32c(data, value) == real.crc32c(data, value) == real.crc32c(before + data)
    assert checksums.crc32c(memoryview(data)) == real.crc32c(data)


@pytest.mark.parametrize(
    ("pattern", "name"), [("t.*", "tx"), ("t.*", "x"), ("a|b", "b"), ("[0-9]+", "12a"), ("", "")]
)
def test_patterns_match_as_by_re2(pattern: str, name: str) -> None:
    options, theirs = patterns.Options(), re2.Options()
    options.log_errors = theirs.log_errors = False
    ours = patterns.module().compile(pattern, options).fullmatch(name)
    assert (ours is None) == (re2.compile(pattern, theirs).fullmatch(name) is None)


def test_a_pattern_that_is_none_raises_the_error_that_the_module_names() -> None:
    module = patterns.module()
    with pytest.raises(module.error):
        module.compile("(")


def test_a_pair_wakes_its_poller_up_once() -> None:
    left, right = operating.socketpair()
    poller = operating.Epoll()
    poller.register(left.fileno(), 1)
    assert poller.poll(0) == []
    right.send(b"x")
    assert poller.poll(0) == [(left.fileno(), 1)]
    assert left.recv(100) == b"\0"
    with pytest.raises(BlockingIOError):
        left.recv(100)
    left.close()
    assert poller.poll(0) == []


@pytest.mark.parametrize("id", [1, 2, 77, ReplicaKey(3, b"0" * 16)])
def test_a_peers_hash_is_the_same_where_pointers_have_32_bits(id: int | ReplicaKey) -> None:
    """Python truncates hashes that do not fit: sets of peers would have another order there."""
    assert 0 <= hash(Peer(id)) < 1 << 30


def test_a_page_with_its_own_engine_gets_the_answers_and_hashes_of_the_command_line() -> None:
    session = {"scenario": "lost_leader", "seed": 1, "until_s": 1.0}
    lines: list[str] = []
    served = Served(lines.append)
    served.ask(json.dumps({"id": 1, "op": "open", "session": session}))
    served.ask(json.dumps({"id": 2, "op": "run", "session": "s1", "until_s": 1.0}))
    served.ask(json.dumps({"id": 3, "op": "close", "session": "s1"}))
    served.ask("no JSON")
    answers = [json.loads(line) for line in lines]
    ran = next(each for each in answers if each.get("id") == 2 and "ok" in each)
    assert ran["hash"] == run_session(session)
    assert answers[-1]["error"]["code"] == "no-json"


def run_session(session: object, until_s: float = 1.0) -> str:
    """The hash under another engine, that of `raftka session`."""
    engine = Engine()
    list(engine.handle({"id": 1, "op": "open", "session": session}))
    *_, last = engine.handle({"id": 2, "op": "run", "session": "s1", "until_s": until_s})
    engine.close()
    return str(last["hash"])
