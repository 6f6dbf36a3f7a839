"""Repeated log lines: each kind is logged a few times, and then only counted."""

from __future__ import annotations

import re
from typing import Final

_SAID: Final = 5
"""How many lines of a kind are logged unchanged."""
_QUIET_S: Final = 60.0
"""After this many seconds without a line, a kind starts again."""
_NUMBERS: Final = re.compile(r"\d+")


class Repeats:
    """Tracks recent lines; two that differ only in numbers are of one kind."""

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[int, float, float]] = {}
        """(count, time of the first, time of the last)."""

    def said(self, line: str, now_s: float) -> str | None:
        """The line, later with its count; None if its kind was logged often enough."""
        kind = _NUMBERS.sub("#", line)
        count, first_s, last_s = self._kinds.get(kind, (0, now_s, now_s))
        if now_s - last_s > _QUIET_S:
            count, first_s = 0, now_s
        count += 1
        self._kinds[kind] = (count, first_s, now_s)
        if count <= _SAID:
            return line
        if count & (count - 1):
            return None
        return f"{line} (the {count}th time in {now_s - first_s:.0f} s)"
