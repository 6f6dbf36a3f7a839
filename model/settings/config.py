"""The settings of one node: the file's, with the dynamic ones of the metadata on top.

Policy for a file: a wrong value stops the start, and so does a name that is nearly a known one,
since it is misspelt. Any other unknown name is only noticed, as in Apache Kafka, because plugins
bring names of their own. Known names that change nothing here are noticed when they are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from raftka.model.settings.catalog import BROKER, REMOVED, TOPIC, nearest
from raftka.model.settings.setting import Value, to_text

# Inside Config the name of the builtin belongs to the method.
Int = int

_HOUR_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_PLUGIN_PREFIXES: Final = ("listener.name.", "metrics.jmx.", "confluent.", "rlmm.", "rsm.")


class Problem(NamedTuple):
    """Something wrong with a setting."""

    name: str
    value: str | None
    words: str

    def __str__(self) -> str:
        given = self.name if self.value is None else f"{self.name}={self.value}"
        return f"{given}: {self.words}"


class WrongSettings(ValueError):
    """A node cannot start with these settings; the message names each with what is allowed."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class Config:
    """Typed access to a node's settings. Immutable.

    A getter raises KeyError for a name that is no setting, TypeError for one of another type.
    Settings that only say the same in another unit, or that follow from others when they are not
    given, are resolved: `log.retention.ms` has the value of `log.retention.hours`, `log.dirs` that
    of `log.dir`, `inter.broker.listener.name` a name.
    """

    __slots__ = ("_values", "broker", "default", "hostname", "notices", "static")

    def __init__(
        self,
        static: Mapping[str, str],
        broker: Mapping[str, str],
        default: Mapping[str, str],
        *,
        hostname: str,
        values: dict[str, Value],
        notices: tuple[str, ...] = (),
    ) -> None:
        self.static = static
        """What the file says, by name, as it was written."""
        self.broker = broker
        """Dynamic settings of this broker."""
        self.default = default
        """Dynamic settings of all brokers."""
        self.hostname = hostname
        """What stands for this host where a listener names none."""
        self.notices = notices
        """What whoever started the node should know about its file."""
        self._values = _resolved(values)

    @classmethod
    def from_properties(
        cls, properties: Mapping[str, str], *, hostname: str = "localhost"
    ) -> Config:
        """The settings of a file. Raises WrongSettings, with all that is wrong at once."""
        from raftka.model.settings.rules import broken_rules

        given = dict(properties)
        # A node has one id under two names; each is shown where only the other is given.
        for name, other in (("node.id", "broker.id"), ("broker.id", "node.id")):
            if other in properties:
                given.setdefault(name, properties[other])
        values, problems, notices = _read(given)
        config = cls(
            MappingProxyType(given),
            _NOTHING,
            _NOTHING,
            hostname=hostname,
            values=values,
            notices=tuple(notices),
        )
        # A rule about several settings says nothing useful while one of them is no value at all.
        problems = problems or broken_rules(config)
        if problems:
            raise WrongSettings(problems)
        return config

    def with_dynamic(self, broker: Mapping[str, str], default: Mapping[str, str]) -> Config:
        """The same file under other dynamic settings; a broker's own is stronger than a default.

        What does not fit this node (a name of a newer version, a setting that cannot change while
        the node runs) is passed over: the metadata must not be able to stop a node.
        """
        values, _, _ = _read(self.static)
        for layer in (default, broker):
            for name, text in layer.items():
                setting = BROKER.get(name)
                if setting is None or not setting.dynamic:
                    continue
                try:
                    values[name] = setting.parse(text)
                except ValueError:
                    continue
        return Config(
            self.static,
            MappingProxyType(dict(broker)),
            MappingProxyType(dict(default)),
            hostname=self.hostname,
            values=values,
            notices=self.notices,
        )

    def value(self, name: str) -> Value:
        """The value of any type."""
        try:
            return self._values[name]
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
        """The items of a list; none when it is not given."""
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
        """What each topic setting is on this node where the topic itself does not say."""
        found: dict[str, str] = {}
        for setting in TOPIC.values():
            value = self.topic_default(setting.name)
            if value is not None:
                found[setting.name] = value
        return found

    def topic_default(self, name: str) -> str | None:
        """One of topic_defaults, None for null. Raises KeyError when it is no topic setting."""
        setting = TOPIC[name]
        known = setting.broker_name is not None
        value = self.value(setting.broker_name) if known and setting.broker_name else None
        return to_text(setting.default if value is None else value)


def _read(
    properties: Mapping[str, str],
) -> tuple[dict[str, Value], list[Problem], list[str]]:
    """(values of known settings, problems, notices)."""
    values: dict[str, Value] = {}
    problems: list[Problem] = []
    notices: list[str] = []
    for name, text in properties.items():
        setting = BROKER.get(name)
        if setting is None:
            _unknown(name, text, problems, notices)
            continue
        try:
            values[name] = setting.parse(text)
        except ValueError as error:
            shown = "[hidden]" if setting.sensitive else text
            words = f"{error}; it takes {setting.allowed}."
            problems.append(Problem(name, shown, words))
            continue
        if setting.no_effect and values[name] != setting.default:
            notices.append(f"{name} is without effect: {setting.no_effect}")
    return values, problems, notices


def _unknown(name: str, text: str, problems: list[Problem], notices: list[str]) -> None:
    if name in REMOVED:
        notices.append(f"{name} is not used any more: {REMOVED[name]}")
    elif name.startswith(_PLUGIN_PREFIXES):
        notices.append(f"{name} is without effect")
    elif (meant := nearest(name, BROKER)) is not None:
        problems.append(Problem(name, text, f"there is no such setting; did you mean {meant}?"))
    else:
        notices.append(f"{name} is not a setting that is known here; it is ignored")


def _resolved(values: dict[str, Value]) -> dict[str, Value]:
    """Fill in what follows from other settings when it is not given."""

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


def parse_overrides(given: Sequence[str]) -> dict[str, str]:
    """The settings of `--override name=value` options. Raises ValueError for one without `=`."""
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"--override {each}: it must have the form name=value")
        found[name.strip()] = value
    return found
