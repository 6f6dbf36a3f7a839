"""The settings of one node: the file's, overridden by the dynamic ones of the metadata.

Only the value: model/settings/reading.py parses and validates it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from raftka.model.named_tuple import NamedTuple
from raftka.model.settings.catalog import BROKER, TOPIC
from raftka.model.settings.setting import Value, to_text

# Inside Config the builtin's name is the method.
Int = int

_HOUR_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000


class Problem(NamedTuple):
    """A problem with a setting."""

    name: str
    value: str | None
    words: str

    def __str__(self) -> str:
        given = self.name if self.value is None else f"{self.name}={self.value}"
        return f"{given}: {self.words}"


class WrongSettings(ValueError):
    """A node cannot start with these settings; the message lists problems and allowed values."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class Config:
    """Typed access to a node's settings. Immutable.

    A getter raises KeyError for an unknown name, TypeError for a setting of another type. Settings
    in other units, and those that default to other settings, are resolved: `log.retention.ms` has
    the value of `log.retention.hours`, `log.dirs` that of `log.dir`, `inter.broker.listener.name` a
    name.
    """

    __slots__ = ("broker", "default", "hostname", "notices", "set_aside", "static", "values")

    def __init__(
        self,
        static: Mapping[str, str],
        broker: Mapping[str, str],
        default: Mapping[str, str],
        *,
        hostname: Callable[[], str],
        values: Mapping[str, Value],
        notices: tuple[str, ...] = (),
        set_aside: tuple[Problem, ...] = (),
    ) -> None:
        self.static = static
        """The file's texts, by name."""
        self.broker = broker
        """Dynamic settings of this broker."""
        self.default = default
        """Dynamic settings of all brokers."""
        self.hostname = hostname
        """Stands for this host in a listener without a host; looked up only then."""
        self.notices = notices
        """Messages about the file, for the people who start the node."""
        self.set_aside = set_aside
        """The ignored dynamic settings, with which the node could not start."""
        self.values: Mapping[str, Value] = _resolved(values)
        """The given values and those derived from them; the getters add the defaults."""

    def given(self, name: str) -> str | None:
        """A setting's text from the layer with the highest precedence; None if no layer has it."""
        for layer in (self.broker, self.default, self.static):
            if name in layer:
                return layer[name]
        return None

    def value(self, name: str) -> Value:
        """The value of any type."""
        try:
            return self.values[name]
        except KeyError:
            return BROKER[name].default

    def int(self, name: str) -> Int:
        value = self.value(name)
        if isinstance(value, Int) and not isinstance(value, bool):
            return value
        raise TypeError(f"{name} is {value!r}, not a whole number")

    def number(self, name: str) -> float:
        value = self.value(name)
        if isinstance(value, float):
            return value
        return self.int(name)

    def flag(self, name: str) -> bool:
        value = self.value(name)
        if isinstance(value, bool):
            return value
        raise TypeError(f"{name} is {value!r}, neither true nor false")

    def text(self, name: str) -> str:
        value = self.value(name)
        if isinstance(value, str):
            return value
        raise TypeError(f"{name} is {value!r}, not a text")

    def names(self, name: str) -> list[str]:
        """The items of a list; empty if it is not given."""
        value = self.value(name)
        if value is None:
            return []
        if isinstance(value, tuple):
            return list(value)
        raise TypeError(f"{name} is {value!r}, not a list")

    def optional_int(self, name: str) -> Int | None:
        return None if self.value(name) is None else self.int(name)

    def optional_text(self, name: str) -> str | None:
        return None if self.value(name) is None else self.text(name)

    def topic_defaults(self) -> dict[str, str]:
        """The value of each topic setting on this node without a topic's override."""
        found: dict[str, str] = {}
        for setting in TOPIC.values():
            value = self.topic_default(setting.name)
            if value is not None:
                found[setting.name] = value
        return found

    def topic_default(self, name: str) -> str | None:
        """One of topic_defaults, None for null. Raises KeyError if it is no topic setting."""
        setting = TOPIC[name]
        known = setting.broker_name is not None
        value = self.value(setting.broker_name) if known and setting.broker_name else None
        return to_text(setting.default if value is None else value)


def problem(config: Config, name: str, words: str) -> Problem:
    """A problem with a setting of `config`, with its given value."""
    return Problem(name, config.given(name), words)


def _resolved(given: Mapping[str, Value]) -> dict[str, Value]:
    """Fill in settings that are derived from others."""
    values = dict(given)

    def number(name: str) -> Int | None:
        found = values.get(name, BROKER[name].default)
        return found if isinstance(found, Int) else None

    def scaled(name: str, factor: Int) -> Int | None:
        found = number(name)
        return found * factor if found is not None and found >= 0 else found

    def fill(name: str, *candidates: Value) -> None:
        if values.get(name) is None:
            values[name] = next((each for each in candidates if each is not None), None)

    fill(
        "log.retention.ms",
        scaled("log.retention.minutes", _MINUTE_MS),
        scaled("log.retention.hours", _HOUR_MS),
    )
    if (retention_ms := number("log.retention.ms")) is not None and retention_ms < 0:
        values["log.retention.ms"] = -1  # Kafka accepts any negative number for "for ever".
    fill("log.roll.ms", scaled("log.roll.hours", _HOUR_MS))
    fill("log.roll.jitter.ms", scaled("log.roll.jitter.hours", _HOUR_MS))
    fill("log.flush.interval.ms", number("log.flush.scheduler.interval.ms"))
    fill("log.dirs", values.get("log.dir"), BROKER["log.dir"].default)
    dirs = values["log.dirs"]
    fill("metadata.log.dir", dirs[0] if isinstance(dirs, tuple) and dirs else None)
    fill(
        "inter.broker.listener.name",
        values.get("security.inter.broker.protocol"),
        BROKER["security.inter.broker.protocol"].default,
    )
    return values
