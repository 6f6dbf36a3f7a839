"""Validates broker settings in AlterConfigs and IncrementalAlterConfigs (KIP-226).

Settings with which a node could not start are also refused at run time; and some changes are
refused although a start would accept them, because a running broker cannot apply them. All
functions raise KafkaError INVALID_REQUEST, Kafka's code in this case, mostly with its messages.
Compared setting by setting with Apache Kafka: tests/model/settings/ask_kafka.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NoReturn

from raftka.model.errors import ErrorCode
from raftka.model.settings.altering import parsed, refuse
from raftka.model.settings.catalog import BROKER
from raftka.model.settings.config import Config
from raftka.model.settings.listeners import listeners, parse_listeners
from raftka.model.settings.reading import stack
from raftka.model.settings.rules import broken_rules
from raftka.model.settings.setting import Dynamic, Setting, Type

_LISTENER_PREFIX: Final = "listener.name."
_ONLY_PER_LISTENER: Final = frozenset(
    {
        *(f"ssl.keystore.{name}" for name in ("certificate.chain", "key", "location")),
        *(f"ssl.keystore.{name}" for name in ("password", "type")),
        *(f"ssl.truststore.{name}" for name in ("certificates", "location", "password", "type")),
        "ssl.key.password",
    }
)
"""Keys and certificates belong to a listener (KIP-226)."""
_CLUSTER_WIDE_OF_LISTENERS: Final = frozenset(
    {"max.connections", "max.connection.creation.rate", "num.network.threads"}
)
"""Settings of one listener that may also be set for all brokers (KIP-402, KIP-612)."""
_AT_LEAST_ONE_OF_LISTENERS: Final = ("max.connections", "max.connection.creation.rate")
_THREADS: Final = (
    "background.threads",
    "log.cleaner.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
    "remote.log.manager.copier.thread.pool.size",
    "remote.log.manager.expiration.thread.pool.size",
    "remote.log.manager.follower.thread.pool.size",
    "remote.log.reader.threads",
)
"""Sizes of thread pools: one change may at most halve or double them."""


def validate_broker_names(entries: Mapping[str, str], *, cluster_wide: bool) -> None:
    """Validate each dynamic setting of a broker, or of all brokers, by itself.

    An unknown name is accepted: it may belong to a plugin.
    """
    known = {name: BROKER[name] for name in sorted(entries) if name in BROKER}
    if fixed := [name for name, each in known.items() if not each.dynamic]:
        _refuse(f"Cannot update these configs dynamically: {_listed(fixed)}")
    if keys := [name for name in known if name in _ONLY_PER_LISTENER]:
        _refuse(
            "These security configs can be dynamically updated only per-listener using the"
            f" listener prefix: {_listed(keys)}"
        )
    for name, text in entries.items():
        setting = BROKER.get(_base_name(name))
        if setting is not None:
            _check_value(name, setting, text)
    if cluster_wide and (own := [name for name in sorted(entries) if _is_of_one_broker(name)]):
        _refuse(
            "Cannot update these configs at default cluster level, broker id must be specified:"
            f" {_listed(own)}"
        )


def validate_broker_configs(
    config: Config, entries: Mapping[str, str], *, cluster_wide: bool
) -> None:
    """Validate the result of exactly these settings for a broker that runs with `config`."""
    validate_broker_names(entries, cluster_wide=cluster_wide)
    validate_rules(config, entries, cluster_wide=cluster_wide)
    wanted = would_be(config, entries, cluster_wide=cluster_wide)
    for words in (*_steps(config, wanted, entries), *_listener_steps(config, wanted)):
        _refuse(words)
    _check_local_retention(config, wanted)
    _check_copy_lag(config, wanted)


def would_be(config: Config, entries: Mapping[str, str], *, cluster_wide: bool) -> Config:
    """The result of exactly these dynamic settings, of a broker or of all, for `config`."""
    layers = (config.broker, entries) if cluster_wide else (entries, config.default)
    return stack(config, *layers)


def validate_rules(config: Config, entries: Mapping[str, str], *, cluster_wide: bool) -> None:
    """Check that a node with `config` could also start with these settings."""
    problems = broken_rules(would_be(config, entries, cluster_wide=cluster_wide))
    if problems:
        _refuse("; ".join(str(problem) for problem in problems))


def _check_value(name: str, setting: Setting, text: str) -> None:
    value = parsed(setting, text, ErrorCode.INVALID_REQUEST)
    if setting.type is Type.CLASS and value != setting.default:
        _refuse(
            f"Invalid value {text} for configuration {setting.name}: Class {text} could not be"
            " found. Java classes cannot be loaded here."
        )
    if setting.name == "metric.reporters" and value not in ((), setting.default):
        _refuse(f"Invalid value {text} for configuration {name}: there are no reporter classes")
    if name != setting.name and setting.name in _AT_LEAST_ONE_OF_LISTENERS and value == 0:
        _refuse(f"Invalid {setting.name} 0: {name} would admit no client at all")


def _steps(config: Config, wanted: Config, entries: Mapping[str, str]) -> Iterator[str]:
    """Changes that exceed the allowed step, in Kafka's words."""
    counts = {name: (config.int(name), wanted.int(name)) for name in _THREADS}
    for name, text in entries.items():
        base = _base_name(name)
        if name != base and base in counts:
            counts[name] = config.int(base), int(text)
    for name, (now, then) in counts.items():
        words = f"Dynamic thread count update validation failed for {name}={then}, value should"
        if then > 2 * now:
            yield f"{words} not be greater than double the current value {now}"
        if then < now // 2:
            yield f"{words} be at least half the current value {now}"


