"""One event as written: the common fields in order, then its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def event_of(
    number: int,
    seconds: float,
    kind: str,
    node: str | None,
    cause: int | None,
    fields: Mapping[str, Any],
) -> dict[str, Any]:
    """An event; `seconds` since the start."""
    event: dict[str, Any] = {"id": number, "t": round(seconds, 6), "kind": kind}
    if node is not None:
        event["node"] = node
    if cause is not None:
        event["cause"] = cause
    event.update(fields)
    return event


def line_of(event: Mapping[str, Any]) -> str:
    """Its line of JSON, without the end of the line."""
    return json.dumps(event, default=str, separators=(",", ":"))
