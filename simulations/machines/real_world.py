"""The ways around the ports, which fail loudly while a simulation runs.

A hook refuses what Python announces (its audit events: files, sockets, processes, threads), for any
caller. Python announces no calls of clocks, random sources and queries of the machine: those
functions are replaced in every module that has them, also under another name (`from time import
monotonic`). The rest, default arguments and methods of classes in C, `datetime.now` above all, is
covered by tests/test_real_world.py, which reads the sources and profiles a run's calls of C.
"""

from __future__ import annotations

import _socket
import os
import random
import select
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

import trio

_CLOCKS: Final = (
    *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
    *("process_time", "process_time_ns", "thread_time", "thread_time_ns", "clock_gettime"),
    *("clock_gettime_ns", "localtime", "ctime", "sleep"),
)
_DATES: Final = {"gmtime": 0, "asctime": 0, "strftime": 1}
"""These use the current time only if the argument at that position is missing."""
_DICE: Final = (
    *("random", "randrange", "randint", "getrandbits", "randbytes", "choice", "choices", "sample"),
    *("shuffle", "uniform", "triangular", "gauss", "normalvariate", "expovariate", "betavariate"),
    *("lognormvariate", "vonmisesvariate", "gammavariate", "paretovariate", "weibullvariate"),
    "seed",
)
_MACHINE: Final = (
    *("urandom", "getrandom", "getpid", "getppid", "getcwd", "getlogin", "cpu_count", "uname"),
    *("times", "getloadavg", "sched_getaffinity", "access", "statvfs", "pipe", "eventfd", "kill"),
)
_LOOKS: Final = ("stat", "lstat")
_WAITS: Final = ("select", "poll", "epoll")
_ANNOUNCED: Final = (
    *("os", "socket", "subprocess", "_posixsubprocess", "shutil", "tempfile", "mmap", "fcntl"),
    *("glob", "pathlib", "signal", "_thread", "resource", "syslog", "urllib", "http", "sqlite3"),
)
"""Prefixes of audit events, up to the first dot; `open` and `time.sleep` are refused, too."""
_IMPORTED: Final = (".py", ".pyc", ".so")
_SPARED: Final = ("posix", "raftka.simulations.runs.run")
"""Imports use the one to find files; the other measures the cost of a run."""


class RealWorldTouched(AssertionError):
    """Code under simulation read the machine's clock or dice, or used its disk or a thread."""


class _Hook:
    """The audit hook, which Python never removes: installed once, armed by runs."""

    armed = False
    installed = False

    @classmethod
    def hear(cls, event: str, arguments: tuple[Any, ...]) -> None:
        if not cls.armed:
            return
        family = event.partition(".")[0]
        if event not in ("open", "time.sleep") and family not in _ANNOUNCED:
            return
        subject = arguments[0] if arguments else ""
        if not _is_import(event, subject):
            raise RealWorldTouched(f"{event} {subject!r} under simulation")


def _is_import(event: str, subject: object) -> bool:
    """A late import reads the disk."""
    if not isinstance(subject, str):
        return False
    if event in ("os.listdir", "os.scandir"):
        return subject in sys.path_importer_cache
    return event == "open" and subject.endswith(_IMPORTED)


def _refusal(name: str) -> Callable[..., Any]:
    def touched(*_: object, **__: object) -> None:
        raise RealWorldTouched(f"{name} was called under simulation")

    return touched


