"""Compiles, for one message class in one version, the function that reads it.

    decode(b, p, end) -> (message, position)

What makes it fast: structs are inlined into one function; neighbouring fields of fixed size are
one unpack, together with the length that follows them (in flexible versions its first byte, which
mostly is all of it); arrays of fixed-size structs go through iter_unpack; objects are made without
their constructor.

What makes it safe: a count is compared with the bytes left before anything is made for it. A
string or byte field that reaches past the end comes out short, but leaves the position behind the
end, where every later read fails, and the caller compares the last position with the end.
"""

from __future__ import annotations

from struct import calcsize
from typing import Any

from raftka.model.text import decode_text
from raftka.net.protocol import primitives
from raftka.net.protocol.layout import FIXED, Shape, Slot, shape_of
from raftka.net.protocol.message import Decoder, Message
from raftka.net.protocol.source import Run, Source


def compile_decoder(cls: type[Message], version: int, *, lenient: bool = False) -> Decoder:
    """Raises ValueError for a version that the class does not have.

    Strings with invalid UTF-8 raise UnicodeDecodeError, or with `lenient` are decoded as in Java
    (model/text.py), which slows down every string of a message.
    """
    function: Decoder = _Compiler(shape_of(cls, version), lenient).function(version)
    return function


class _Compiler:
    def __init__(self, shape: Shape, lenient: bool) -> None:
        self.shape = shape
        self.lenient = lenient
        self.source = Source()
        self.run = Run()
        self.serial = 0
        self.views = shape.has("records")
        self.source.names.update(
            new=object.__new__,
            ZERO_UUID=bytes(16),
            decode_text=decode_text,
            Flaw=primitives.Flaw,
            null=primitives.null,
            too_long=primitives.too_long,
            varint=primitives.varint,
            read_varint=primitives.read_varint,
            skip_tags=primitives.skip_tags,
            read_numbers=primitives.read_numbers,
        )

    def function(self, version: int) -> Any:
        name = self.shape.cls.__name__
        add = self.source.add
        with self.source.block("def decode(b, p, end):"):
            # Records are views of the frame; without records, bytes are faster to read from.
            if self.views:
                with self.source.block("if type(b) is not memoryview:"):
                    add("b = memoryview(b)")
            else:
                add("b = bytes(b)")
            self.struct(self.shape, "o")
            self.flush()
            add("return o, p")
        return self.source.compile("decode", f"<decode {name} v{version}>")

    def unique(self, prefix: str) -> str:
        self.serial += 1
        return f"{prefix}{self.serial}"

    def flush(self) -> None:
        """Read the collected fields."""
        run = self.run
        if not run:
            return
        if run.letters == "B":
            # One byte: a length or a number of tags.
            self.source.add(f"{run[0][1]} = b[p]")
            self.source.add("p += 1")
        else:
            unpack = self.source.packer(run.letters, "unpack_from")
            comma = "," if len(run) == 1 else ""
            self.source.add(f"{run.expressions}{comma} = {unpack}(b, p)")
            self.source.add(f"p += {_size(run.letters)}")
        run.clear()

    def length(self, flexible: bool, letter: str) -> None:
        """Read a length into n: in flexible versions it is one higher, and 0 means null."""
        self.run.append(("B" if flexible else letter, "n"))
        self.flush()
        if flexible:
            with self.source.block("if n > 127:"):
                self.source.add("n, p = varint(b, p, n)")

    def struct(self, shape: Shape, target: str) -> None:
        """Make a struct named `target` and read its fields."""
        self.make(shape, target)
        for slot in shape.plain:
            self.slot(slot, f"{target}.{slot.name}", shape.flexible)
        if shape.flexible:
            self.tags(shape, target)

    def make(self, shape: Shape, target: str) -> None:
        """Create the object, and set the fields that are not, or may not be, read."""
        name = shape.cls.__name__
        self.source.names[name] = shape.cls
        self.source.add(f"{target} = new({name})")
        for slot in (*shape.absent, *shape.tagged):
            self.default(slot, f"{target}.{slot.name}")

    def default(self, slot: Slot, target: str) -> None:
        if not slot.default.endswith("()") or slot.shape is None:
            self.source.add(f"{target} = {slot.default}")
            return
        # A struct of defaults, created inline: its constructor would take twice as long.
        item = self.unique("s")
        self.make(slot.shape, item)
        for inner in slot.shape.plain:
            self.default(inner, f"{item}.{inner.name}")
        self.source.add(f"{target} = {item}")

    def slot(self, slot: Slot, target: str, flexible: bool) -> None:
        if slot.letter:
            self.run.append((slot.letter, target))
        elif slot.is_array:
            self.array(slot, target, flexible)
        elif slot.shape is not None:
            self.nested(slot, slot.shape, target)
        else:
            self.text_or_bytes(slot, target, flexible)

    def nested(self, slot: Slot, shape: Shape, target: str) -> None:
        item = self.unique("s")
        if not slot.nullable or slot.tag is not None:
            self.struct(shape, item)
            self.source.add(f"{target} = {item}")
            return
        # A byte indicates whether a nullable struct is present (KIP-893).
        self.run.append(("b", "n"))
        self.flush()
        with self.source.block("if n < 0:"):
            self.source.add(f"{target} = None")
        with self.source.block("else:"):
            self.struct(shape, item)
            self.flush()
            self.source.add(f"{target} = {item}")

    def text_or_bytes(self, slot: Slot, target: str, flexible: bool) -> None:
        add, block = self.source.add, self.source.block
        self.length(flexible, "h" if slot.type == "string" else "i")
        if slot.type == "string" and self.lenient:
            value = "decode_text(b[p:q])"
        elif slot.type == "string":
            value = 'str(b[p:q], "utf-8")' if self.views else "b[p:q].decode()"
        else:
            value = "bytes(b[p:q])" if slot.type == "bytes" and self.views else "b[p:q]"
        with block("if n < 1:" if flexible else "if n < 0:"):
            add(f"{target} = None" if slot.nullable else f'null("{slot.name}")')
        with block("else:"):
            add("q = p + n - 1" if flexible else "q = p + n")
            add(f"{target} = {value}")
            add("p = q")

    def array(self, slot: Slot, target: str, flexible: bool) -> None:
        add, block = self.source.add, self.source.block
        self.length(flexible, "i")
        with block("if n < 1:" if flexible else "if n < 0:"):
            add(f"{target} = None" if slot.nullable else f'null("{slot.name}")')
        with block("else:"):
            if flexible:
                add("n -= 1")
            least = _least_element(slot, flexible)
            with block(f"if n * {least} > end - p:" if least > 1 else "if n > end - p:"):
                add(f'too_long("{slot.name}", n, end - p)')
            if slot.shape is None:
                self.primitives(slot, target, flexible)
            else:
                self.structs(slot.shape, target)

    def primitives(self, slot: Slot, target: str, flexible: bool) -> None:
        add, block = self.source.add, self.source.block
        letter = FIXED.get(slot.type)
        if letter and letter in "bhHiIq":
            add(f'{target} = read_numbers("{letter}", b, p, n)')
            add(f"p += {_size(letter)} * n")
            return
        items, item = self.unique("a"), self.unique("v")
        add(f"{items} = {target} = []")
        with block("for _ in range(n):"):
            self.slot(slot.element, item, flexible)
            self.flush()
            add(f"{items}.append({item})")

    def structs(self, shape: Shape, target: str) -> None:
        add, block = self.source.add, self.source.block
        items, item = self.unique("a"), self.unique("o")
        add(f"{items} = {target} = []")
        if shape.all_fixed:
            with block(self.fixed_condition(shape)):
                self.fixed_structs(shape, items, item)
            if shape.flexible:
                with block("else:"):
                    self.loop(shape, items, item)
        else:
            self.loop(shape, items, item)

    def loop(self, shape: Shape, items: str, item: str) -> None:
        with self.source.block("for _ in range(n):"):
            self.struct(shape, item)
            self.flush()
            self.source.add(f"{items}.append({item})")

    def fixed_condition(self, shape: Shape) -> str:
        """The condition for elements of equal size: in flexible versions, none has a tag."""
        if not shape.flexible:
            return "if n:"
        size = shape.min_size
        return f"if bytes(b[p + {size - 1}:p + n * {size}:{size}]).count(0) == n:"

    def fixed_structs(self, shape: Shape, items: str, item: str) -> None:
        add = self.source.add
        letters = "".join(slot.letter or "" for slot in shape.plain)
        walk = self.source.packer(letters + ("x" if shape.flexible else ""), "iter_unpack")
        add(f"q = p + n * {shape.min_size}")
        with self.source.block(f"for row in {walk}(b[p:q]):"):
            self.make(shape, item)
            fields = ", ".join(f"{item}.{slot.name}" for slot in shape.plain)
            add(f"{fields}{',' if len(shape.plain) == 1 else ''} = row")
            add(f"{items}.append({item})")
        add("p = q")

    def tags(self, shape: Shape, target: str) -> None:
        """Read tagged fields: known ones into their fields; others are skipped."""
        add, block = self.source.add, self.source.block
        if not shape.tagged:
            self.run.append(("B", "t"))
            self.flush()
            with block("if t:"):
                add("p = skip_tags(b, p, end, t)")
            return
        count, tag, stop = self.unique("t"), self.unique("tag"), self.unique("stop")
        self.run.append(("B", count))
        self.flush()
        with block(f"if {count}:"):
            with block(f"if {count} > 127:"):
                add(f"{count}, p = varint(b, p, {count})")
            with block(f"for _ in range({count}):"):
                add(f"{tag}, p = read_varint(b, p)")
                add("n, p = read_varint(b, p)")
                add(f"{stop} = p + n")
                with block(f"if {stop} > end:"):
                    add('raise Flaw("a tagged field is longer than the message")')
                for number, slot in enumerate(shape.tagged):
                    with block(f"{'elif' if number else 'if'} {tag} == {slot.tag}:"):
                        self.slot(slot, f"{target}.{slot.name}", True)
                        self.flush()
                with block("else:"):
                    add(f"p = {stop}")
                with block(f"if p != {stop}:"):
                    add(f'raise Flaw(f"tagged field {{{tag}}} is not as long as it says")')


def _size(letters: str) -> int:
    return calcsize(">" + letters)


def _least_element(slot: Slot, flexible: bool) -> int:
    """The minimal size of an array's element, at least 1, so that a count is always bounded."""
    if slot.shape is not None:
        return max(1, slot.shape.min_size)
    letter = FIXED.get(slot.type)
    if letter:
        return _size(letter)
    return 1 if flexible else 2
