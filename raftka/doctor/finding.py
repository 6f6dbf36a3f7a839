"""A problem that the doctor found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_SHOWN = 3


class Finding(NamedTuple):
    """One problem."""

    what: str
    """In a sentence, with what was found."""
    remedy: str
    """What to do, in a sentence."""


def some(names: Iterable[object]) -> str:
    """A few of them, and how many more there are."""
    found = [str(name) for name in names]
    more = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
