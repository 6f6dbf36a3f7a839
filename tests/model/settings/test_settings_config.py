"""A node's settings: reading, refusing, resolving, changing at run time."""

from __future__ import annotations

from typing import Any

import pytest

from raftka.model.ids import Endpoint
from raftka.model.settings import Config, WrongSettings, read_config, with_dynamic
from raftka.model.settings.listeners import (
    bootstrap_servers,
    listeners,
    parse_endpoint,
    quorum_voters,
)
from raftka.model.settings.reading import parse_overrides

NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": "1@localhost:9093",
}


def config(**changes: Any) -> Config:
    """NODE with changes; names with _ for ., None to leave one out."""
    settings = {**NODE, **{name.replace("_", "."): value for name, value in changes.items()}}
    return read_config({n: str(v) for n, v in settings.items() if v is not None})


def wrong(**changes: Any) -> str:
    with pytest.raises(WrongSettings) as caught:
        config(**changes)
    return str(caught.value)


def test_getters_are_typed() -> None:
    node = config()
    assert node.int("log.segment.bytes") == 1 << 30
    assert node.flag("delete.topic.enable") is True
    assert node.number("log.cleaner.min.cleanable.ratio") == 0.5
    assert node.number("num.partitions") == 1
    assert node.text("compression.type") == "producer"
    assert node.names("process.roles") == ["broker", "controller"]
    assert node.names("early.start.listeners") == []
    assert node.optional_text("broker.rack") is None
    assert node.optional_int("num.replica.alter.log.dirs.threads") is None


@pytest.mark.parametrize("getter", ["int", "number", "flag", "text", "names"])
def test_a_getter_of_another_type_says_so(getter: str) -> None:
    name = "process.roles" if getter != "names" else "node.id"
    with pytest.raises(TypeError, match=name):
        getattr(config(), getter)(name)


def test_an_unknown_name_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        config().int("no.such.setting")


def test_a_wrong_value_is_told_with_its_name_and_what_is_allowed() -> None:
    words = wrong(log_segment_bytes="10")
    assert words == (
        "log.segment.bytes=10: Value must be at least 1048576;"
        " it takes a whole number [1048576,...]."
    )


def test_a_misspelt_name_stops_the_start_and_names_the_nearest() -> None:
    assert "did you mean log.segment.bytes?" in wrong(log_segmnt_bytes="10")


def test_all_that_is_wrong_is_told_at_once() -> None:
    words = wrong(log_segment_bytes="10", num_partitions="x", log_rol_ms="5")
    assert len(words.splitlines()) == 3


def test_a_name_that_is_not_near_any_is_noticed_only() -> None:
    node = config(my_own_plugin_colour="blue", zookeeper_connect="zookeeper:2181")
    assert any("my.own.plugin.colour" in notice for notice in node.notices)
    assert any("there is no ZooKeeper" in notice for notice in node.notices)


def test_what_has_no_effect_is_noticed_when_it_differs_from_its_default() -> None:
    assert config(num_io_threads="8").notices == ()
    assert "num.io.threads is without effect" in config(num_io_threads="9").notices[0]


def test_a_secret_is_not_shown_in_an_error() -> None:
    assert "sesame" not in wrong(num_partitions="x", ssl_key_password="sesame")


def test_units_and_other_names_are_resolved() -> None:
    assert config().int("log.retention.ms") == 7 * 24 * 3600 * 1000
    assert config(log_retention_minutes="5").int("log.retention.ms") == 300_000
    assert config(log_retention_minutes="5", log_retention_ms="7").int("log.retention.ms") == 7
    assert config(log_retention_hours="-1").int("log.retention.ms") == -1
    assert config(log_roll_hours="2").int("log.roll.ms") == 7_200_000
    assert config(log_flush_scheduler_interval_ms="9").int("log.flush.interval.ms") == 9
    assert config(log_dir="/a").names("log.dirs") == ["/a"]
    assert config(log_dirs="/b,/c").text("metadata.log.dir") == "/b"
    assert config(node_id=None, broker_id="1").int("node.id") == 1
    assert config().static["broker.id"] == "1"
    assert config().text("inter.broker.listener.name") == "PLAINTEXT"


def test_topic_defaults_follow_the_broker() -> None:
    defaults = config(log_retention_hours="1", message_max_bytes="5000").topic_defaults()
    assert defaults["retention.ms"] == "3600000"
    assert defaults["max.message.bytes"] == "5000"
    assert defaults["flush.ms"] == str(2**63 - 1)
    assert defaults["segment.ms"] == "604800000"
    assert defaults["leader.replication.throttled.replicas"] == ""


def test_dynamic_settings_go_on_top_and_a_brokers_own_are_stronger() -> None:
    node = with_dynamic(
        config(log_retention_hours="1"),
        {"log.retention.ms": "10"},
        {"log.retention.ms": "20", "log.roll.ms": "30"},
    )
    assert node.int("log.retention.ms") == 10
    assert node.int("log.roll.ms") == 30
    assert with_dynamic(node, {}, {}).int("log.retention.ms") == 3_600_000


def test_metadata_cannot_stop_a_node_with_dynamic_settings() -> None:
    node = with_dynamic(config(), {"node.id": "9", "log.roll.ms": "x", "plugin": "y"}, {})
    assert node.int("node.id") == 1
    assert node.int("log.roll.ms") == 604_800_000


# ---- rules about several settings


def test_a_node_needs_a_role_an_id_and_a_quorum() -> None:
    words = wrong(process_roles=None, node_id=None)
    assert "process.roles: it must say" in words
    assert "node.id: every node needs a number" in words
    assert "name the controllers" in wrong(controller_quorum_voters=None)


