"""Our NamedTuple against the standard library's, which is its oracle."""

from __future__ import annotations

import copy
import pickle
import typing
from typing import Any

import pytest

from raftka.model import named_tuple


class Ours(named_tuple.NamedTuple):
    """A point."""

    x: int
    y: int = 7

    @property
    def size(self) -> int:
        return self.x * self.y


class Theirs(typing.NamedTuple):
    """A point."""

    x: int
    y: int = 7

    @property
    def size(self) -> int:
        return self.x * self.y


class Wider(Ours):
    """Inherits from one whose `__new__` may not be compiled yet."""


BOTH = pytest.mark.parametrize("point", [Ours, Theirs])


@BOTH
def test_values_are_a_tuple_with_names(point: Any) -> None:
    made = point(3)
    assert made == (3, 7) == point(x=3, y=7) and hash(made) == hash((3, 7))
    assert (made.x, made.y, made.size, tuple(made)) == (3, 7, 21, (3, 7))
    assert made._replace(y=1) == (3, 1) and made._asdict() == {"x": 3, "y": 7}
    assert point._make([1, 2]) == (1, 2) and type(made) is point
    assert repr(made) == f"{point.__name__}(x=3, y=7)"
    assert point.__doc__ == "A point." and point._fields == point.__match_args__ == ("x", "y")
    assert point._field_defaults == {"y": 7}
    assert pickle.loads(pickle.dumps(made)) == made == copy.deepcopy(made)
    match made:
        case point(x, y=y):
            assert (x, y) == (3, 7)
    with pytest.raises(AttributeError):
        made.z = 1


@BOTH
def test_wrong_use_is_refused(point: Any) -> None:
    for wrong in ({}, {"y": 1}, {"x": 1, "z": 2}):
        with pytest.raises(TypeError):
            point(**wrong)
    with pytest.raises(TypeError):
        point(1, 2, 3)
    with pytest.raises(TypeError):
        point._make([1])
    with pytest.raises((TypeError, ValueError)):
        point(1)._replace(z=1)


def test_a_class_below_is_made_before_and_after_the_first_call() -> None:
    assert (type(Wider(1)), type(Ours(1)), type(Wider(2))) == (Wider, Ours, Wider)
    assert Wider(2).size == 14


def test_wrong_classes_are_refused() -> None:
    base: Any = named_tuple.NamedTuple
    maker = type(base)
    ints = {"a": "int", "b": "int"}
    with pytest.raises(TypeError, match="without a default"):
        maker("X", (base,), {"__annotations__": ints, "a": 1})
    with pytest.raises(ValueError, match="underscore"):
        maker("X", (base,), {"__annotations__": {"_a": "int"}})
    with pytest.raises(AttributeError, match="__new__"):
        maker("X", (base,), {"__annotations__": ints, "__new__": None})
    with pytest.raises(TypeError, match="second base"):
        maker("X", (base, int), {"__annotations__": ints})
