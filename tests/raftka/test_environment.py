"""Settings from KAFKA_* variables, files and the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from raftka.configuration import SINGLE_NODE, Unreadable, gather, is_single, make_config, read_file
from raftka.environment import setting_name, settings_from, with_listeners
from raftka.model.settings import WrongSettings


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("KAFKA_LOG_DIRS", "log.dirs"),
        ("KAFKA_NODE_ID", "node.id"),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "offsets.topic.replication.factor"),
        ("KAFKA_LISTENER_NAME_A__B_SSL", "listener.name.a_b.ssl"),
        ("KAFKA_X___Y", "x-y"),
    ],
)
def test_names(variable: str, name: str) -> None:
    assert setting_name(variable) == name


def test_variables_of_the_jvm_are_no_settings() -> None:
    environ = {"KAFKA_HEAP_OPTS": "-Xmx1g", "PATH": "/bin", "KAFKA_NUM_PARTITIONS": "3"}
    assert settings_from(environ) == {"num.partitions": "3"}


def test_listeners_follow_what_is_advertised() -> None:
    given = {
        "process.roles": "broker,controller",
        "node.id": "2",
        "advertised.listeners": "INSIDE://kafka2:19092,OUTSIDE://localhost:29093",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": "1@kafka1:9093,2@kafka2:9095",
    }
    assert with_listeners(given)["listeners"] == (
        "INSIDE://0.0.0.0:19092,OUTSIDE://0.0.0.0:29093,CONTROLLER://0.0.0.0:9095"
    )


def test_listeners_that_are_given_stay() -> None:
    given = {"listeners": "A://:1", "advertised.listeners": "A://b:2"}
    assert with_listeners(given) == given
    assert with_listeners({"node.id": "1"}) == {"node.id": "1"}


def test_the_command_line_is_stronger_than_the_environment_and_that_than_the_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "server.properties"
    file.write_text("node.id=1\nnum.partitions=1\nlog.dirs=/a\n")
    environ = {"KAFKA_NODE_ID": "2", "KAFKA_NUM_PARTITIONS": "2"}
    found = gather(str(file), ["num.partitions=3"], environ)
    assert found == {"node.id": "2", "num.partitions": "3", "log.dirs": "/a"}


def test_without_a_file_a_single_node_is_meant() -> None:
    assert gather(None, [], {}) == SINGLE_NODE
    assert gather(None, [], {"KAFKA_LOG_DIRS": "/b"})["log.dirs"] == "/b"
    config = make_config(SINGLE_NODE)
    assert is_single(config)
    assert config.names("log.dirs") == [str(Path.cwd() / "raftka-data")]


def test_roles_in_the_environment_replace_the_single_node() -> None:
    found = gather(None, [], {"KAFKA_PROCESS_ROLES": "broker"})
    assert found == {"process.roles": "broker"}


def test_a_node_with_others_in_its_quorum_is_not_single() -> None:
    voters = "1@localhost:9093,2@localhost:9094"
    assert not is_single(make_config({**SINGLE_NODE, "controller.quorum.voters": voters}))


def test_files_that_cannot_be_read_are_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"nowhere\.properties: No such file"):
        read_file("nowhere.properties")
    broken = tmp_path / "broken.properties"
    broken.write_text("a=\\uzzzz\n")
    with pytest.raises(Unreadable, match=r"broken\.properties: line 1"):
        read_file(str(broken))


def test_wrong_settings_of_the_environment_are_told() -> None:
    with pytest.raises(WrongSettings, match=r"num\.partitions=none"):
        make_config(gather(None, [], {"KAFKA_NUM_PARTITIONS": "none"}))
