"""Which dynamic settings of brokers are accepted; the judge is Apache Kafka 4.4.0."""

from __future__ import annotations

from pathlib import Path

import pytest

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.settings import Config, read_config, with_dynamic
from raftka.model.settings.altering_brokers import validate_broker_configs, validate_broker_names
from tests.model.settings.ask_kafka import ports, questions

GOLDEN = Path(__file__).parent / "golden" / "altered-brokers.tsv"
PORTS = ports(9092)
NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listeners": "PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}".format(
        **PORTS
    ),
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": "1@127.0.0.1:9093",
    "log.dirs": "/data",
}
ELSEWHERE = {"min.insync.replicas"}
"""Refused by the controller, for one broker (tests/broker/controller/test_schema.py)."""
NO_NUMBERS_HERE = ("NaN", "Infinity")
"""Java takes these for numbers, and no setting means anything by them."""


def node(**static: str) -> Config:
    return read_config({**NODE, **{n.replace("_", "."): v for n, v in static.items()}})


def code(config: Config, entries: dict[str, str], *, cluster_wide: bool = False) -> ErrorCode:
    try:
        validate_broker_configs(config, entries, cluster_wide=cluster_wide)
    except KafkaError as error:
        return error.code
    return ErrorCode.NONE


def refusal(config: Config, entries: dict[str, str], *, cluster_wide: bool = False) -> str:
    with pytest.raises(KafkaError) as caught:
        validate_broker_configs(config, entries, cluster_wide=cluster_wide)
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    return str(caught.value.message)


def golden() -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    for line in GOLDEN.read_text().splitlines():
        name, scope, number, values = line.split("\t")
        found.setdefault((name, scope), {}).update(dict.fromkeys(values.split("|"), int(number)))
    return found


def test_each_setting_is_taken_or_refused_as_kafka_does() -> None:
    config, wrong = node(), []
    for (name, scope), answers in golden().items():
        for value, expected in answers.items():
            if value in NO_NUMBERS_HERE or name in ELSEWHERE:
                continue
            given = {name: value.format(**PORTS)}
            ours = code(config, given, cluster_wide=scope == "default")
            if ours != expected:
                wrong.append(f"{scope} {name}={value!r}: {ours.name}, Kafka {expected}")
    assert wrong == [], "\n".join(wrong)


def test_the_table_holds_all_questions() -> None:
    asked = {(name, scope) for name, _ in questions() for scope in ("broker", "default")}
    assert asked == golden().keys()


# ---- what a node could not be started with


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"max.connections": "0"}, "max.connections=0: it would admit no client"),
        ({"max.connections.per.ip": "0"}, "only while max.connections.per.ip.overrides"),
        ({"max.connection.creation.rate": "0"}, "would admit no client"),
        ({"listeners": "garbage"}, "'garbage' in listeners is not of the form"),
        ({"listeners": "PLAINTEXT://:9092"}, "a controller needs a listener"),
        ({"listener.security.protocol.map": "nonsense"}, "not of the form NAME:PROTOCOL"),
        ({"log.cleaner.threads": "0"}, "log.cleaner.threads=0: it must be at least 1"),
        ({"num.io.threads": "1000"}, "num.io.threads=1000, value should not be greater than dou"),
        ({"num.io.threads": "3"}, "num.io.threads=3, value should be at least half the current"),
        ({"metric.reporters": "x.Y"}, "there are no reporter classes"),
        ({"principal.builder.class": "x.Y"}, "Class x.Y could not be found"),
        ({"broker.id": "1", "log.dirs": "/x"}, r"dynamically: [broker.id, log.dirs]"),
        ({"ssl.keystore.location": "x"}, "only per-listener using the listener prefix: [ssl.key"),
    ],
)
def test_what_is_refused_says_why(entries: dict[str, str], words: str) -> None:
    assert words in refusal(node(), entries)


def test_a_listener_in_use_stays_with_its_protocol() -> None:
    both = "A://:9092,B://:9094,CONTROLLER://:9093"
    protocols = "A:PLAINTEXT,B:PLAINTEXT,CONTROLLER:PLAINTEXT"
    given = {"listener_security_protocol_map": protocols, "inter_broker_listener_name": "A"}
    config = node(listeners=both, **given)
    less = {"listeners": "A://:9092,CONTROLLER://:9093"}
    assert "Advertised listeners [B] must be among" in refusal(config, less)
    hidden = node(listeners=both, advertised_listeners="A://here:9092", **given)
    validate_broker_configs(hidden, less, cluster_wide=False)


def test_settings_that_only_fit_together_are_taken_together() -> None:
    more = {
        "listeners": f"{NODE['listeners']},MORE://:9999",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,MORE:PLAINTEXT",
    }
    validate_broker_configs(node(), more, cluster_wide=False)
    assert "MORE has no security protocol" in refusal(node(), {"listeners": more["listeners"]})
    nobody = {"max.connections.per.ip": "0", "max.connections.per.ip.overrides": "127.0.0.1:9"}
    validate_broker_configs(node(), nobody, cluster_wide=True)


def test_bounds_of_threads_follow_what_the_broker_has_now() -> None:
    doubled = with_dynamic(node(), {"num.io.threads": "16"}, {})
    validate_broker_configs(doubled, {"num.io.threads": "32"}, cluster_wide=False)
    assert "half the current value 16" in refusal(doubled, {"num.io.threads": "7"})
    assert "double" in refusal(node(), {"listener.name.a.num.network.threads": "9"})


def test_a_controller_knows_names_and_values_only() -> None:
    validate_broker_names({"listeners": "A://elsewhere:9092"}, cluster_wide=False)
    with pytest.raises(KafkaError, match=r"at default cluster level.*\[listeners, ssl.protocol\]"):
        validate_broker_names({"ssl.protocol": "x", "listeners": "A://:1"}, cluster_wide=True)


# ---- settings that the metadata has nevertheless


def test_what_would_lock_out_is_set_aside_and_named() -> None:
    config = with_dynamic(node(), {}, {"max.connections": "0", "log.roll.ms": "5"})
    assert config.int("max.connections") == 2**31 - 1
    assert config.int("log.roll.ms") == 5
    (problem,) = config.set_aside
    assert str(problem).startswith("max.connections=0: it would admit no client")
    assert config.default["max.connections"] == "0"


def test_setting_aside_depends_on_no_order() -> None:
    fitting = {
        "listeners": f"{NODE['listeners']},MORE://:9999",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,MORE:PLAINTEXT",
    }
    config = with_dynamic(node(), fitting, {"max.connections.per.ip": "0", "log.roll.ms": "x"})
    assert len(config.names("listeners")) == 3
    assert [each.name for each in config.set_aside] == ["log.roll.ms", "max.connections.per.ip"]


def test_a_weaker_value_stands_where_the_stronger_is_set_aside() -> None:
    config = with_dynamic(node(), {"max.connections": "0"}, {"max.connections": "7"})
    assert config.int("max.connections") == 7
    assert with_dynamic(config, {}, {}).set_aside == ()
