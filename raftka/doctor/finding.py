"""A problem that the doctor found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_SHOWN = 3


class Finding(NamedTuple):
    """One problem."""

    what: str
    """The problem in a sentence, with the values found."""
    remedy: str
    """The remedy in a sentence."""


def some(names: Iterable[object]) -> str:
    """The first few items, and the number of others."""
    found = [str(name) for name in names]
    more = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
