"""The results of an operation on several items, some of which may have failed."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping
from typing import Any, TypeVar

from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.message import Struct

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


async def outcome_of(operation: Awaitable[V]) -> V | KafkaError:
    """The result of an operation on one item, or the KafkaError that it raised."""
    try:
        return await operation
    except KafkaError as error:
        return error


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


def is_without_controller(answer: Struct) -> bool:
    """Whether every item of an answer, or the answer as a whole, has NOT_CONTROLLER. Then nothing
    was decided, and the whole request may go to another controller. If some items succeeded, the
    caller must request the others again.
    """
    first = next(_codes(answer), ErrorCode.NONE)
    return first == ErrorCode.NOT_CONTROLLER and set(_codes(answer)) == {first}


def _codes(found: Struct) -> Iterator[int]:
    """The error codes of the innermost items, or the answer's own where it has no items."""
    own: int | None = None
    has_items = False
    for name in found.__slots__:
        value = getattr(found, name)
        if name == "error_code":
            own = value
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, Struct):
                    for code in _codes(item):
                        has_items = True
                        yield code
    if own is not None and not has_items:
        yield own
