"""Writes the log lines of simulated nodes and clients into the trace.

A line that carries an exception is a defect that the code under test caught by itself; it is
reported, since production would only have logged it.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from raftka.model import logs
from raftka.simulations.machines.life import current_node

Sink = Callable[[str, str, str, dict[str, Any]], None]
"""(node, level, words, details); an exception's traceback is among the details."""


@contextmanager
def captured(sink: Sink) -> Iterator[None]:
    """Pass the log lines of one run to `sink`; restore the sinks afterwards."""
    clients = logging.getLogger("raftka")
    level, propagate = clients.level, clients.propagate
    handler = _Handler(sink)

    def take(line: logs.Line) -> None:
        details = dict(line.details)
        if line.exception is not None:
            details["exception"] = line.exception
        sink(current_node.get(), line.level, line.words, details)

    with logs.captured(take):
        clients.addHandler(handler)
        clients.setLevel(logging.INFO)
        clients.propagate = False
        try:
            yield
        finally:
            clients.removeHandler(handler)
            clients.setLevel(level)
            clients.propagate = propagate


class _Handler(logging.Handler):
    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        details: dict[str, Any] = {}
        if record.exc_info:
            details["exception"] = "".join(traceback.format_exception(*record.exc_info))
        self._sink(current_node.get(), record.levelname.lower(), record.getMessage(), details)