def _look(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """Tracebacks check whether a source file is still the same."""

    def looked(path: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(path, str) and path.endswith(_IMPORTED):
            return original(path, *arguments, **options)
        raise RealWorldTouched(f"{name} {path!r} under simulation")

    return looked


def _dated(name: str, place: int, original: Callable[..., Any]) -> Callable[..., Any]:
    def dated(*arguments: Any) -> Any:
        if len(arguments) > place and arguments[place] is not None:
            return original(*arguments)
        raise RealWorldTouched(f"time.{name} was called under simulation")

    return dated


def _seeded(original: Callable[..., Any]) -> Callable[..., Any]:
    def seed(self: random.Random, a: Any = None, *arguments: Any, **options: Any) -> None:
        if a is None:
            raise RealWorldTouched("a Random without a seed under simulation")
        original(self, a, *arguments, **options)

    return seed


def _replacements() -> dict[int, tuple[Any, Callable[..., Any]]]:
    """By id of a function: the function, and its replacement."""
    families: tuple[tuple[ModuleType, tuple[str, ...]], ...] = (
        (time, _CLOCKS),
        (random, _DICE),
        (os, _MACHINE),
        (select, _WAITS),
        (uuid, ("uuid1", "uuid4", "getnode")),
        (_socket, ("socketpair", "dup", "gethostname")),
    )
    found: dict[int, tuple[Any, Callable[..., Any]]] = {}
    for module, names in families:
        for name in names:
            if (original := getattr(module, name, None)) is not None:
                found[id(original)] = (original, _refusal(f"{module.__name__}.{name}"))
    for name, place in _DATES.items():
        original = getattr(time, name)
        found[id(original)] = (original, _dated(name, place, original))
    for name in _LOOKS:
        original = getattr(os, name)
        found[id(original)] = (original, _look(f"os.{name}", original))
    threads = trio.to_thread.run_sync
    found[id(threads)] = (threads, _refusal("trio.to_thread.run_sync"))
    return found


_REPLACED: Final = _replacements()
_ORIGINALS: Final = {id(new): original for original, new in _REPLACED.values()}


class _Places:
    """The places of those functions: in any module, under any name."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, list[tuple[Any, str, Callable[..., Any]]]]] = {}

    def all(self) -> Iterator[tuple[Any, str, Callable[..., Any]]]:
        for name, module in list(sys.modules.items()):
            known = self._known.get(name)
            if known is None or known[0] is not module:
                known = self._known[name] = (module, list(self._of(name, module)))
            yield from known[1]

    def _of(self, name: str, module: object) -> Iterator[tuple[Any, str, Callable[..., Any]]]:
        if name in _SPARED:
            return
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            if (found := _REPLACED.get(id(value))) is not None and found[0] is value:
                yield module, attribute, found[1]

    def mend(self, before: set[str]) -> None:
        """A module that was imported during a run has copied the replacement."""
        for name in set(sys.modules) - before:
            module = sys.modules[name]
            for attribute, value in list(getattr(module, "__dict__", {}).items()):
                if id(value) in _ORIGINALS:
                    setattr(module, attribute, _ORIGINALS[id(value)])


_PLACES: Final = _Places()


def look_around() -> None:
    """Search the loaded modules now, which the first run would do otherwise."""
    for _ in _PLACES.all():
        pass


@contextmanager
def out_of_reach() -> Iterator[None]:
    """Make the ways around the ports fail loudly."""
    if not _Hook.installed:
        sys.addaudithook(_Hook.hear)
        _Hook.installed = True
    changes: list[tuple[Any, str, Any]] = [
        *_PLACES.all(),
        (random.Random, "seed", _seeded(random.Random.seed)),
        (random.SystemRandom, "seed", _refusal("random.SystemRandom")),
        (threading.Thread, "start", _refusal("threading.Thread.start")),
    ]
    saved = [(place, name, vars(place)[name]) for place, name, _ in changes]
    before = set(sys.modules)
    writes_nothing = sys.dont_write_bytecode
    try:
        # Write no bytecode of a module that is imported late.
        sys.dont_write_bytecode = True
        for place, name, new in changes:
            setattr(place, name, new)
        _Hook.armed = True
        yield
    finally:
        _Hook.armed = False
        for place, name, old in saved:
            setattr(place, name, old)
        sys.dont_write_bytecode = writes_nothing
        _PLACES.mend(before)
