"""Log lines on standard output: time, level, message and details.

2026-11-22 21:17:07.123+01:00 INFO    broker 1 is registered broker_epoch=3

With raftka.log.format=json each line is an object, for collectors such as Loki or Elasticsearch:

{"time": "2026-11-22T21:17:07.123+01:00", "level": "INFO", "logger": "raftka.broker.lifecycle",
"message": "broker 1 is registered", "broker_epoch": 3}
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from raftka.model import logs
from raftka.model.logs import Level, Line

LEVELS: Final = {
    "trace": Level.TRACE,
    "debug": Level.DEBUG,
    "info": Level.INFO,
    "warning": Level.WARN,
    "error": Level.ERROR,
}


def configure(level: str = "info") -> None:
    """Log to standard output from `level` on. Raises ValueError for an unknown level."""
    if level not in LEVELS:
        raise ValueError(f"log level {level!r} is none of {', '.join(LEVELS)}")
    logs.set_level(logs.ROOT, LEVELS[level])
    logs.add_sink(_print)


def use_format(name: str) -> None:
    """Write later lines in the form of raftka.log.format: "text" or "json"."""
    global _render
    _render = FORMATS[name]


def name_node(node_id: int) -> None:
    """Add the node's id to each line, since several nodes share one output."""
    global _node
    _node = node_id


def _print(line: Line) -> None:
    # One write for each line, so that other writers cannot come between.
    sys.stdout.write(_render(line) + "\n")
    sys.stdout.flush()


def _now(separator: str) -> str:
    """The local time to the millisecond, with its distance from UTC."""
    global _second, _date_and_time, _zone
    second, rest = divmod(time.time(), 1)
    if second != _second:  # Thousands of elections are logged in one.
        text = datetime.fromtimestamp(second).astimezone().isoformat()
        _second, _date_and_time, _zone = second, text[:19], text[19:]
    separated = f"{_date_and_time[:10]}{separator}{_date_and_time[11:]}"
    return f"{separated}.{int(rest * 1000):03}{_zone}"


def render(line: Line) -> str:
    """The line as it is printed, without its end."""
    now = _now(" ")
    words = line.words.replace("\n", " | ")
    details = "".join(f" {name}={quoted(value)}" for name, value in line.details.items())
    who = "" if _node is None else f"[node {_node}] "
    text = f"{now} {line.level.upper():7} {who}{words}{details}"
    return text if line.exception is None else f"{text}\n{line.exception}"


def render_json(line: Line) -> str:
    """The line as one JSON object, without its end; details never override the first keys."""
    found: dict[str, object] = {
        "time": _now("T"),
        "level": line.level.upper(),
        "logger": line.logger,
        "message": line.words,
    }
    if _node is not None:
        found["node"] = _node
    if line.exception is not None:
        found["exception"] = line.exception
    for name, value in line.details.items():
        found[f"{name}_" if name in found else name] = value
    return json.dumps(found, default=_plain, ensure_ascii=False)


def _plain(value: object) -> object:
    """Values that JSON cannot represent."""
    return sorted(value, key=str) if isinstance(value, set | frozenset) else str(value)


FORMATS: Final[dict[str, Callable[[Line], str]]] = {"text": render, "json": render_json}
_UNSAFE: Final = re.compile(r'[\s"=]')
_render = render
_node: int | None = None
_second = -1.0
_date_and_time = _zone = ""
"""Of that second, as they are written."""


def unquoted(text: str) -> str:
    """The inverse of `quoted`."""
    if not text.startswith('"'):
        return text
    return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")


def quoted(value: object) -> str:
    """A detail's value: a list without spaces; in quotes if empty, or with spaces or quotes."""
    if isinstance(value, list | tuple | set | frozenset):
        value = f"[{','.join(map(str, value))}]"
    text = str(value).replace("\n", " | ")
    if text and _UNSAFE.search(text) is None:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
