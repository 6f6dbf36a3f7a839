"""Log lines that repeat: each kind is logged a few times, and then only counted."""

from __future__ import annotations

import re
from typing import Final

_SAID: Final = 5
"""So many lines of a kind are said as they are."""
_QUIET_S: Final = 60.0
"""After so long without one, a kind begins again."""
_NUMBERS: Final = re.compile(r"\d+")


class Repeats:
    """Remembers which lines came lately; two that differ in numbers only are of one kind."""

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[int, float, float]] = {}
        """(how many, when the first came, when the last)."""

    def said(self, line: str, now_s: float) -> str | None:
        """The line, or how often it came by now; None when its kind was logged often enough."""
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
