"""The definition of a setting: its name, type, default, bounds, and how its text is parsed and
printed.

Source: Apache Kafka 4.3's `ConfigDef`, whose error messages clients and people know.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import Final, Protocol

from raftka.model.named_tuple import NamedTuple

Value = bool | int | float | str | tuple[str, ...] | None
"""A parsed value; a list is a tuple, None stands for Kafka's null."""


class Type(enum.IntEnum):
    """The types of settings, with DescribeConfigs' numbers (KIP-569)."""

    UNKNOWN = 0
    """The type of loggers' levels."""
    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    CLASS = 8
    PASSWORD = 9


class Dynamic(enum.IntEnum):
    """Whether a broker setting may change while the broker runs (KIP-226)."""

    READ_ONLY = 0
    PER_BROKER = 1
    """For one broker at a time, such as listeners."""
    CLUSTER_WIDE = 2
    """For one broker, or for all of them at once."""


class Check(Protocol):
    """A bound on parsed values."""

    @property
    def allowed(self) -> str:
        """The allowed values, for the documentation: "[1,...]"."""
        ...

    def problem(self, value: Value) -> str | None:
        """The problem with a value, or None."""
        ...


class Setting(NamedTuple):
    """One setting, declared once; parsing, describing, altering and the docs page use it."""

    name: str
    type: Type
    default: Value
    check: Check | None
    dynamic: Dynamic
    doc: str
    no_effect: str = ""
    """Why the setting is accepted without effect; empty if it has one."""
    broker_name: str | None = None
    """For a topic setting: the broker setting with its default."""

    def parse(self, text: str | None) -> Value:
        """Parse `text`. Raises ValueError with Kafka's message."""
        if text is None:
            return None
        value = parse_as(self.type, text)
        if self.type is Type.LIST and self.name not in _MAY_HAVE_GAPS and "" in value_items(value):
            raise ValueError("values must not be empty")
        problem = self.check.problem(value) if self.check is not None else None
        if problem is not None:
            raise ValueError(problem)
        return value

    @property
    def sensitive(self) -> bool:
        """Whether the value is never shown."""
        return self.type is Type.PASSWORD

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        kind = _KIND[self.type]
        return f"{kind} {self.check.allowed}" if self.check is not None else kind


class HttpListener:
    """http://host:port"""

    allowed = "http://[host]:[port]"

    def problem(self, value: Value) -> str | None:
        known = value is None or http_address(str(value)) is not None
        return None if known else f"must be in the format {self.allowed}"


_HTTP: Final = re.compile(r"http://(\[[0-9a-fA-F:.%]+\]|[^:/\[\]]*):([0-9]{1,5})/?")


def http_address(text: str) -> tuple[str, int] | None:
    """(host, empty for the default interface; port) of http://host:port; None for other texts."""
    found = _HTTP.fullmatch(text)
    if found is None or int(found[2]) > 65535:
        return None
    return found[1].strip("[]"), int(found[2])


class Patterns:
    """A list of regular expressions."""

    allowed = "regular expressions"

    def problem(self, value: Value) -> str | None:
        for pattern in value_items(value):
            try:
                re.compile(pattern)
            except re.error as error:
                return f"{pattern!r} is no regular expression: {error}"
        return None


class Range(NamedTuple):
    """low <= value <= high; None leaves a side unbounded. Null is accepted."""

    low: float | None = None
    high: float | None = None
    also: int | None = None
    """One more allowed value outside of the range."""

    @property
    def allowed(self) -> str:
        if self.also is not None:
            return f"[{self.low},...,{self.high}] or {self.also}"
        low = "..." if self.low is None else f"{self.low}"
        return f"[{low},...]" if self.high is None else f"[{low},...,{self.high}]"

    def problem(self, value: Value) -> str | None:
        if not isinstance(value, int | float) or value == self.also:
            return None
        too_low = self.low is not None and value < self.low
        too_high = self.high is not None and value > self.high
        if not too_low and not too_high:
            return None
        if self.also is not None:
            return f"Value must be between {self.low} and {self.high} or equal to {self.also}"
        if too_low:
            return f"Value must be at least {self.low}"
        return f"Value must be no more than {self.high}"


class OneOf(NamedTuple):
    """A string, or every item of a list, must be one of these words."""

    words: tuple[str, ...]
    any_case: bool = False

    @property
    def allowed(self) -> str:
        return f"of [{', '.join(self.words)}]"

    def problem(self, value: Value) -> str | None:
        items: Iterable[object] = value if isinstance(value, tuple) else (value,)
        for item in items:
            word = item.upper() if self.any_case and isinstance(item, str) else item
            if word not in self.words:
                return f"String must be one of: {', '.join(self.words)}"
        return None


