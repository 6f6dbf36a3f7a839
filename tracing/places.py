"""Finds the source line of a decision, by the code of its reason.

It is looked up in the running compiled code, by the function that contains the code; so it is right
for this commit, even if the sources are not available.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from functools import cache, reduce
from types import CodeType, ModuleType
from typing import Any, Final

from raftka.model.reasons import SENTENCES, rule_of

_ROOMS: Final = (
    *("raftka.kraft.controller", "raftka.kraft.raft", "raftka.broker.controller"),
    "raftka.broker.replication",
)
"""The packages that take decisions."""


_LINES: Final = {
    "leader-silent": ("raftka.kraft.raft.elections", "Elections.may_start_election"),
    "leader-resigned": ("raftka.kraft.raft.elections", "Elections.leader_gone"),
    "link-broke": ("raftka.kraft.raft.elections", "Elections.leader_gone"),
    "vote-granted": ("raftka.kraft.raft.elections", "Elections.receive_request_vote"),
    "majority": ("raftka.kraft.raft.elections", "Elections.receive_response_vote"),
    "quorum-diverged": ("raftka.kraft.raft.follower", "Follower.truncate_from"),
    "diverged": ("raftka.broker.replication.following", "Following._diverged"),
    "torn-end": ("raftka.storage.recovery", "_Opening._cut"),
}
"""Decisions without a reason code, which observers add: the functions that take them."""


def explained(code: str) -> dict[str, str]:
    """`rule` and `where` of a decision, for its event."""
    found = {"rule": rule_of(code)}
    if (where := places().get(code.rpartition(".")[2])) is not None:
        found["where"] = where
    return found


@cache
def places() -> dict[str, str]:
    """By code: "kraft/controller/election.py:141"."""
    found: dict[str, str] = {}
    for code, (module_name, path) in _LINES.items():
        if (module := sys.modules.get(module_name)) is not None:
            function: Any = reduce(getattr, path.split("."), module)
            found[code] = f"{_file(module_name)}:{function.__code__.co_firstlineno}"
    for module in _modules():
        name = _file(module.__name__)
        for value in list(vars(module).values()):
            for function in _functions(value, module.__name__):
                # Methods of dataclasses are compiled from generated source.
                if function.co_filename.endswith(name):
                    for code, line in _named(function):
                        found.setdefault(code, f"{name}:{line}")
    return found


def _file(module: str) -> str:
    return module.removeprefix("raftka.").replace(".", "/") + ".py"


def _modules() -> Iterator[ModuleType]:
    """The loaded modules of these packages: a module that has decided was imported."""
    for name, module in sorted(sys.modules.items()):
        if name.rpartition(".")[0] in _ROOMS:
            yield module


def _functions(value: object, module: str) -> Iterator[CodeType]:
    if getattr(value, "__module__", None) != module:
        return
    if isinstance(code := getattr(value, "__code__", None), CodeType):
        yield from _with_inner(code)
    elif isinstance(value, type):
        for each in vars(value).values():
            function = getattr(each, "__func__", None) or getattr(each, "fget", None) or each
            if isinstance(code := getattr(function, "__code__", None), CodeType):
                yield from _with_inner(code)


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _with_inner(each)


def _named(function: CodeType) -> Iterator[tuple[str, int]]:
    """The codes that a function contains, each with the line."""
    if not any(isinstance(each, str) and each in SENTENCES for each in function.co_consts):
        return
    line = function.co_firstlineno
    for each in dis.get_instructions(function):
        if each.positions is not None and each.positions.lineno is not None:
            line = each.positions.lineno
        if (
            isinstance(each.argval, str)
            and each.argval in SENTENCES
            and each.opcode in dis.hasconst
        ):
            yield each.argval, line
