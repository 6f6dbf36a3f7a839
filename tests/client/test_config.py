"""Settings are refused by name, with what is allowed."""

from __future__ import annotations

import pytest

from raftka.client.config import admin_config, consumer_config, producer_config
from raftka.client.settings import ConfigError, parse_endpoints
from raftka.model.ids import Endpoint


def test_defaults_are_kafkas() -> None:
    config = producer_config({})
    assert config.number("acks") == -1
    assert config.flag("enable.idempotence")
    assert config.seconds("linger.ms") == 0.005
    assert consumer_config({}).text("auto.offset.reset") == "latest"


def test_an_unknown_name_gets_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError, match=r"linger\.msec is not a setting.*linger\.ms"):
        producer_config({"linger.msec": 5})


def test_a_setting_of_another_client_is_unknown() -> None:
    with pytest.raises(ConfigError, match=r"group\.id is not a setting of an admin client"):
        admin_config({"group.id": "g"})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("acks", "2", "must be all, -1, 0 or 1"),
        ("linger.ms", "soon", "must be a whole number"),
        ("linger.ms", -1, "at least 0"),
        ("compression.type", "zip", "one of none, gzip, snappy, lz4, zstd"),
        ("enable.idempotence", "maybe", "true or false"),
        ("bootstrap.servers", 5, "list of names"),
        ("security.protocol", "TLS", "one of PLAINTEXT"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, value: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        producer_config({name: value})
    assert name in str(caught.value)


def test_text_of_a_properties_file_is_read() -> None:
    config = producer_config({"acks": "all", "linger.ms": " 7 ", "enable.idempotence": "TRUE"})
    assert (config.number("linger.ms"), config.flag("enable.idempotence")) == (7, True)


@pytest.mark.parametrize(
    "other",
    [{"acks": "1"}, {"retries": 0}, {"max.in.flight.requests.per.connection": 6}],
)
def test_idempotence_steps_aside_unless_it_was_asked_for(other: dict[str, object]) -> None:
    assert not producer_config(other).flag("enable.idempotence")
    with pytest.raises(ConfigError, match=r"enable\.idempotence = true does not go with"):
        producer_config({**other, "enable.idempotence": True})


def test_a_delivery_shorter_than_one_attempt_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"delivery\.timeout\.ms = 100"):
        producer_config({"delivery.timeout.ms": 100})
    assert producer_config({"request.timeout.ms": 500_000}).number("delivery.timeout.ms") == 500_005


def test_heartbeats_must_fit_into_a_session() -> None:
    with pytest.raises(ConfigError, match=r"heartbeat\.interval\.ms = 6000"):
        consumer_config({"session.timeout.ms": 6000, "heartbeat.interval.ms": 6000})


def test_commits_by_themselves_need_a_group() -> None:
    assert not consumer_config({}).flag("enable.auto.commit")
    with pytest.raises(ConfigError, match=r"needs a group\.id"):
        consumer_config({"enable.auto.commit": "true"})


def test_addresses() -> None:
    assert parse_endpoints("x", ["a:1", "[::1]:2"]) == [Endpoint("a", 1), Endpoint("::1", 2)]
    told = ["PLAINTEXT://a:1", "SASL_SSL://[::1]:2"]
    assert parse_endpoints("x", told) == [Endpoint("a", 1), Endpoint("::1", 2)]
    wrongs = ["host", "host:", ":9092", "host:0", "host:99999", "host:x", "host:\u00b2"]
    brackets = ["[::1", "[::1]", "[::1:9092", "::1]:9092", "[]:9092", "[[::1]]:9092", "x://[::1"]
    for wrong in wrongs + brackets:
        with pytest.raises(ConfigError, match="must be host:port"):
            parse_endpoints("x", [wrong])
    with pytest.raises(ConfigError, match=r"bootstrap\.servers is not set"):
        producer_config({}).bootstrap()
