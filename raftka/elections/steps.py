"""The steps of an election, from events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One step of an election, before or after it."""

    at_s: float
    """Seconds since 1970."""
    words: str
    node: str | None = None
    """The node that noticed or did it; None for a decision of the cluster."""
