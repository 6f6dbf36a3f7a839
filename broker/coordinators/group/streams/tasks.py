"""Tasks by role. Pure values."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

TaskIds = Mapping[str, frozenset[int]]
"""Partitions by subtopology; a subtopology without partitions is left out."""

OwnedIds = dict[str, dict[int, int]]
"""subtopology -> partition -> the epoch at which the member got the task (KIP-1251)"""

Task = tuple[str, int]
"""(subtopology, partition)"""


class Role(enum.Enum):
    """What a member does with a task."""

    ACTIVE = "active"
    """It processes the records."""
    STANDBY = "standby"
    """It keeps a copy of the state."""
    WARMUP = "warmup"
    """It restores the state, to take the task over."""


class Tasks(NamedTuple):
    """What a member shall have, or says that it has."""

    active: TaskIds
    standby: TaskIds
    warmup: TaskIds


class Held(NamedTuple):
    """What a member has; of active tasks also since which epoch."""

    active: OwnedIds
    standby: TaskIds
    warmup: TaskIds

    def tasks(self) -> Tasks:
        """Without the epochs."""
        active = {subtopology: frozenset(some) for subtopology, some in self.active.items()}
        return Tasks(active, self.standby, self.warmup)


NO_TASKS = Tasks({}, {}, {})
"""Nothing at all."""


def nothing() -> Held:
    """What a member has that has just joined."""
    return Held({}, {}, {})


def each(ids: Mapping[str, Iterable[int]]) -> Iterator[Task]:
    """One by one."""
    for subtopology, partitions in ids.items():
        for partition in partitions:
            yield subtopology, partition


def overlaps(some: Mapping[str, Iterable[int]], others: TaskIds) -> bool:
    """Whether any task is in both."""
    return any(partition in others.get(subtopology, ()) for subtopology, partition in each(some))


def contains(all_of: Mapping[str, Iterable[int]], some: TaskIds) -> bool:
    """Whether those are all among these."""
    return all(found <= frozenset(all_of.get(name, ())) for name, found in some.items())


def grouped(tasks: Iterable[Task]) -> dict[str, frozenset[int]]:
    """By subtopology, in its order."""
    found: dict[str, set[int]] = {}
    for subtopology, partition in tasks:
        found.setdefault(subtopology, set()).add(partition)
    return {subtopology: frozenset(found[subtopology]) for subtopology in sorted(found)}