class NonEmpty(NamedTuple):
    """A given string or list must not be empty."""

    @property
    def allowed(self) -> str:
        return "that is not empty"

    def problem(self, value: Value) -> str | None:
        return "Value must not be empty" if value in ("", ()) else None


class ThrottledReplicas(NamedTuple):
    """`*`, or items of the form partition:broker."""

    name: str

    @property
    def allowed(self) -> str:
        return "[partitionId]:[brokerId],[partitionId]:[brokerId],... or *"

    def problem(self, value: Value) -> str | None:
        items = value if isinstance(value, tuple) else ()
        if items == ("*",):
            return None
        for item in items:
            partition, colon, broker = item.partition(":")
            if not (colon and partition.isdecimal() and broker.isdecimal()):
                return (
                    f"{self.name} must be the literal '*' or a list of replicas in the following"
                    " format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
                )
        return None


class ConnectionOverrides(NamedTuple):
    """Items of the form host:count; the host is a name, or an address without brackets."""

    @property
    def allowed(self) -> str:
        return "host:count,host:count,..."

    def problem(self, value: Value) -> str | None:
        for item in split_list(value) if isinstance(value, str) else ():
            host, _, count = item.rpartition(":")
            if not _HOST.fullmatch(host) or not count.removeprefix("-").isdecimal():
                return f"Not of the form host:count: {item}"
        return None


_HOST: Final = re.compile(r"[0-9a-zA-Z\-%._:]+")
_MAY_HAVE_GAPS: Final = frozenset({"config.providers"})
"""Lists in which Kafka allows empty items."""
INT_MAX: Final = 2**31 - 1
LONG_MAX: Final = 2**63 - 1
DECOMPRESSED_BYTES_MAX: Final = 2**31 - 9
"""Java's largest array, which Kafka uses for no limit."""
DOUBLE_MAX: Final = 1.7976931348623157e308

_KIND: Final = {
    Type.BOOLEAN: "true or false",
    Type.STRING: "text",
    Type.INT: "a whole number",
    Type.SHORT: "a whole number",
    Type.LONG: "a whole number",
    Type.DOUBLE: "a number",
    Type.LIST: "a list",
    Type.CLASS: "a class name",
    Type.PASSWORD: "a secret",
}
_BITS: Final = {Type.SHORT: 15, Type.INT: 31, Type.LONG: 63}


def value_items(value: Value) -> tuple[str, ...]:
    """The items of a list; none for other values."""
    return value if isinstance(value, tuple) else ()


def split_list(text: str) -> tuple[str, ...]:
    """The items between commas, trimmed; none for a blank text."""
    stripped = text.strip()
    return tuple(item.strip() for item in stripped.split(",")) if stripped else ()


def parse_as(kind: Type, text: str) -> Value:
    """Parse `text` as a type. Raises ValueError with Kafka's message."""
    trimmed = text.strip()
    if kind is Type.BOOLEAN:
        lowered = trimmed.lower()
        if lowered not in ("true", "false"):
            raise ValueError("Expected value to be either true or false")
        return lowered == "true"
    if kind in _BITS:
        limit = 1 << _BITS[kind]
        digits = trimmed[1:] if trimmed[:1] in ("-", "+") else trimmed
        # int() alone would also accept "1_000" and " 1", and any number of digits.
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 20):
            raise ValueError(f"Not a number of type {kind.name}")
        number = int(trimmed)
        if not -limit <= number < limit:
            raise ValueError(f"Not a number of type {kind.name}")
        return number
    if kind is Type.DOUBLE:
        try:
            real = float(trimmed)
        except ValueError:
            raise ValueError("Not a number of type DOUBLE") from None
        if not -DOUBLE_MAX <= real <= DOUBLE_MAX:
            raise ValueError("Not a number of type DOUBLE")
        return real
    return split_list(text) if kind is Type.LIST else trimmed


def to_text(value: Value) -> str | None:
    """A value as Kafka prints it: true, 0.5, 1.7E308, items joined by commas; None for null."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, float):
        return repr(value).replace("e+", "E").replace("e-", "E-")
    return str(value)


def typed(text: str, setting: Setting | None) -> str | None:
    """`text` as it would be printed again: normalized by the setting's type, hidden if secret."""
    if setting is None or setting.sensitive:
        return None
    try:
        return to_text(setting.parse(text))
    except ValueError:
        return text
