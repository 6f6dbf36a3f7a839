"""What nodes and clients log while they are simulated goes into the trace.

A line that carries an exception is a defect that the code under test caught by itself; the run is
told, since production would only have logged it.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

import structlog

current_node: ContextVar[str] = ContextVar("current_node", default="")
"""Which process the running task belongs to."""

Sink = Callable[[str, str, str, dict[str, Any]], None]
"""(node, level, words, details); an exception's traceback is among the details."""

_sink: Sink | None = None


def _capture(_: object, method: str, event: MutableMapping[str, Any]) -> NoReturn:
    details = dict(event)
    words = str(details.pop("event", ""))
    if details.pop("exc_info", None) or method == "exception":
        details["exception"] = traceback.format_exc()
    if _sink is not None:
        _sink(current_node.get(), method, words, details)
    raise structlog.DropEvent


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if _sink is not None:
            details: dict[str, Any] = {}
            if record.exc_info:
                details["exception"] = "".join(traceback.format_exception(*record.exc_info))
            _sink(current_node.get(), record.levelname.lower(), record.getMessage(), details)


def configure() -> None:
    """Send all lines here, before anything logs. Once per process."""
    structlog.configure(
        processors=[_capture],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    clients = logging.getLogger("raftka")
    if not any(isinstance(handler, _Handler) for handler in clients.handlers):
        clients.addHandler(_Handler())
    clients.setLevel(logging.INFO)
    clients.propagate = False


@contextmanager
def captured(sink: Sink) -> Iterator[None]:
    """Give the lines of one run to `sink`."""
    global _sink
    _sink = sink
    try:
        yield
    finally:
        _sink = None
