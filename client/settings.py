"""How client settings are declared, parsed and checked.

Names, types and defaults are Apache Kafka's ("Producer Configs", "Consumer Configs", "Admin
Configs" of its documentation), so that a properties file made for its clients works here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import Endpoint

Value = str | int | float | bool | list[str] | None


class ConfigError(KafkaError):
    """A setting that cannot be used; names it, its value, and what is allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.INVALID_CONFIG, message)

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name, how its text is read, its default, its bounds and its meaning."""

    name: str
    read: Callable[[str, Any], Value]
    default: Value
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def parse(self, raw: object) -> Value:
        """The value of `raw`, which is text or already of the right type."""
        value = self.read(self.name, raw)
        if self.choices and isinstance(value, str) and value not in self.choices:
            raise ConfigError(
                f"{self.name} = {value!r}: it must be one of {', '.join(self.choices)}"
            )
        if isinstance(value, int | float) and not isinstance(value, bool):
            if self.low is not None and value < self.low:
                raise ConfigError(f"{self.name} = {value}: it must be at least {self.low:g}")
            if self.high is not None and value > self.high:
                raise ConfigError(f"{self.name} = {value}: it must be at most {self.high:g}")
        return value


def text(name: str, raw: object) -> str:
    """Any value as text, without surrounding blanks."""
    return str(raw).strip()


def optional_text(name: str, raw: object) -> str | None:
    """Any value as text; None stays None."""
    return None if raw is None else str(raw)


def integer(name: str, raw: object) -> int:
    """A whole number, or its digits. Raises ConfigError."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    try:
        return int(str(raw).strip())
    except ValueError:
        raise ConfigError(f"{name} = {raw!r}: it must be a whole number") from None


def flag(name: str, raw: object) -> bool:
    """A bool, or the text "true" or "false". Raises ConfigError."""
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower()
    if word not in ("true", "false"):
        raise ConfigError(f"{name} = {raw!r}: it must be true or false")
    return word == "true"


def names(name: str, raw: object) -> list[str]:
    """A list, or the items of a text separated by commas."""
    parts: Iterable[object] = raw.split(",") if isinstance(raw, str) else raw  # type: ignore[assignment]
    if not isinstance(parts, list | tuple):
        raise ConfigError(f"{name} = {raw!r}: it must be a list of names separated by commas")
    return [str(part).strip() for part in parts if str(part).strip()]


def acks(name: str, raw: object) -> int:
    """all, -1, 0 or 1, as the number that Produce carries. Raises ConfigError."""
    word = str(raw).strip()
    known = {"all": -1, "-1": -1, "0": 0, "1": 1}
    if word not in known:
        raise ConfigError(f"{name} = {raw!r}: it must be all, -1, 0 or 1")
    return known[word]


class ClientConfig:
    """The settings of one client: the caller's, over the defaults of its kind."""

    def __init__(
        self, kind: str, known: Mapping[str, Setting], given: Mapping[str, object]
    ) -> None:
        """Raises ConfigError for an unknown name or a value that is not allowed."""
        if not isinstance(given, Mapping):
            raise ConfigError(
                'the settings are a dict, as {"bootstrap.servers": "localhost:9092"}, not'
                f" {given!r}"
            )
        self.kind = kind
        self._values: dict[str, Value] = {name: item.default for name, item in known.items()}
        self._given: frozenset[str] = frozenset(given)
        for name, raw in given.items():
            if name not in known:
                raise ConfigError(_unknown(kind, name, known))
            self._values[name] = known[name].parse(raw)

    def given(self, name: str) -> bool:
        """Whether the caller set it, rather than the default."""
        return name in self._given

    def override(self, name: str, value: Value) -> None:
        """Replace a default that conflicts with another setting."""
        self._values[name] = value

    def number(self, name: str) -> int:
        value = self._values[name]
        assert isinstance(value, int), name
        return value

    def seconds(self, name: str) -> float:
        """A setting in milliseconds, as seconds."""
        return self.number(name) / 1000

    def flag(self, name: str) -> bool:
        value = self._values[name]
        assert isinstance(value, bool), name
        return value

    def text(self, name: str) -> str:
        value = self._values[name]
        assert isinstance(value, str), name
        return value

    def optional_text(self, name: str) -> str | None:
        value = self._values[name]
        assert value is None or isinstance(value, str), name
        return value

    def names(self, name: str) -> list[str]:
        value = self._values[name]
        assert isinstance(value, list), name
        return value

    @property
    def waits_for_topics(self) -> bool:
        """Whether the client waits for topics that do not exist yet."""
        return self.kind in ("producer", "consumer")

    @property
    def controllers(self) -> bool:
        """Whether the client talks to the controllers instead of brokers (KIP-919)."""
        return bool(self._values.get("bootstrap.controllers"))

    def bootstrap(self) -> list[Endpoint]:
        """The bootstrap servers. Raises ConfigError when none are given."""
        if self.controllers:
            return parse_endpoints("bootstrap.controllers", self.names("bootstrap.controllers"))
        return parse_endpoints("bootstrap.servers", self.names("bootstrap.servers"))


def parse_endpoints(name: str, addresses: Iterable[str]) -> list[Endpoint]:
    """host:port pairs, IPv6 hosts in brackets; a leading protocol, as in PLAINTEXT://, is ignored
    as by Kafka's own clients.
    """
    found: list[Endpoint] = []
    for address in addresses:
        host, _, port = address.rpartition("://")[2].rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        is_number = port.isascii() and port.isdecimal()
        if not host or set(host) & set("[]") or not is_number or not 0 < int(port) < 65536:
            raise ConfigError(
                f"{name} = {address!r}: it must be host:port, as localhost:9092 or [::1]:9092"
            )
        found.append(Endpoint(host, int(port)))
    if not found:
        raise ConfigError(
            f"{name} is not set: give the address of at least one broker, as localhost:9092"
        )
    return found


def _unknown(kind: str, name: str, known: Mapping[str, Setting]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]}?" if near else ""
    article = "an" if kind.startswith("a") else "a"
    return f"{name} is not a setting of {article} {kind}{hint}"
