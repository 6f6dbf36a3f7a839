"""Small fetches: limits that a minute's records would otherwise never reach, and backlogs.

While a response has room for everything, no partition waits for its turn. So in some runs followers
or consumers or both have limits of about a batch, a topic has many partitions, a reader starts
late, and brokers keep few fetch sessions or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Final

_SMALL: Final = [1, 300, 1000, 4000]
"""Bytes; the smallest is below any batch's size."""
_NAMES: Final = ("fetch.max.bytes", "max.partition.fetch.bytes")


def of_brokers(dice: Random) -> dict[str, str]:
    """The fetch limits of followers, and how many sessions a leader keeps."""
    found = {}
    if dice.random() < 0.3:
        found["replica.fetch.response.max.bytes"] = str(dice.choice(_SMALL))
        if dice.random() < 0.5:
            found["replica.fetch.max.bytes"] = str(dice.choice(_SMALL))
    if dice.random() < 0.15:
        found["max.incremental.fetch.session.cache.slots"] = str(dice.choice([0, 2, 4]))
    return found


def partitions(dice: Random) -> int | None:
    """The number of partitions of the first topic, where it has many."""
    return dice.randrange(5, 13) if dice.random() < 0.15 else None


def of_consumers(dice: Random) -> dict[str, int | str]:
    """The fetch limits of consumers, where they are small."""
    return {name: dice.choice(_SMALL) for name in _NAMES} if dice.random() < 0.3 else {}


def of_reader(settings: Mapping[str, int | str]) -> dict[str, int | str]:
    """The fetch limits among a consumer's settings."""
    return {name: settings[name] for name in _NAMES if name in settings}
