"""Parses lines of text into records, as the console producer's options describe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from raftka.client.tools.options import ToolError, UsageError
from raftka.model.records import Header


class Line(NamedTuple):
    """One record to write."""

    key: bytes | None
    value: bytes | None
    headers: list[Header]


@dataclass(frozen=True, slots=True)
class LineReader:
    """How a line is split: headers, then key, then value."""

    parse_key: bool = False
    parse_headers: bool = False
    key_separator: str = "\t"
    headers_delimiter: str = "\t"
    headers_separator: str = ","
    headers_key_separator: str = ":"
    ignore_error: bool = False
    null_marker: str | None = None

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> LineReader:
        """Raises UsageError for an unusable separator."""
        reader = cls(
            parse_key=_flag(properties, "parse.key"),
            parse_headers=_flag(properties, "parse.headers"),
            key_separator=properties.get("key.separator", "\t"),
            headers_delimiter=properties.get("headers.delimiter", "\t"),
            headers_separator=properties.get("headers.separator", ","),
            headers_key_separator=properties.get("headers.key.separator", ":"),
            ignore_error=_flag(properties, "ignore.error"),
            null_marker=properties.get("null.marker"),
        )
        for name, separator in (
            ("key.separator", reader.key_separator),
            ("headers.delimiter", reader.headers_delimiter),
            ("headers.separator", reader.headers_separator),
            ("headers.key.separator", reader.headers_key_separator),
        ):
            if not separator:
                raise UsageError(f"{name} is empty: give at least one character")
        if reader.headers_delimiter == reader.headers_separator:
            raise UsageError("headers.delimiter and headers.separator may not be equal")
        if reader.headers_delimiter == reader.headers_key_separator:
            raise UsageError("headers.delimiter and headers.key.separator may not be equal")
        if reader.headers_separator == reader.headers_key_separator:
            raise UsageError("headers.separator and headers.key.separator may not be equal")
        return reader

    def parse(self, text: str, number: int) -> Line:
        """The record in line `number`. Raises ToolError when a separator is missing."""
        headers, rest = None, text
        if self.parse_headers:
            headers, rest = self._cut(
                text, rest, self.headers_delimiter, "headers delimiter", number
            )
        key = None
        if self.parse_key:
            key, rest = self._cut(text, rest, self.key_separator, "key separator", number)
        return Line(
            self._bytes(key) if key is not None else None,
            self._bytes(rest),
            self._headers(headers, number) if headers is not None else [],
        )

    def _cut(
        self, line: str, rest: str, separator: str, name: str, number: int
    ) -> tuple[str | None, str]:
        before, found, after = rest.partition(separator)
        if found:
            return before, after
        if self.ignore_error:
            return None, rest
        raise ToolError(f"No {name} found on line number {number}: '{line}'")

    def _headers(self, text: str, number: int) -> list[Header]:
        if not text or text == self.null_marker:
            return []
        headers: list[Header] = []
        for pair in text.split(self.headers_separator):
            name, found, value = pair.partition(self.headers_key_separator)
            if not found and not self.ignore_error:
                raise ToolError(
                    f"No header key separator found in pair '{pair}' on line number {number}"
                )
            headers.append((name, self._bytes(value) if found else None))
        return headers

    def _bytes(self, text: str) -> bytes | None:
        return None if text == self.null_marker else text.encode("utf-8", "surrogateescape")


def _flag(properties: Mapping[str, str], name: str) -> bool:
    return properties.get(name, "false").strip().lower() == "true"