def test_voters_and_bootstrap_servers_exclude_each_other() -> None:
    assert "not both" in wrong(controller_quorum_bootstrap_servers="localhost:9093")
    only = config(controller_quorum_voters=None, controller_quorum_bootstrap_servers="a:1,[::1]:2")
    assert bootstrap_servers(only) == [Endpoint("a", 1), Endpoint("::1", 2)]
    assert quorum_voters(only) == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"node_id": "2"}, "node.id 2 is not among the voters"),
        ({"broker_id": "2"}, "differs from node.id=1"),
        ({"controller_quorum_voters": "1@a:1,1@b:2"}, "1 is named twice"),
        ({"controller_quorum_voters": "a:1"}, "is not of the form id@host:port"),
        ({"controller_listener_names": None}, "it must name the listener"),
        ({"listeners": "PLAINTEXT://:9092"}, "a controller needs a listener"),
        ({"listeners": "CONTROLLER://:9092"}, "a broker needs a listener of its own"),
        ({"listeners": "PLAINTEXT://:9092,CONTROLLER://:9092"}, "port 9092 is used twice"),
        ({"listeners": "PLAINTEXT://[::1]:9092,CONTROLLER://[::]:9092"}, "one must have an IPv4"),
        ({"listeners": "PLAINTEXT://:9,PLAINTEXT://:8"}, "listener PLAINTEXT is named twice"),
        ({"listeners": "PLAINTEXT://:99999"}, "is not between 0 and 65535"),
        ({"listeners": "localhost:9092"}, "is not of the form NAME://host:port"),
        (
            {"listener_security_protocol_map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"},
            "GSSAPI cannot be served",
        ),
        ({"listeners": "MINE://:9092,CONTROLLER://:9093"}, "add MINE:PLAINTEXT to"),
        ({"advertised_listeners": "PLAINTEXT://0.0.0.0:9092"}, "no address that others could"),
        ({"advertised_listeners": "OTHER://a:9092"}, "OTHER is not among the listeners"),
        ({"inter_broker_listener_name": "CONTROLLER"}, "is a listener of controllers"),
        ({"inter_broker_listener_name": "OTHER"}, "not among the listeners of this broker"),
        ({"process_roles": "broker"}, "is a controller listener, but process.roles has no"),
        ({"process_roles": "controller"}, "process.roles has no broker"),
        ({"process_roles": "broker,broker"}, "named twice"),
        ({"process_roles": "king"}, "String must be one of: broker, controller"),
        ({"listener_security_protocol_map": "PLAINTEXT"}, "not of the form NAME:PROTOCOL"),
        ({"listener_security_protocol_map": "A:TLS"}, "with a protocol of PLAINTEXT"),
        ({"authorizer_class_name": "x.Y"}, "the one that is built in is org.apache.kafka.metadata"),
        ({"super_users": "admin"}, "is not of the form type:name, as User:admin"),
        ({"remote_log_storage_system_enable": "true"}, "there is no tiered storage"),
        ({"log_retention_ms": "0"}, "must be -1 (for ever) or at least 1"),
        ({"socket_send_buffer_bytes": "0"}, "must be -1"),
        ({"replica_fetch_wait_max_ms": "40000"}, "more than replica.lag.time.max.ms=30000"),
        ({"log_dirs": " "}, "at least one directory"),
    ],
)
def test_rules_are_told_in_words(changes: dict[str, str | None], words: str) -> None:
    assert words in wrong(**changes)


def test_a_pure_broker_and_a_pure_controller_are_fine() -> None:
    config(process_roles="broker", node_id="2", listeners="PLAINTEXT://:9092")
    config(process_roles="controller", listeners="CONTROLLER://:9093")


# ---- addresses


def test_listeners_have_kind_protocol_and_advertised_address() -> None:
    node = read_config(
        {**NODE, "listeners": "PLAINTEXT://0.0.0.0:9092,CONTROLLER://[::1]:9093"},
        hostname=lambda: "here",
    )
    broker, controller = listeners(node)
    assert (broker.name, broker.kind, broker.protocol) == ("PLAINTEXT", "broker", "PLAINTEXT")
    assert broker.bind == Endpoint("0.0.0.0", 9092)
    assert broker.advertised == Endpoint("here", 9092)
    assert (controller.kind, controller.bind) == ("controller", Endpoint("::1", 9093))
    assert controller.advertised == controller.bind


def test_two_listeners_share_a_port_by_ipv4_and_ipv6() -> None:
    node = config(listeners="PLAINTEXT://0.0.0.0:9092,CONTROLLER://[::]:9092")
    assert {each.bind.port for each in listeners(node)} == {9092}


def test_names_of_listeners_are_free_and_in_capitals() -> None:
    node = config(
        listeners="outside://:9092,inside://:9094,CONTROLLER://:9093",
        advertised_listeners="OUTSIDE://example.org:443",
        listener_security_protocol_map="OUTSIDE:PLAINTEXT,INSIDE:plaintext,CONTROLLER:PLAINTEXT",
        inter_broker_listener_name="INSIDE",
    )
    assert [each.name for each in listeners(node)] == ["OUTSIDE", "INSIDE", "CONTROLLER"]
    assert listeners(node)[0].advertised == Endpoint("example.org", 443)


@pytest.mark.parametrize("text", ["a", "a:", "a:x", "::1:5", "a:-1", "a:70000", ""])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="in listeners"):
        parse_endpoint(text, "listeners")


def test_overrides_of_the_command_line() -> None:
    assert parse_overrides(["a.b=c=d", " e = f"]) == {"a.b": "c=d", "e": " f"}
    with pytest.raises(ValueError, match="name=value"):
        parse_overrides(["a.b"])
