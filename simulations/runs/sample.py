"""A sample of any number of values in constant memory."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Final

ROOM: Final = 20_000
"""The values that are kept: the 99th percentile then lies between the true 98.8th and 99.2nd."""


class Sample:
    """All values at first; once there is no room, each is kept with equal probability (Vitter's
    algorithm R). The count, the minimum and the maximum are exact.
    """

    def __init__(self, values: Iterable[float] = (), room: int = ROOM) -> None:
        self.count = 0
        self.least = self.greatest = 0.0
        self.kept: list[float] = []
        self._room = room
        self._random = Random(room).random
        self.extend(values)

    def extend(self, values: Iterable[float]) -> None:
        for value in values:
            self.add(value)

    def add(self, value: float) -> None:
        self.least = min(self.least, value) if self.count else value
        self.greatest = max(self.greatest, value) if self.count else value
        self.count += 1
        if len(self.kept) < self._room:
            self.kept.append(value)
        elif (place := int(self._random() * self.count)) < self._room:
            self.kept[place] = value
