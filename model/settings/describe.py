"""The answers to DescribeConfigs: each value, its source, and the values that it overrides.

Source: KIP-226 (sources and synonyms), KIP-569 (types and documentation), and Apache Kafka 4.3's
answers, which the tests compare these with.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping

from raftka.model.logs import levels
from raftka.model.named_tuple import NamedTuple
from raftka.model.settings.catalog import BROKER, TOPIC, broker_synonyms
from raftka.model.settings.config import Config
from raftka.model.settings.group import GROUP, INTERNAL
from raftka.model.settings.setting import Dynamic, Setting, Type, to_text, typed


class Source(enum.IntEnum):
    """The source of a value, numbered as in the protocol."""

    DYNAMIC_TOPIC_CONFIG = 1
    DYNAMIC_BROKER_CONFIG = 2
    DYNAMIC_DEFAULT_BROKER_CONFIG = 3
    STATIC_BROKER_CONFIG = 4
    DEFAULT_CONFIG = 5
    DYNAMIC_BROKER_LOGGER_CONFIG = 6
    DYNAMIC_CLIENT_METRICS_CONFIG = 7
    GROUP_CONFIG = 8


class Synonym(NamedTuple):
    """One source that gives, or could give, a setting its value."""

    name: str
    value: str | None
    source: Source


class Description(NamedTuple):
    """One setting in DescribeConfigs. A secret has no value."""

    name: str
    value: str | None
    source: Source
    type: Type
    read_only: bool
    sensitive: bool
    synonyms: tuple[Synonym, ...]
    """Highest precedence first; the value comes from the first of them."""
    documentation: str


def describe_topic(
    config: Config, overrides: Mapping[str, str], names: Collection[str] | None = None
) -> list[Description]:
    """The settings of a topic with these overrides on this node; all, or only the named ones."""
    found = []
    for setting in _chosen(TOPIC.values(), names):
        synonyms = _topic_synonyms(config, setting)
        value = config.topic_default(setting.name)
        given = overrides.get(setting.name)
        if given is not None:
            value = typed(given, setting)
            synonyms.insert(0, Synonym(setting.name, value, Source.DYNAMIC_TOPIC_CONFIG))
        found.append(_described(setting, value, synonyms, read_only=False))
    return found


def describe_group(
    config: Config, overrides: Mapping[str, str], names: Collection[str] | None = None
) -> list[Description]:
    """The settings of a group with these overrides; all, or only the named ones."""
    found = []
    shown = (s for s in GROUP.values() if s.name not in INTERNAL or s.name in overrides)
    for setting in _chosen(shown, names):
        synonyms = _topic_synonyms(config, setting)
        value = synonyms[0].value if synonyms else to_text(setting.default)
        given = overrides.get(setting.name)
        if given is not None:
            value = typed(given, setting)
            synonyms.insert(0, Synonym(setting.name, value, Source.GROUP_CONFIG))
        found.append(_described(setting, value, synonyms, read_only=False))
    return found


def describe_client_metrics(
    own: Mapping[str, str], names: Collection[str] | None = None
) -> list[Description]:
    """The settings of a subscription to clients' metrics (KIP-714)."""
    # Lazy: hardly any node needs it.
    from raftka.model.settings.client_metrics import CLIENT_METRICS

    found = []
    for setting in _chosen(CLIENT_METRICS.values(), names):
        default = to_text(setting.default)
        value, source = default, Source.DEFAULT_CONFIG
        if (given := own.get(setting.name)) is not None:
            value, source = typed(given, setting), Source.DYNAMIC_CLIENT_METRICS_CONFIG
        synonyms = [Synonym(setting.name, value, source)]
        found.append(_described(setting, value, synonyms, read_only=False))
    return found


