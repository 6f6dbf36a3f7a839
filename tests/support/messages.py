"""Random messages of every class and version, and where to find all the classes.

Each has only the fields that its version has on the wire, so that decode(encode(m)) == m.
"""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import raftka.net.protocol.messages
from raftka.net.protocol.codec import REQUESTS
from raftka.net.protocol.layout import Shape, Slot, shape_of
from raftka.net.protocol.message import Message, Request, Response, Struct

_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_BASES = (Request, Response)
_LETTERS = string.ascii_letters + "-._äß漢🦜"


def data_classes() -> list[type[Message]]:
    """The structures inside records or other messages."""
    found = []
    for path in sorted(Path(raftka.net.protocol.messages.__path__[0]).glob("[a-z]*.py")):
        module = import_module(f"raftka.net.protocol.messages.{path.stem}")
        found += [
            value
            for value in vars(module).values()
            if isinstance(value, type) and Message in value.__bases__ and value not in _BASES
        ]
    return found


def api_classes() -> list[type[Message]]:
    """Every request and response, by ascending API key."""
    return [cls for key in REQUESTS for cls in (REQUESTS[key], REQUESTS[key].RESPONSE)]


def versions(cls: type[Message]) -> range:
    first, last = cls.VALID_VERSIONS
    return range(first, last + 1)


def every_version() -> Iterator[tuple[type[Message], int]]:
    for cls in (*api_classes(), *data_classes()):
        for version in versions(cls):
            yield cls, version


def random_message(cls: type[Message], version: int, dice: random.Random) -> Any:
    return _struct(shape_of(cls, version), dice)


def _struct(shape: Shape, dice: random.Random) -> Struct:
    message = shape.cls()
    for slot in (*shape.plain, *shape.tagged):
        if slot.tag is None or dice.random() < 0.5:
            setattr(message, slot.name, _value(slot, dice))
    return message


def _value(slot: Slot, dice: random.Random) -> Any:
    if slot.nullable and dice.random() < 0.2:
        return None
    if slot.is_array:
        return [_single(slot, dice) for _ in range(dice.choice((0, 1, 1, 2, 3)))]
    return _single(slot, dice)


def _single(slot: Slot, dice: random.Random) -> Any:
    if slot.shape is not None:
        return _struct(slot.shape, dice)
    if slot.type == "bool":
        return dice.random() < 0.5
    if slot.type == "float64":
        return dice.choice((0.0, -1.5, 20.25, 1e300))
    if slot.type == "string":
        length = dice.choice((0, 1, 5, 20, 20, 130))
        return "".join(dice.choice(_LETTERS) for _ in range(length))
    if slot.type == "uuid":
        return dice.randbytes(16)
    if slot.type in ("bytes", "records"):
        return dice.randbytes(dice.choice((0, 3, 40, 200, 1000)))
    if slot.type.startswith("u"):
        return dice.getrandbits(dice.choice((3, int(slot.type[4:]))))
    bits = dice.choice((4, _BITS[slot.type]))
    return dice.randrange(-(1 << (bits - 1)), 1 << (bits - 1))
