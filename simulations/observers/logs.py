"""What nodes and clients log while they are simulated goes into the trace.

A line that carries an exception is a defect that the code under test caught by itself; the run is
told, since production would only have logged it.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, NoReturn

import structlog

current_node: ContextVar[str] = ContextVar("current_node", default="")
"""Which process the running task belongs to."""

_LOGGER: Final = type(structlog.get_logger())
Sink = Callable[[str, str, str, dict[str, Any]], None]
"""(node, level, words, details); an exception's traceback is among the details."""


@contextmanager
def captured(sink: Sink) -> Iterator[None]:
    """Give the lines of one run to `sink`; afterwards lines go where they went before."""
    found = structlog.get_config() if structlog.is_configured() else None
    clients = logging.getLogger("raftka")
    level, propagate = clients.level, clients.propagate
    handler = _Handler(sink)
    with _nothing_kept():
        structlog.configure(
            processors=[partial(_capture, sink)],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=lambda *_: None,
            # Loggers live as long as their modules: one that is kept outlives the run.
            cache_logger_on_first_use=False,
        )
        clients.addHandler(handler)
        clients.setLevel(logging.INFO)
        clients.propagate = False
        try:
            yield
        finally:
            clients.removeHandler(handler)
            clients.setLevel(level)
            clients.propagate = propagate
            structlog.reset_defaults()
            if found is not None:
                structlog.configure(**found)


def _capture(sink: Sink, _: object, method: str, event: MutableMapping[str, Any]) -> NoReturn:
    details = dict(event)
    words = str(details.pop("event", ""))
    if details.pop("exc_info", None) or method == "exception":
        details["exception"] = traceback.format_exc()
    sink(current_node.get(), method, words, details)
    raise structlog.DropEvent


class _Handler(logging.Handler):
    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        details: dict[str, Any] = {}
        if record.exc_info:
            details["exception"] = "".join(traceback.format_exception(*record.exc_info))
        self._sink(current_node.get(), record.levelname.lower(), record.getMessage(), details)


@contextmanager
def _nothing_kept() -> Iterator[None]:
    """Loggers that were used before may have kept where their lines went then."""
    kept: list[tuple[Any, Any]] = []
    for module in list(sys.modules.values()):
        logger = getattr(module, "__dict__", {}).get("log")
        if type(logger) is _LOGGER and "bind" in vars(logger):
            kept.append((logger, vars(logger).pop("bind")))
    try:
        yield
    finally:
        for logger, bind in kept:
            logger.bind = bind
