"""`typing.NamedTuple`, whose `__new__` is compiled when the first tuple of a class is made.

    from raftka.model.named_tuple import NamedTuple

A node has some eighty named tuples when it starts. The standard library compiles a function for
each, and every annotation besides, to check it: 0.3 ms a class, a twentieth of the start. Here an
annotation stays the text that it is, `__new__` comes with the first call, and the other methods
are the same for all.

For type checkers this is the standard library's. Of what that has, the function call
`NamedTuple("Name", [...])` and generic tuples are missing.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NamedTuple, Self

try:
    from _collections import _tuplegetter as _field  # type: ignore[import-not-found]
except ImportError:  # Not every Python has it in C.

    def _field(index: int, doc: str) -> Any:
        return property(itemgetter(index), doc=doc)


__all__ = ["NamedTuple"]


class _Named(tuple[Any, ...]):
    """The base of all named tuples."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    @classmethod
    def _make(cls, values: Iterable[Any]) -> Self:
        made = tuple.__new__(cls, values)
        if len(made) != len(cls._fields):
            raise TypeError(f"{cls.__name__} has {len(cls._fields)} fields, got {len(made)} values")
        return made

    def _replace(self, /, **changes: Any) -> Self:
        made = self._make(map(changes.pop, self._fields, self))
        if changes:
            raise ValueError(f"{self.__class__.__name__} has no fields {list(changes)}")
        return made

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{self.__class__.__name__}({values})"


class _Maker(type):
    """Creates a plain class from a body with annotated fields."""

    def __new__(
        cls, name: str, bases: tuple[type, ...], body: dict[str, Any], /
    ) -> _Maker | type[_Named]:
        if not bases:
            return super().__new__(cls, name, bases, body)
        if len(bases) > 1:
            raise TypeError(f"{name}: a NamedTuple has no second base class")
        fields = tuple(body.get("__annotations__", ()))
        defaults = {field: body[field] for field in fields if field in body}
        for field in fields:
            if field.startswith("_"):
                raise ValueError(f"{name}.{field}: a field's name has no underscore in front")
        if tuple(defaults) != fields[len(fields) - len(defaults) :]:
            raise TypeError(f"{name}: a field without a default follows one with a default")
        if shared := _OWN & body.keys():
            raise AttributeError(f"{name}: {', '.join(sorted(shared))} cannot be defined here")
        for index, field in enumerate(fields):
            body[field] = _field(index, f"Alias for field number {index}")
        body |= {
            "__slots__": (),
            "__match_args__": fields,
            "_fields": fields,
            "_field_defaults": defaults,
            "__new__": _first_call(fields, tuple(defaults.values())),
        }
        made = type(name, (_Named,), body)
        made.__new__.made = made  # type: ignore[attr-defined]
        return made


_OWN: Final = {"__new__", "__init__", "__slots__", "__getnewargs__", "_fields", "_make", "_asdict"}

if not TYPE_CHECKING:

    class NamedTuple(metaclass=_Maker):
        """The base of named tuples; see the standard library's."""


def _first_call(fields: tuple[str, ...], defaults: tuple[Any, ...]) -> Callable[..., Any]:
    """Replaces `__new__` until its first call, and then compiles it."""

    def first(cls: type, /, *args: Any, **kwargs: Any) -> Any:
        names = "".join(f", {name}" for name in fields)
        values = "".join(f"{name}, " for name in fields)
        source = f"lambda _cls{names}: _tuple_new(_cls, ({values}))"
        compiled = eval(source, {"_tuple_new": tuple.__new__, "__builtins__": {}})
        compiled.__name__, compiled.__defaults__ = "__new__", defaults
        first.made.__new__ = staticmethod(compiled)  # type: ignore[attr-defined]
        return compiled(cls, *args, **kwargs)

    return first
