"""Builds a node's settings from its file and from the dynamic settings of the metadata.

Policy for a file: an invalid value prevents the start, and so does a name that is close to a known
one, since it is misspelt. Any other unknown name is only logged, as in Apache Kafka, because
plugins have their own settings. Known names without effect in raftka are logged if they are given.

Policy for dynamic settings: settings that would be invalid in a file are refused when they are set
(altering.py). The metadata may contain such a setting anyway, from another release: it is ignored
with a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from raftka.model.settings.catalog import (
    BROKER,
    LISTENER_PREFIX,
    OF_LISTENERS,
    REMOVED,
    nearest,
)
from raftka.model.settings.config import Config, Problem, WrongSettings
from raftka.model.settings.rules import broken_rules
from raftka.model.settings.setting import Setting, Value

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_PLUGIN_PREFIXES: Final = (LISTENER_PREFIX, "metrics.jmx.", "confluent.", "rlmm.", "rsm.")


def read_config(
    properties: Mapping[str, str], *, hostname: Callable[[], str] = lambda: "localhost"
) -> Config:
    """The settings of a file. Raises WrongSettings with all problems at once."""
    given = dict(properties)
    # A node's id has two names; each gets the value if only the other is given.
    for name, other in (("node.id", "broker.id"), ("broker.id", "node.id")):
        if other in properties:
            given.setdefault(name, properties[other])
    values, problems, notices = _read(given)
    config = Config(
        MappingProxyType(given),
        _NOTHING,
        _NOTHING,
        hostname=hostname,
        values=values,
        notices=tuple(notices),
    )
    # Rules about several settings are only checked if all of them are valid by themselves.
    problems = problems or broken_rules(config)
    if problems:
        raise WrongSettings(problems)
    return config


def with_dynamic(config: Config, broker: Mapping[str, str], default: Mapping[str, str]) -> Config:
    """The same file with other dynamic settings; a broker's own override the cluster's defaults.

    Dynamic settings with which the node could not start are ignored (`Config.set_aside`); unknown
    names, and settings that cannot change while a node runs, have no effect.
    """
    stacked = stack(config, broker, default)
    return stacked if not broken_rules(stacked) else _mended(stacked)


def stack(config: Config, broker: Mapping[str, str], default: Mapping[str, str]) -> Config:
    """The same without checking rules about several settings."""
    values, _, _ = _read(config.static)
    aside = []
    for layer in (default, broker):
        for name, text in layer.items():
            setting = BROKER.get(name)
            if setting is None or not setting.dynamic:
                continue
            try:
                values[name] = setting.parse(text)
            except ValueError as error:
                aside.append(_wrong(setting, text, error))
    return Config(
        config.static,
        MappingProxyType(dict(broker)),
        MappingProxyType(dict(default)),
        hostname=config.hostname,
        values=values,
        notices=config.notices,
        set_aside=tuple(aside),
    )


def _mended(stacked: Config) -> Config:
    """The same, without the dynamic settings that violate a rule.

    Settings are added one at a time, as long as another one fits: whether a setting fits may depend
    on others (listeners need their protocol), and neither their order nor an invalid one must cost
    the others.
    """
    broker: dict[str, str] = {}
    default: dict[str, str] = {}
    left = [(default, *item) for item in stacked.default.items()]
    left += [(broker, *item) for item in stacked.broker.items()]
    reasons: list[Problem] = []
    while True:
        before, reasons, waiting = len(left), [], []
        for layer, name, text in left:
            layer[name] = text
            problems = broken_rules(stack(stacked, broker, default))
            if problems:
                del layer[name]
                waiting.append((layer, name, text))
                reasons.append(Problem(name, _shown(name, text), problems[0].words))
        left = waiting
        if len(left) == before:
            break
    fitting = stack(stacked, broker, default)
    return Config(
        stacked.static,
        stacked.broker,
        stacked.default,
        hostname=stacked.hostname,
        values=fitting.values,
        notices=stacked.notices,
        set_aside=(*fitting.set_aside, *reasons),
    )


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
            problems.append(_wrong(setting, text, error))
            continue
        if setting.no_effect and values[name] != setting.default:
            notices.append(f"{name} is without effect: {setting.no_effect}")
    return values, problems, notices


def _wrong(setting: Setting, text: str, error: ValueError) -> Problem:
    words = f"{error}; it takes {setting.allowed}."
    return Problem(setting.name, _shown(setting.name, text), words)


def _shown(name: str, text: str) -> str:
    setting = BROKER.get(name)
    return "[hidden]" if setting is None or setting.sensitive else text


def _unknown(name: str, text: str, problems: list[Problem], notices: list[str]) -> None:
    if name in REMOVED:
        notices.append(f"{name} is no longer used: {REMOVED[name]}")
    elif name.startswith(LISTENER_PREFIX) and name.endswith(OF_LISTENERS):
        return
    elif name.startswith(_PLUGIN_PREFIXES):
        notices.append(f"{name} is without effect")
    elif (meant := nearest(name, BROKER)) is not None:
        problems.append(Problem(name, text, f"there is no such setting; did you mean {meant}?"))
    else:
        notices.append(f"{name} is not a setting that is known here; it is ignored")


def parse_overrides(given: Sequence[str]) -> dict[str, str]:
    """The settings in `--override name=value` options. Raises ValueError for one without `=`."""
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"--override {each}: it must have the form name=value")
        found[name.strip()] = value
    return found
