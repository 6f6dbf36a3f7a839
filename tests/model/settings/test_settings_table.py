"""The tables of settings against what Apache Kafka 4.4.0 prints of its own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from raftka.model.settings.catalog import BROKER, REMOVED, TOPIC, broker_synonyms, nearest
from raftka.model.settings.group import BOUNDS, GROUP
from raftka.model.settings.setting import (
    DOUBLE_MAX,
    Dynamic,
    OneOf,
    Range,
    Setting,
    Type,
    parse_as,
    split_list,
    to_text,
)
from raftka.settings_page import PAGE, page
from tests.model.settings.ask_kafka import OF_AUTHORIZERS

GOLDEN = Path(__file__).parent / "golden" / "kafka-settings.tsv"


class Fact(NamedTuple):
    scope: str
    name: str
    type: str
    default: str
    valid: str
    mode: str
    broker_name: str


FACTS = [
    Fact(*line.split("\t")) for line in GOLDEN.read_text().splitlines() if not line.startswith("#")
]

# Checks of this broker that Kafka's table lacks, or that only Kafka's code has.
CHECKED_HERE = {
    "max.connections.per.ip.overrides",
    "default.replication.factor",
    "num.partitions",
}


def declared(fact: Fact) -> Setting:
    return (BROKER if fact.scope == "broker" else TOPIC)[fact.name]


def allowed(setting: Setting) -> str:
    check = setting.check
    if isinstance(check, OneOf):
        case = "(case insensitive) " if check.any_case else ""
        return f"{case}[{', '.join(check.words)}]"
    return check.allowed if isinstance(check, Range) else ""


def test_every_name_of_kafka_is_declared_and_others_are_marked_as_ours() -> None:
    ours = {name for name in BROKER if name.startswith(("raftka.", "prometheus."))}
    assert {f.name for f in FACTS if f.scope == "broker"} == set(BROKER) - ours - OF_AUTHORIZERS
    assert {f.name for f in FACTS if f.scope == "topic"} == set(TOPIC)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact.scope}-{fact.name}")
def test_type_default_bounds_and_mode_are_kafkas(fact: Fact) -> None:
    setting = declared(fact)
    assert setting.type.name.lower() == fact.type
    default = to_text(setting.default)
    expected = None if fact.default == "null" else fact.default
    if fact.name in ("process.roles", "node.id", "controller.listener.names"):
        expected = None  # Kafka has no default for these: they must be given.
    assert default == expected
    if fact.name not in CHECKED_HERE and fact.valid.startswith(("[", "(")):
        told = allowed(setting)
        assert told == fact.valid or (not told and "partitionId" in fact.valid)
    if fact.scope == "broker":
        assert setting.dynamic is Dynamic[fact.mode.upper().replace("-", "_")]
    else:
        assert (setting.broker_name or "null") == fact.broker_name


@pytest.mark.parametrize("setting", [*BROKER.values(), *TOPIC.values()], ids=lambda s: s.name)
def test_a_default_survives_writing_and_reading(setting: Setting) -> None:
    text = to_text(setting.default)
    assert parse_as(setting.type, text) == setting.default if text is not None else True
    assert setting.doc.endswith(".")
    assert setting.sensitive == (setting.type is Type.PASSWORD)


def test_topic_settings_name_broker_settings_that_exist() -> None:
    for setting in TOPIC.values():
        assert setting.broker_name is None or setting.broker_name in BROKER


def test_removed_names_are_not_declared() -> None:
    assert not REMOVED.keys() & BROKER.keys()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Type.BOOLEAN, " TRUE ", True),
        (Type.BOOLEAN, "false", False),
        (Type.INT, "-1", -1),
        (Type.INT, " 2147483647 ", 2**31 - 1),
        (Type.LONG, "-9223372036854775808", -(2**63)),
        (Type.DOUBLE, "0.5", 0.5),
        (Type.DOUBLE, "1.7976931348623157E308", DOUBLE_MAX),
        (Type.LIST, " a , b,c ", ("a", "b", "c")),
        (Type.LIST, "  ", ()),
        (Type.STRING, " x ", "x"),
    ],
)
def test_values_are_read_as_kafka_reads_them(kind: Type, text: str, value: object) -> None:
    assert parse_as(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (Type.BOOLEAN, "yes", "Expected value to be either true or false"),
        (Type.INT, "2147483648", "Not a number of type INT"),
        (Type.INT, "1_000", "Not a number of type INT"),
        (Type.INT, "٣", "Not a number of type INT"),
        (Type.INT, "", "Not a number of type INT"),
        (Type.SHORT, "40000", "Not a number of type SHORT"),
        (Type.LONG, "9" * 5000, "Not a number of type LONG"),
        (Type.DOUBLE, "nan", "Not a number of type DOUBLE"),
        (Type.DOUBLE, "1e400", "Not a number of type DOUBLE"),
    ],
)
def test_values_that_are_none_are_refused(kind: Type, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_as(kind, text)


def test_values_are_written_as_java_writes_them() -> None:
    assert to_text(DOUBLE_MAX) == "1.7976931348623157E308"
    assert to_text(True) == "true"
    assert to_text(("a", "b")) == "a,b"
    assert to_text(None) is None
    assert split_list(to_text(()) or "") == ()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("log.segmnt.bytes", "log.segment.bytes"),
        ("log.segment.byte", "log.segment.bytes"),
        ("log_segment_bytes", "log.segment.bytes"),
        ("LOG.DIRS", "log.dirs"),
        ("auto.create.topic.enable", "auto.create.topics.enable"),
        ("nmu.partitions", "num.partitions"),
        ("advertised.host.name", None),
        ("my.plugin.setting", None),
        ("port", None),
    ],
)
def test_the_nearest_name_is_found_when_one_is_near(given: str, meant: str | None) -> None:
    assert nearest(given, BROKER) == meant


def test_the_same_in_other_units_are_synonyms_strongest_first() -> None:
    family = ("log.retention.ms", "log.retention.minutes", "log.retention.hours")
    assert broker_synonyms("log.retention.hours") == family
    assert broker_synonyms("num.partitions") == ("num.partitions",)


def test_what_has_an_effect_is_read_somewhere_and_what_is_read_has_one() -> None:
    root = GOLDEN.parents[4]
    files = [
        path
        for package in ("broker", "kraft", "net", "storage", "raftka")
        for path in sorted((root / package).rglob("*.py"))
        if not any(parent.is_symlink() for parent in path.parents)
    ]
    files += [root / "model" / "settings" / name for name in ("config.py", "listeners.py")]
    files.append(root / "model" / "internal_topics.py")
    code = "\n".join(path.read_text() for path in files)
    of_topics = {each.broker_name for each in TOPIC.values() if not each.no_effect}
    of_groups = {each.broker_name for each in GROUP.values()} | {
        name for bounds in BOUNDS.values() for name in bounds
    }
    wrong = [
        setting.name
        for setting in BROKER.values()
        if (f'"{setting.name}"' in code or setting.name in of_topics | of_groups)
        == bool(setting.no_effect)
    ]
    assert wrong == []


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text() == page(), "run: python -m raftka.settings_page"
