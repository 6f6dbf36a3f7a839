"""The standard library's `@dataclass`, whose methods are compiled when they are first used.

    from raftka.model.dataclass import dataclass

A node has some seventy dataclasses. The standard library writes and compiles up to six functions
for each while its module is imported, a fifth of the time in which a node starts; most of them,
and most of the classes, are not used before it serves. Here `__init__`, `__eq__` and `__hash__`
are compiled together at the first call of one of them, as the codec does with its messages; all
that is frozen shares one `__setattr__`, and all share one `__repr__`.

For type checkers this is the standard library's decorator. `field`, `fields` and `replace` are the
standard library's, too. Of its options `frozen`, `slots` and `eq` are there, for fields `default`,
`default_factory` and `metadata`; annotations are strings, as `from __future__ import annotations`
makes them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from inspect import get_annotations
from types import MemberDescriptorType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, *, frozen=False, slots=False, eq=True):
        """Make a class a dataclass; raises TypeError for options that are not supported."""
        if cls is None:
            return lambda cls: _dataclass(cls, frozen, slots, eq)
        return _dataclass(cls, frozen, slots, eq)


__all__ = ["dataclass"]

_MISSING: Final = dataclasses.MISSING
_FIELDS: Final = "__dataclass_fields__"
"""The attribute in which dataclasses.fields, replace and asdict look for them."""
_PARAMETERS: Final = "__dataclass_params__"
"""The attribute in which the standard library's dataclass looks for a base dataclass's options."""


def _dataclass(cls: type, frozen: bool, slots: bool, eq: bool) -> type:
    own = _own_fields(cls)
    fields: dict[str, dataclasses.Field[Any]] = {}
    for base in cls.__mro__[-1:0:-1]:
        fields |= getattr(base, _FIELDS, {})
    fields |= own
    if slots:
        cls = _with_slots(cls, own)
    else:
        for name, made in own.items():
            if made.default is not _MISSING:
                setattr(cls, name, made.default)
            elif name in cls.__dict__:
                delattr(cls, name)
    setattr(cls, _FIELDS, fields)
    setattr(cls, _PARAMETERS, SimpleNamespace(frozen=frozen))
    methods = {
        "__init__": _first_call(cls, "__init__"),
        "__repr__": _repr,
        "__match_args__": tuple(fields),
    }
    if eq:
        methods["__eq__"] = _first_call(cls, "__eq__")
        methods["__hash__"] = _first_call(cls, "__hash__") if frozen else None
    if frozen:
        methods |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
        if slots:  # copy and pickle would set them.
            methods |= {"__getstate__": _get_state, "__setstate__": _set_state}
    written = cls.__dict__
    for name, method in methods.items():
        # For a class that defines only __eq__, Python sets __hash__ to None by itself.
        if name not in written or (name == "__hash__" and written[name] is None):
            setattr(cls, name, method)
    return cls


def _own_fields(cls: type) -> dict[str, dataclasses.Field[Any]]:
    found = {}
    for name, annotation in get_annotations(cls).items():
        if not isinstance(annotation, str):
            raise TypeError(f"{cls.__name__}: write `from __future__ import annotations` above it")
        if annotation.startswith("ClassVar"):
            continue
        default = cls.__dict__.get(name, _MISSING)
        made: Any = (
            default
            if isinstance(default, dataclasses.Field)
            else dataclasses.field(default=default)
        )
        if not (made.init and made.repr and made.compare) or made.kw_only is True:
            raise TypeError(f"{cls.__name__}.{name}: use dataclasses.dataclass for such fields")
        if made.default is not _MISSING and made.default.__class__.__hash__ is None:
            raise ValueError(f"{cls.__name__}.{name}: use default_factory, or all would share it")
        made.name, made.type = name, annotation
        made._field_type = _FIELD
        found[name] = made
    return found


def _with_slots(cls: type, own: dict[str, dataclasses.Field[Any]]) -> type:
    """Create the class again: slots must be defined when a class is created."""
    namespace = dict(cls.__dict__)
    for name in (*own, "__dict__", "__weakref__"):
        namespace.pop(name, None)
    inherited = {slot for base in cls.__mro__[1:] for slot in base.__dict__.get("__slots__", ())}
    namespace["__slots__"] = tuple(name for name in own if name not in inherited)
    made = type(cls)(cls.__name__, cls.__bases__, namespace)
    made.__qualname__ = cls.__qualname__
    return made


def _first_call(cls: type, name: str) -> Callable[..., Any]:
    """Replaces a method until its first call, and then compiles all replaced methods."""

    def first(self: object, *args: object, **kwargs: object) -> object:
        compiled = _compile(cls)
        for each in ("__init__", "__eq__", "__hash__"):
            if getattr(cls.__dict__.get(each), "stands_in", False):
                setattr(cls, each, compiled[each])
        return compiled[name](self, *args, **kwargs)

    first.stands_in = True  # type: ignore[attr-defined]
    return first


def _compile(cls: type) -> dict[str, Any]:
    fields: dict[str, dataclasses.Field[Any]] = getattr(cls, _FIELDS)
    frozen = getattr(cls, _PARAMETERS).frozen
    parameters, body, outside = [], [], {"_set": object.__setattr__, "_fresh": _FRESH}
    for name, made in fields.items():
        value = name
        if made.default_factory is not _MISSING:
            outside[f"_make_{name}"] = made.default_factory
            parameters.append(f"{name}=_fresh")
            value = f"_make_{name}() if {name} is _fresh else {name}"
        elif made.default is not _MISSING:
            outside[f"_default_{name}"] = made.default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        if not frozen:
            body.append(f"self.{name} = {value}")
        elif isinstance(slot := getattr(cls, name, None), MemberDescriptorType):
            # Its descriptor sets it in three fifths of the time that object.__setattr__ takes.
            outside[f"_set_{name}"] = slot.__set__
            body.append(f"_set_{name}(self, {value})")
        else:
            body.append(f"_set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    mine = "(" + "".join(f"self.{name}, " for name in fields) + ")"
    theirs = "(" + "".join(f"other.{name}, " for name in fields) + ")"
    source = "\n".join(
        (
            f"def __init__({', '.join(('self', *parameters))}):",
            *(f" {line}" for line in body or ["pass"]),
            "def __eq__(self, other):",
            " if other.__class__ is self.__class__:",
            f"  return {mine} == {theirs}",
            " return NotImplemented",
            "def __hash__(self):",
            f" return hash({mine})",
        )
    )
    compiled: dict[str, Any] = {}
    exec(source, outside, compiled)
    for name, function in compiled.items():
        function.__qualname__ = f"{cls.__qualname__}.{name}"
    return compiled


_FRESH: Final = object()
"""As an argument's default: a new value of the field's default_factory."""

_FIELD: Final = dataclasses._FIELD  # type: ignore[attr-defined]
"""The marker of an instance field, for dataclasses.fields."""


def _repr(self: Any) -> str:
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in getattr(self, _FIELDS))
    return f"{self.__class__.__qualname__}({values})"


def _refuse_to_set(self: Any, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _get_state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in getattr(self, _FIELDS)]


def _set_state(self: Any, state: list[Any]) -> None:
    for name, value in zip(getattr(self, _FIELDS), state, strict=True):
        object.__setattr__(self, name, value)
