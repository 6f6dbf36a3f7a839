"""Generates Python functions from lines of source; used by decoder.py and encoder.py."""

from __future__ import annotations

import linecache
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Source:
    """Collects lines and the objects that they refer to."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self._lines: list[str] = []
        self._depth = 0

    def add(self, line: str) -> None:
        self._lines.append("    " * self._depth + line)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """The lines added inside are indented below `head`."""
        self.add(head)
        self._depth += 1
        yield
        self._depth -= 1

    def packer(self, letters: str, method: str) -> str:
        """The name of a method of struct.Struct(">" + letters) in the source."""
        name = f"{method}_{letters.replace('?', 'bool')}"
        if name not in self.names:
            self.names[name] = getattr(struct.Struct(">" + letters), method)
        return name

    def compile(self, name: str, filename: str) -> Any:
        """Compile the function called `name`. Tracebacks show its lines, through linecache."""
        text = "\n".join(self._lines) + "\n"
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        exec(compile(text, filename, "exec"), self.names)
        return self.names[name]


class Run(list[tuple[str, str]]):
    """Adjacent fields of fixed size, as (letter, expression), read or written in one call."""

    @property
    def letters(self) -> str:
        return "".join(letter for letter, _ in self)

    @property
    def expressions(self) -> str:
        return ", ".join(expression for _, expression in self if expression)
