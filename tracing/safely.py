"""Isolates a node from its observer, whose first error is logged and ends the observation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from raftka.model.logs import get_logger

log = get_logger(__name__)

R = TypeVar("R")


class Safely:
    """Calls an observer of one connection, file or node, until it fails for the first time."""

    def __init__(self, what: str, lock: AbstractContextManager[Any] | None = None) -> None:
        """`lock` is held during calls: files are synced in threads."""
        self.ended = False
        self._what = what
        self._lock = nullcontext() if lock is None else lock

    def __call__(self, function: Callable[..., R], *arguments: Any) -> R | None:
        """Return the observer's result; None after it has failed."""
        if self.ended:
            return None
        try:
            with self._lock:
                return function(*arguments)
        except Exception:
            self.ended = True
            log.exception(f"the trace of {self._what} ends here: what writes it has failed")
            return None
