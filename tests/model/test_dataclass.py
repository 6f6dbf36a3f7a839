"""Our dataclass against the standard library's, which is its oracle."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from raftka.model.dataclass import dataclass

Decorator = Callable[..., Any]
SHARED: list[int] = []


def shapes(make: Decorator) -> dict[str, Any]:
    """The same classes, made by one of the two."""

    @make(frozen=True, slots=True)
    class Base:
        """All records have an id."""

        ID: ClassVar[int] = -1

    @make(frozen=True, slots=True)
    class Point(Base):
        """Has a default."""

        ID: ClassVar[int] = 3

        x: int
        y: int = 7

    @make(slots=True)
    class Bag:
        """Makes a list for each instance."""

        name: str
        things: list[int] = dataclasses.field(default_factory=list)

    @make(slots=True, eq=False)
    class Alone:
        """Is equal to itself only."""

        name: str = ""

    @make
    class Loose:
        """Takes its arguments."""

        x: int
        y: str = "y"

        def __post_init__(self) -> None:
            self.z = self.x + 1

    return {each.__name__: each for each in (Base, Point, Bag, Alone, Loose)}


OURS, THEIRS = shapes(dataclass), shapes(dataclasses.dataclass)


def said(act: Callable[[], object]) -> object:
    """The result as text; classes by their names, since there are two of each."""
    try:
        return repr(act()).replace("<locals>.", "")
    except Exception as error:
        return type(error).__name__


@pytest.mark.parametrize(
    "act",
    [
        lambda kind: kind["Point"](1),
        lambda kind: kind["Point"](1, y=2),
        lambda kind: kind["Point"](),
        lambda kind: kind["Point"](1, 2, 3),
        lambda kind: kind["Point"](1, z=2),
        lambda kind: kind["Point"](1) == kind["Point"](1, 7),
        lambda kind: kind["Point"](1) == kind["Point"](2),
        lambda kind: kind["Point"](1) == 1,
        lambda kind: kind["Point"](1) == kind["Base"](),
        lambda kind: hash(kind["Point"](1)) == hash(kind["Point"](1, 7)),
        lambda kind: len({kind["Point"](1), kind["Point"](1), kind["Point"](2)}),
        lambda kind: setattr(kind["Point"](1), "x", 2),
        lambda kind: delattr(kind["Point"](1), "x"),
        lambda kind: kind["Point"](1).__dict__,
        lambda kind: kind["Point"].ID,
        lambda kind: kind["Point"].__match_args__,
        lambda kind: dataclasses.replace(kind["Point"](1), y=0),
        lambda kind: [field.name for field in dataclasses.fields(kind["Point"])],
        lambda kind: dataclasses.asdict(kind["Bag"]("b", [1])),
        lambda kind: copy.deepcopy(kind["Point"](1, 5)),
        lambda kind: copy.copy(kind["Bag"]("b", [1])),
        lambda kind: kind["Bag"]("b").things is kind["Bag"]("b").things,
        lambda kind: kind["Bag"]("b", things=[4]),
        lambda kind: hash(kind["Bag"]("b")),
        lambda kind: kind["Alone"]("a") == kind["Alone"]("a"),
        lambda kind: hash(kind["Alone"]("a")) != 0,
        lambda kind: kind["Loose"](1).z,
        lambda kind: kind["Loose"].y,
        lambda kind: kind["Loose"].x,
    ],
)
def test_it_does_what_the_standard_library_does(act: Callable[[Any], object]) -> None:
    assert said(lambda: act(OURS)) == said(lambda: act(THEIRS))


def test_nothing_is_compiled_before_it_is_used() -> None:
    point = shapes(dataclass)["Point"]
    before = point.__init__
    point(1)
    assert point.__init__ is not before
    assert point.__init__.__code__.co_varnames == ("self", "x", "y")


def test_the_first_use_may_be_through_a_class_below() -> None:
    base = shapes(dataclass)["Loose"]
    below = type("Below", (base,), {})
    assert below(4).z == 5
    assert "__init__" not in below.__dict__


def test_what_it_cannot_do_it_refuses() -> None:
    with pytest.raises(ValueError, match="default_factory"):

        @dataclass
        class Shared:
            things: list[int] = SHARED

    with pytest.raises(TypeError, match=r"use dataclasses\.dataclass"):

        @dataclass
        class Hidden:
            thing: int = dataclasses.field(default=0, repr=False)
