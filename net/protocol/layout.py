"""A class's LAYOUT in one version: the fields on the wire, and their encoding."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Final

from raftka.model.dataclass import dataclass
from raftka.net.protocol.message import Message, Struct
from raftka.net.protocol.notation import Field, parse_field

FIXED: Final = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "float64": "d",
    "uint16": "H",
    "uint32": "I",
    "uuid": "16s",
}
"""Types of fixed size, and their letters in struct's formats."""

_FIXED_SIZES: Final = {
    "?": 1,
    "b": 1,
    "h": 2,
    "i": 4,
    "q": 8,
    "d": 8,
    "H": 2,
    "I": 4,
    "16s": 16,
}


@dataclass(frozen=True, slots=True)
class Slot:
    """One field in one version."""

    name: str
    type: str
    is_array: bool
    nullable: bool
    tag: int | None
    default: str
    """A Python expression; it creates a new object if that is necessary."""
    shape: Shape | None
    """The shape of the struct, or of an array's elements."""

    @property
    def letter(self) -> str | None:
        """The letter in struct's formats; None if the size varies."""
        return None if self.is_array else FIXED.get(self.type)

    @property
    def element(self) -> Slot:
        """The type of an array's elements; they are never null."""
        return replace(self, is_array=False, nullable=False, tag=None)


@dataclass(frozen=True, slots=True)
class Shape:
    """One struct in one version."""

    cls: type[Struct]
    flexible: bool
    plain: tuple[Slot, ...]
    """In the order on the wire."""
    tagged: tuple[Slot, ...]
    """By ascending tag."""
    absent: tuple[Slot, ...]
    """The fields that this version does not have."""

    @property
    def all_fixed(self) -> bool:
        """Whether every struct of this shape has the same size, if it has no tags."""
        return bool(self.plain) and all(slot.letter for slot in self.plain)

    @property
    def min_size(self) -> int:
        """The minimal size of such a struct in bytes."""
        return sum(map(self._min_size_of, self.plain)) + (1 if self.flexible else 0)

    def _min_size_of(self, slot: Slot) -> int:
        if slot.letter:
            return _FIXED_SIZES[slot.letter]
        if slot.shape is not None and not slot.is_array:
            return 1 if slot.nullable else slot.shape.min_size
        if self.flexible:
            return 1
        return 2 if slot.type == "string" and not slot.is_array else 4

    def has(self, *types: str) -> bool:
        """Whether a field here or in a nested struct has one of these types."""
        return any(
            slot.type in types or (slot.shape is not None and slot.shape.has(*types))
            for slot in (*self.plain, *self.tagged)
        )


def shape_of(message: type[Message], version: int) -> Shape:
    """The shape of a whole message.

    Raises ValueError for a version outside of VALID_VERSIONS.
    """
    first, last = message.VALID_VERSIONS
    if not first <= version <= last:
        raise ValueError(f"{message.__name__} has versions {first} to {last}, not {version}")
    return _shape(message, version, version >= message.FLEXIBLE_FROM)


def _shape(cls: type[Struct], version: int, flexible: bool) -> Shape:
    fields = [parse_field(line) for line in cls.LAYOUT]
    here = [field for field in fields if version in field.versions]
    slots = [_slot(cls, field, version, flexible) for field in here]
    return Shape(
        cls,
        flexible,
        plain=tuple(slot for slot in slots if slot.tag is None),
        tagged=tuple(sorted((s for s in slots if s.tag is not None), key=lambda s: s.tag or 0)),
        absent=tuple(_slot(cls, field, version, flexible) for field in fields if field not in here),
    )


def _slot(cls: type[Struct], field: Field, version: int, flexible: bool) -> Slot:
    shape = None
    if field.is_struct:
        nested: type[Struct] = vars(sys.modules[cls.__module__])[field.type]
        shape = _shape(nested, version, flexible)
    return Slot(
        name=field.name,
        type=field.type,
        is_array=field.is_array,
        nullable=version in field.nullable or field.type == "records",
        tag=field.tag,
        default=_default_expression(field),
        shape=shape,
    )


def _default_expression(field: Field) -> str:
    if field.default is None:
        is_null = field.nullable.first <= field.nullable.last or not field.is_struct
        return "None" if is_null else f"{field.type}()"
    if field.is_array:
        return "[]"
    if isinstance(field.default, str):
        return {"string": '""', "bytes": 'b""', "uuid": "ZERO_UUID"}[field.type]
    return repr(field.default)