def _listener_steps(config: Config, wanted: Config) -> Iterator[str]:
    """Listeners that would change although they are in use."""
    present = listeners(config)
    left = {each.name: each for each in listeners(wanted)}
    advertised = config.names("advertised.listeners")
    in_use = [each.name for each in parse_listeners("", advertised)]
    in_use = in_use or [each.name for each in present if each.kind == "broker"]
    if gone := [name for name in in_use if name not in left]:
        yield f"Advertised listeners {_listed(gone)} must be among the listeners {_listed([*left])}"
    for each in present:
        if each.name in left and left[each.name].protocol != each.protocol:
            yield f"Security protocol cannot be updated for existing listener {each.name}"


def _check_local_retention(config: Config, wanted: Config) -> None:
    name = "log.local.retention.ms"
    local_ms, whole_ms = wanted.int(name), wanted.int("log.retention.ms")
    if wanted.given(name) is None or local_ms == config.int(name):
        return
    if whole_ms != -1 and local_ms == -1:
        _refuse(f"Invalid value -1 for {name}: log.retention.ms is {whole_ms}, which is less")
    if whole_ms != -1 and local_ms > whole_ms:
        _refuse(f"Invalid value {local_ms} for {name}: it is more than log.retention.ms={whole_ms}")


def _check_copy_lag(config: Config, wanted: Config) -> None:
    name = "log.remote.copy.lag.ms"
    lag_ms, kept_ms = wanted.int(name), wanted.int("log.local.retention.ms")
    if kept_ms == -2:  # The same as the whole log's.
        kept_ms = wanted.int("log.retention.ms")
    if lag_ms != config.int(name) and kept_ms != -1 and lag_ms > kept_ms:
        _refuse(
            f"Invalid value {lag_ms} for {name}: it is more than {kept_ms}, for which"
            " log.local.retention.ms keeps records here"
        )


def _base_name(name: str) -> str:
    """The setting's name without the listener prefix."""
    if not name.startswith(_LISTENER_PREFIX):
        return name
    return name.removeprefix(_LISTENER_PREFIX).partition(".")[2]


def _is_of_one_broker(name: str) -> bool:
    if name.startswith(_LISTENER_PREFIX):
        return _base_name(name) not in _CLUSTER_WIDE_OF_LISTENERS
    setting = BROKER.get(name)
    return setting is not None and setting.dynamic is Dynamic.PER_BROKER


def _listed(names: list[str]) -> str:
    return f"[{', '.join(names)}]"


def _refuse(words: str) -> NoReturn:
    refuse(words, ErrorCode.INVALID_REQUEST)
