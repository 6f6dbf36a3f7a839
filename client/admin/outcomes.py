"""The results of an operation on several items, some of which may have failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from raftka.model.errors import ErrorCode, KafkaError

K = TypeVar("K")
V = TypeVar("V")


class SomeFailed(KafkaError):
    """At least one item failed: the first error, and in `outcomes` the result of each item."""

    def __init__(self, outcomes: Mapping[Any, Any], first: KafkaError) -> None:
        super().__init__(first.code, first.message)
        self.outcomes = outcomes
        """By item: its result, or its KafkaError."""


def checked(outcomes: Mapping[K, V | KafkaError]) -> dict[K, V]:
    """The results when all succeeded. Raises SomeFailed otherwise."""
    results: dict[K, V] = {}
    for item, outcome in outcomes.items():
        if isinstance(outcome, KafkaError):
            raise SomeFailed(outcomes, outcome)
        results[item] = outcome
    return results


def error_of(code: int, message: str | None = None) -> KafkaError | None:
    """The error that an answer carries, or None."""
    if code == ErrorCode.NONE:
        return None
    try:
        known = ErrorCode(code)
    except ValueError:
        return KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, f"error code {code}: {message or ''}")
    return KafkaError(known, message or None)


def raise_for(code: int, message: str | None = None) -> None:
    """Raises the KafkaError that an answer carries."""
    error = error_of(code, message)
    if error is not None:
        raise error
