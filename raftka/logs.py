"""Log lines: time, level, and what happened in words, one line each on standard output.

`configure` must run before anything else imports structlog.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(level: str = "info") -> None:
    """Log to standard output from `level` on. Raises ValueError for a level that is none."""
    if level not in LEVELS:
        raise ValueError(f"log level {level!r} is none of {', '.join(LEVELS)}")
    structlog = _import_without_rich()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, render],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )


def render(logger: object, method: str, event: MutableMapping[str, Any]) -> str:
    """2026-11-22 21:17:07.123 INFO  what happened, name=value."""
    now = datetime.now().isoformat(" ", "milliseconds")
    words = str(event.pop("event", "")).replace("\n", " | ")
    trace = event.pop("exception", None)
    details = "".join(f" {name}={value}" for name, value in event.items())
    line = f"{now} {method.upper():7} {words}{details}"
    return f"{line}\n{trace}" if trace else line


def _import_without_rich() -> Any:
    """structlog, which would import rich to draw tracebacks that are never drawn here.

    That is 60 of the 110 ms that importing it costs, and a node has 500 ms for its whole start.
    """
    hidden = "rich" not in sys.modules
    if hidden:
        sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog
    finally:
        if hidden:
            del sys.modules["rich"]
    return structlog