def describe_broker(config: Config, names: Collection[str] | None = None) -> list[Description]:
    """The settings of this node; all, or only the named ones."""
    found = []
    for setting in _chosen(BROKER.values(), names):
        synonyms = _broker_synonyms(config, setting.name)
        # Not config.value(): a setting that is not given stays null here, even if another one in
        # other units replaces it.
        value = synonyms[0].value if synonyms else to_text(setting.default)
        read_only = setting.dynamic is Dynamic.READ_ONLY
        found.append(_described(setting, value, synonyms, read_only=read_only))
    for name in sorted({*config.broker, *config.default} - BROKER.keys()):
        if names is None or name in names:
            layers = (
                (config.broker, Source.DYNAMIC_BROKER_CONFIG),
                (config.default, Source.DYNAMIC_DEFAULT_BROKER_CONFIG),
            )
            found.append(_unknown(name, layers))
    return found


def describe_broker_defaults(
    defaults: Mapping[str, str], names: Collection[str] | None = None
) -> list[Description]:
    """The dynamic settings of all brokers; only those that are set."""
    found = []
    for name in sorted(defaults):
        if names is not None and name not in names:
            continue
        setting = BROKER.get(name)
        if setting is None:
            found.append(_unknown(name, ((defaults, Source.DYNAMIC_DEFAULT_BROKER_CONFIG),)))
            continue
        value = typed(defaults[name], setting)
        synonym = Synonym(name, value, Source.DYNAMIC_DEFAULT_BROKER_CONFIG)
        read_only = setting.dynamic is Dynamic.READ_ONLY
        found.append(_described(setting, value, [synonym], read_only=read_only))
    return found


def describe_loggers(names: Collection[str] | None = None) -> list[Description]:
    """The level of each logger of this process (KIP-412)."""
    return [
        Description(
            name,
            level.name,
            Source.DYNAMIC_BROKER_LOGGER_CONFIG,
            Type.UNKNOWN,
            False,
            False,
            (),
            "",
        )
        for name, level in levels().items()
        if names is None or name in names
    ]


def _chosen(settings: Iterable[Setting], names: Collection[str] | None) -> list[Setting]:
    chosen = [each for each in settings if names is None or each.name in names]
    return sorted(chosen, key=lambda each: each.name)


def _described(
    setting: Setting, value: str | None, synonyms: list[Synonym], *, read_only: bool
) -> Description:
    return Description(
        setting.name,
        None if setting.sensitive else value,
        synonyms[0].source if synonyms else Source.DEFAULT_CONFIG,
        setting.type,
        read_only,
        setting.sensitive,
        tuple(synonyms),
        setting.doc,
    )


def _unknown(name: str, layers: Iterable[tuple[Mapping[str, str], Source]]) -> Description:
    """An unknown dynamic setting: it may belong to a plugin, and may be secret."""
    synonyms = [Synonym(name, None, source) for layer, source in layers if name in layer]
    return Description(
        name, None, synonyms[0].source, Type.STRING, False, True, tuple(synonyms), ""
    )


def _topic_synonyms(config: Config, setting: Setting) -> list[Synonym]:
    name = setting.broker_name
    return [] if name is None else _broker_synonyms(config, name)


def _broker_synonyms(config: Config, name: str) -> list[Synonym]:
    """All sources of a broker setting, starting with the first that has the setting itself.

    A source with only a synonym in other units never precedes one with the name itself: so a null
    setting has no synonyms, as in Kafka.
    """
    names = broker_synonyms(name)
    found = [
        Synonym(each, typed(layer[each], BROKER.get(each)), source)
        for layer, source in (
            (config.broker, Source.DYNAMIC_BROKER_CONFIG),
            (config.default, Source.DYNAMIC_DEFAULT_BROKER_CONFIG),
            (config.static, Source.STATIC_BROKER_CONFIG),
        )
        for each in names
        if each in layer
    ]
    for each in names:
        default = to_text(BROKER[each].default)
        if default is not None:
            found.append(Synonym(each, default, Source.DEFAULT_CONFIG))
    while found and found[0].name != name:
        found.pop(0)
    return found
