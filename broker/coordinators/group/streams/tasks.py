"""Tasks by role. Pure values."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

TaskIds = Mapping[str, frozenset[int]]
"""Partitions by subtopology; subtopologies without partitions are left out."""

OwnedIds = dict[str, dict[int, int]]
"""subtopology -> partition -> the epoch at which the member got the task (KIP-1251)"""

Task = tuple[str, int]
"""(subtopology, partition)"""


class Role(enum.Enum):
    """The role of a member in a task."""

    ACTIVE = "active"
    """It processes the records."""
    STANDBY = "standby"
    """It keeps a copy of the state."""
    WARMUP = "warmup"
    """It restores the state, to take the task over."""


class Tasks(NamedTuple):
    """A member's target assignment, or the tasks that it reports as owned."""

    active: TaskIds
    standby: TaskIds
    warmup: TaskIds


class Held(NamedTuple):
    """The tasks that a member owns; active ones with the epoch at which it got them."""

    active: OwnedIds
    standby: TaskIds
    warmup: TaskIds

    def tasks(self) -> Tasks:
        """Without the epochs."""
        active = {subtopology: frozenset(some) for subtopology, some in self.active.items()}
        return Tasks(active, self.standby, self.warmup)


NO_TASKS = Tasks({}, {}, {})
"""No tasks."""


def nothing() -> Held:
    """The tasks of a member that has just joined."""
    return Held({}, {}, {})


def each(ids: Mapping[str, Iterable[int]]) -> Iterator[Task]:
    """Iterate over single tasks."""
    for subtopology, partitions in ids.items():
        for partition in partitions:
            yield subtopology, partition


def overlaps(some: Mapping[str, Iterable[int]], others: TaskIds) -> bool:
    """Whether any task is in both."""
    return any(partition in others.get(subtopology, ()) for subtopology, partition in each(some))


def contains(all_of: Mapping[str, Iterable[int]], some: TaskIds) -> bool:
    """Whether the first tasks contain all of the second."""
    return all(found <= frozenset(all_of.get(name, ())) for name, found in some.items())


def grouped(tasks: Iterable[Task]) -> dict[str, frozenset[int]]:
    """By subtopology, in the order of subtopologies."""
    found: dict[str, set[int]] = {}
    for subtopology, partition in tasks:
        found.setdefault(subtopology, set()).add(partition)
    return {subtopology: frozenset(found[subtopology]) for subtopology in sorted(found)}
