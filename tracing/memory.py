"""The events that a trace remembers, so that later ones can refer to them as causes."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
_ENTRIES_MAX = 20_000


class Memory(Generic[K]):
    """Event ids by subject; the oldest are dropped."""

    def __init__(self) -> None:
        self._events: dict[K, int] = {}

    def __len__(self) -> int:
        return len(self._events)

    def put(self, key: K, event: int) -> None:
        """Remember this event for the subject, replacing an earlier one."""
        self._events.pop(key, None)
        self._events[key] = event
        if len(self._events) > _ENTRIES_MAX:
            del self._events[next(iter(self._events))]

    def get(self, key: K, otherwise: int | None = None) -> int | None:
        """The event, if it is still remembered."""
        return self._events.get(key, otherwise)
