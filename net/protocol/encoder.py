"""Compiles, for one message class in one version, the function that writes it.

    encode(message, w) -> pieces

`w` is a bytearray that may already hold a header; it is the first piece. Everything goes into it
except long records, which become pieces of their own, never copied. Structs are inlined and
neighbouring fields of fixed size, with the length that follows them, are one pack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raftka.net.protocol import primitives
from raftka.net.protocol.layout import FIXED, Shape, Slot, shape_of
from raftka.net.protocol.message import Encoder, Message
from raftka.net.protocol.source import Run, Source

Body = Callable[[Slot, bool], None]
"""Adds the lines that encode v, given the field and whether the version is flexible."""


def compile_encoder(cls: type[Message], version: int) -> Encoder:
    """Raises ValueError for a version that the class does not have."""
    function: Encoder = _Compiler(shape_of(cls, version)).function(version)
    return function


class _Compiler:
    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.source = Source()
        self.run = Run()
        self.serial = 0
        self.out = "w"
        """The bytearray being written: the message, or a tagged field's value."""
        self.source.names.update(
            ZERO_UUID=bytes(16),
            write_varint=primitives.write_varint,
            write_numbers=primitives.write_numbers,
            place_records=primitives.place_records,
        )

    def function(self, version: int) -> Any:
        name = self.shape.cls.__name__
        has_records = self.shape.has("records")
        with self.source.block("def encode(o, w):"):
            if has_records:
                self.source.add("pieces = []")
            self.struct(self.shape, "o")
            self.flush()
            if has_records:
                with self.source.block("if w:"):
                    self.source.add("pieces.append(w)")
                self.source.add("return pieces")
            else:
                self.source.add("return [w]")
        return self.source.compile("encode", f"<encode {name} v{version}>")

    def unique(self, prefix: str) -> str:
        self.serial += 1
        return f"{prefix}{self.serial}"

    def put(self, run: Run) -> None:
        """Write the fields of a run."""
        if run.letters == "x":
            self.source.add(f'{self.out} += b"\\0"')
        elif run.letters == "B":
            self.source.add(f"{self.out}.append({run.expressions})")
        elif run:
            pack = self.source.packer(run.letters, "pack")
            self.source.add(f"{self.out} += {pack}({run.expressions})")

    def flush(self) -> None:
        self.put(self.run)
        self.run = Run()

    def with_length(self, flexible: bool, letter: str) -> None:
        """Write the collected fields, then the length n (in flexible versions n + 1)."""
        if not flexible:
            self.run.append((letter, "n"))
            self.flush()
            return
        with self.source.block("if n < 128:"):
            self.put(Run([*self.run, ("B", "n")]))
        with self.source.block("else:"):
            self.put(self.run)
            self.source.add(f"{self.out} += write_varint(n)")
        self.run = Run()

    def null(self, flexible: bool, letter: str) -> None:
        """Write the collected fields, then a null length; the collected fields are kept."""
        self.put(Run([*self.run, ("x", "") if flexible else (letter, "-1")]))

    def struct(self, shape: Shape, target: str) -> None:
        for slot in shape.plain:
            self.slot(slot, f"{target}.{slot.name}", shape.flexible)
        if shape.flexible:
            self.tags(shape, target)

    def slot(self, slot: Slot, value: str, flexible: bool) -> None:
        if slot.letter:
            self.run.append((slot.letter, value))
        elif slot.type == "records":
            self.flush()
            self.source.add(f"w = place_records(w, pieces, {value}, {flexible})")
        elif slot.is_array:
            self.measured(slot, value, flexible, "i", "len(v)", self.elements)
        elif slot.shape is not None:
            self.nested(slot, slot.shape, value)
        elif slot.type == "string":
            self.measured(slot, value, flexible, "h", "len(v := v.encode())", self.copy)
        else:
            self.measured(slot, value, flexible, "i", "len(v)", self.copy)

    def measured(
        self, slot: Slot, value: str, flexible: bool, letter: str, length: str, body: Body
    ) -> None:
        """Write a value after its length, or null; `length` and `body` refer to it as v."""

        def present() -> None:
            self.source.add(f"n = {length}{' + 1' if flexible else ''}")
            self.with_length(flexible, letter)
            body(slot, flexible)

        self.source.add(f"v = {value}")
        if not slot.nullable:
            present()
            return
        with self.source.block("if v is None:"):
            self.null(flexible, letter)
        with self.source.block("else:"):
            present()

    def copy(self, slot: Slot, flexible: bool) -> None:
        self.source.add(f"{self.out} += v")

    def elements(self, slot: Slot, flexible: bool) -> None:
        add, block = self.source.add, self.source.block
        letter = FIXED.get(slot.type)
        if letter and letter in "bhHiIq":
            add(f'{self.out} += write_numbers("{letter}", v)')
            return
        item = self.unique("o")
        with block(f"for {item} in v:"):
            if slot.shape is not None:
                self.struct(slot.shape, item)
            else:
                self.slot(slot.element, item, flexible)
            self.flush()

    def nested(self, slot: Slot, shape: Shape, value: str) -> None:
        item = self.unique("s")
        if not slot.nullable or slot.tag is not None:
            self.source.add(f"{item} = {value}")
            self.struct(shape, item)
            return
        # A byte indicates whether a nullable struct is present (KIP-893).
        self.flush()
        self.source.add(f"{item} = {value}")
        with self.source.block(f"if {item} is None:"):
            self.source.add(f'{self.out} += b"\\xff"')
        with self.source.block("else:"):
            self.source.add(f'{self.out} += b"\\x01"')
            self.struct(shape, item)
            self.flush()

    def tags(self, shape: Shape, target: str) -> None:
        """Write the tagged fields that differ from their defaults."""
        if not shape.tagged:
            self.run.append(("x", ""))
            return
        add, block = self.source.add, self.source.block
        changed = [_changed(slot, f"{target}.{slot.name}") for slot in shape.tagged]
        self.flush()
        with block(f"if {' or '.join(changed)}:"):
            outer, count, fields, value = self.out, *map(self.unique, ("k", "f", "w"))
            add(f"{count} = 0")
            add(f"{fields} = bytearray()")
            for slot, condition in zip(shape.tagged, changed, strict=True):
                with block(f"if {condition}:"):
                    add(f"{count} += 1")
                    add(f"{value} = bytearray()")
                    self.out = value
                    self.slot(slot, f"{target}.{slot.name}", True)
                    self.flush()
                    self.out = outer
                    add(f"{fields} += write_varint({slot.tag})")
                    add(f"{fields} += write_varint(len({value}))")
                    add(f"{fields} += {value}")
            add(f"{outer} += write_varint({count})")
            add(f"{outer} += {fields}")
        with block("else:"):
            add(f'{self.out} += b"\\0"')


def _changed(slot: Slot, value: str) -> str:
    """An expression that is true if a tagged field differs from its default."""
    if slot.default == "None":
        return f"{value} is not None"
    if slot.shape is not None and not slot.is_array:
        inner = [_changed(each, f"{value}.{each.name}") for each in slot.shape.plain]
        return f"({' or '.join(inner)})"
    if slot.default == "[]":
        return f"({value} is None or {value})" if slot.nullable else value
    return f"{value} != {slot.default}"
