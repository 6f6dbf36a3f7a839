"""Structured logging: each line is a sentence, followed by names with values.

    log = get_logger(__name__)
    log.info(f"broker {id_} is unfenced", broker_epoch=epoch)

A logger is named after its module. The level of one that has none of its own is that of the
nearest name above it: raftka.broker.lifecycle, raftka.broker, raftka, root. Levels can change
while a node runs (KIP-412). Lines go to the sinks of the process: raftka/logs.py prints them; a
trace and the simulator add sinks of their own.

Why not a library: a node needs no more than this page, and importing structlog took a third of the
time in which a node starts.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from raftka.model.named_tuple import NamedTuple

ROOT: Final = "root"


class Level(enum.IntEnum):
    """Log levels, by Kafka's names."""

    TRACE = 5
    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40
    FATAL = 50


class Line(NamedTuple):
    """One line of a log."""

    level: str
    """debug, info, warning or error."""
    logger: str
    words: str
    details: dict[str, Any]
    exception: str | None = None
    """The traceback, if there is one."""


Sink = Callable[[Line], None]


class Logger:
    """Writes lines of its level and above to every sink."""

    __slots__ = ("is_debug", "level", "name", "own")

    def __init__(self, name: str) -> None:
        self.name = name
        self.own: Level | None = None
        """The level that was set for this name; None to inherit it."""
        self.level = Level.INFO
        self.is_debug = False
        """Whether debug lines are written: on a hot path, check this before formatting one."""

    def debug(self, words: str, **details: Any) -> None:
        if self.is_debug:
            _write(Line("debug", self.name, words, details))

    def info(self, words: str, **details: Any) -> None:
        if self.level <= Level.INFO:
            _write(Line("info", self.name, words, details))

    def warning(self, words: str, **details: Any) -> None:
        if self.level <= Level.WARN:
            _write(Line("warning", self.name, words, details))

    def error(self, words: str, **details: Any) -> None:
        if self.level <= Level.ERROR:
            _write(Line("error", self.name, words, details))

    def exception(self, words: str, **details: Any) -> None:
        """Log an error, with the traceback of the exception that is being handled."""
        if self.level <= Level.ERROR:
            import traceback

            _write(Line("error", self.name, words, details, traceback.format_exc().rstrip()))

    def follow(self, level: Level) -> None:
        """Adopt the level that applies to this name."""
        self.level = level
        self.is_debug = level <= Level.DEBUG


_loggers: dict[str, Logger] = {ROOT: Logger(ROOT)}
_sinks: list[Sink] = []


def get_logger(name: str) -> Logger:
    """The logger of that name; its ancestors are created too."""
    found = _loggers.get(name)
    if found is None:
        found = _loggers[name] = Logger(name)
        found.follow(_parent(name).level)
    return found


def _parent(name: str) -> Logger:
    above = name.rpartition(".")[0]
    return get_logger(above) if above else _loggers[ROOT]


def levels() -> dict[str, Level]:
    """The level of every existing logger, by name, including `root`."""
    return {name: _loggers[name].level for name in sorted(_loggers)}


def exists(name: str) -> bool:
    """Whether there is a logger of that name."""
    return name in _loggers


def set_level(name: str, level: Level | None) -> None:
    """Set a logger's level, which descendants without a level inherit; None removes it.

    Raises KeyError for an unknown logger, ValueError for None on the root logger.
    """
    logger = _loggers[name]
    if level is None and name == ROOT:
        raise ValueError("the root logger keeps a level")
    logger.own = level
    # Parents sort before their children.
    for each in (_loggers[ROOT], *(_loggers[key] for key in sorted(_loggers) if key != ROOT)):
        inherited = each.level if each.name == ROOT else _parent(each.name).level
        each.follow(inherited if each.own is None else each.own)


def add_sink(sink: Sink) -> None:
    """Also send every line to `sink`."""
    _sinks.append(sink)


def remove_sink(sink: Sink) -> None:
    """Stop sending lines to it."""
    _sinks.remove(sink)


@contextmanager
def captured(sink: Sink | None = None, level: Level = Level.INFO) -> Iterator[list[Line]]:
    """Send lines of `level` and above only to `sink`, or into the list."""
    lines: list[Line] = []
    sinks, own = list(_sinks), {name: logger.own for name, logger in _loggers.items()}
    _sinks[:] = [lines.append if sink is None else sink]
    for logger in _loggers.values():
        logger.own = None
    set_level(ROOT, level)
    try:
        yield lines
    finally:
        _sinks[:] = sinks
        for name, logger in _loggers.items():
            logger.own = own.get(name)
        set_level(ROOT, own[ROOT] or Level.INFO)


def _write(line: Line) -> None:
    for sink in _sinks:
        sink(line)
    if not _sinks and line.level in ("warning", "error"):
        # No sink is configured yet: warnings and errors must not be lost.
        trace = "" if line.exception is None else f"\n{line.exception}"
        sys.stderr.write(f"{line.logger}: {line.words} {line.details or ''}{trace}\n")
