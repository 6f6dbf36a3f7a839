"""Settings from KAFKA_* variables, files and the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raftka.client.config import ADMIN
from raftka.client.tools.config_providers import WrongProvider, resolve
from raftka.client.tools.options import ToolError, known_settings
from raftka.configuration import SINGLE_NODE, Unreadable, gather, is_single, make_config, read_file
from raftka.environment import cluster_id_from, setting_name, settings_from, with_listeners
from raftka.model.settings import WrongSettings
from raftka.zookeeper_era import ZooKeeperEra


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


def test_variables_of_bitnamis_images_stand_for_the_same() -> None:
    environ = {
        "KAFKA_CFG_NODE_ID": "0",
        "KAFKA_CFG_LOG_DIRS": "/bitnami",
        "KAFKA_LOG_DIRS": "/data",
        "KAFKA_KRAFT_CLUSTER_ID": "LelM2dIFQkiUFvXCEcqRWA",
    }
    assert settings_from(environ) == {"log.dirs": "/data", "node.id": "0"}
    assert cluster_id_from(environ) == "LelM2dIFQkiUFvXCEcqRWA"
    assert cluster_id_from({**environ, "CLUSTER_ID": "own"}) == "own"
    assert cluster_id_from({"CLUSTER_ID": ""}) is None


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


def test_letters_of_a_file_are_those_of_java(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_bytes(b"# K\xf6ln\nbroker.rack=K\xf6ln\nlog.dirs=/\\u00e9\\u4e2d\n")
    assert read_file(str(file)) == {"broker.rack": "Köln", "log.dirs": "/é中"}


# ---- values from config.providers


def provided(tmp_path: Path, environ: dict[str, str], **settings: str) -> dict[str, str]:
    package = "org.apache.kafka.common.config.provider."
    secrets = tmp_path / "secrets.properties"
    secrets.write_text("password=sesame\nrack=Köln\n", encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "token").write_text("abc\n")
    classes = {
        "config.providers": "env,file,dir",
        "config.providers.env.class": f"{package}EnvVarConfigProvider",
        "config.providers.file.class": f"{package}FileConfigProvider",
        "config.providers.dir.class": f"{package}DirectoryConfigProvider",
    }
    named = {name.replace("_", "."): value.format(at=tmp_path) for name, value in settings.items()}
    return resolve({**classes, **named}, environ)


def test_providers_look_values_up(tmp_path: Path) -> None:
    found = provided(
        tmp_path,
        {"DATA": "/data"},
        log_dirs="${{env:DATA}}/a,${{env:DATA}}/b",
        ssl_key_password="${{file:{at}/secrets.properties:password}}",
        broker_rack="${{dir:{at}:token}}",
        group="${{file:{at}/secrets.properties:rack}}",
        other="${{vault:x:y}} ${{plain}}",
    )
    assert found == {
        "config.providers": "env,file,dir",
        "log.dirs": "/data/a,/data/b",
        "ssl.key.password": "sesame",
        "broker.rack": "abc\n",
        "group": "Köln",
        "other": "${vault:x:y} ${plain}",
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"log.dirs": "${{env:NOWHERE}}"}, "NOWHERE is not in the environment"),
        ({"log.dirs": "${{env:/a:DATA}}"}, "the environment has no paths"),
        ({"x": "${{file:{at}/secrets.properties:user}}"}, "secrets.properties has no user"),
        ({"x": "${{file:{at}/nowhere:user}}"}, "nowhere: No such file or directory"),
        ({"x": "${{dir:{at}:../token}}"}, "has no file ../token"),
        ({"x": "${{dir:token}}"}, "a path is needed"),
        ({"x": "${{dir:{at}:binary}}"}, "binary is not UTF-8: invalid start byte at byte 0"),
        ({"x": "${{file:{at}/binary:user}}"}, "binary is not UTF-8"),
        (
            {"config.providers.env.param.allowlist.pattern": "("},
            "config.providers.env.param.allowlist.pattern=(: not a regular expression",
        ),
        ({"config.providers.env.class": "my.Vault"}, "Java classes cannot be loaded"),
        (
            {"config.providers.env.param.allowlist.pattern": "K.*", "x": "${{env:DATA}}"},
            "DATA is not among allowlist.pattern",
        ),
        (
            {"config.providers.dir.param.allowed.paths": "/etc", "x": "${{dir:{at}:token}}"},
            "is not under allowed.paths",
        ),
    ],
)
def test_what_providers_cannot_give_is_told(
    tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    with pytest.raises(WrongProvider, match=re.escape(words)):
        provided(tmp_path, {"DATA": "/data"}, **settings)


def test_a_file_and_the_environment_use_each_others_providers(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text(
        "config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider\n"
        "log.dirs=${env:DATA}\n"
    )
    environ = {"DATA": "/data", "KAFKA_CONFIG_PROVIDERS": "env", "KAFKA_NODE_ID": "1"}
    assert gather(str(file), [], environ)["log.dirs"] == "/data"


def test_a_tools_file_has_providers_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = "org.apache.kafka.common.config.provider."
    given = {
        "config.providers": "env",
        "config.providers.env.class": f"{package}EnvVarConfigProvider",
        "client.id": "${env:WHO}",
    }
    monkeypatch.setenv("WHO", "alice")
    assert known_settings(ADMIN, given) == {"client.id": "alice"}
    assert capsys.readouterr() == ("", "")
    monkeypatch.delenv("WHO")
    with pytest.raises(ToolError, match="WHO is not in the environment"):
        known_settings(ADMIN, given)
    del given["config.providers"]
    assert known_settings(ADMIN, given)["client.id"] == "${env:WHO}"


# ---- settings of a cluster with ZooKeeper


def test_a_file_for_zookeeper_is_told_what_to_change(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text("broker.id=4\nzookeeper.connect=zk:2181\nlisteners=PLAINTEXT://:9093\n")
    with pytest.raises(ZooKeeperEra) as caught:
        gather(str(file), [], {})
    lines = [" ".join(line.split()) for line in str(caught.value).splitlines()]
    assert lines[1:-1] == [
        "remove broker.id=4",
        "remove zookeeper.connect=zk:2181",
        "add process.roles=broker,controller",
        "add node.id=4",
        "add controller.listener.names=CONTROLLER",
        "add controller.quorum.voters=4@localhost:9094",
        "change listeners=PLAINTEXT://:9093,CONTROLLER://:9094",
    ]
    with pytest.raises(Unreadable, match="for a cluster with ZooKeeper"):
        read_file(str(file))


def test_an_environment_for_zookeeper_is_told_in_variables() -> None:
    environ = {"KAFKA_BROKER_ID": "2", "KAFKA_ZOOKEEPER_CONNECT": "zk:2181"}
    with pytest.raises(ZooKeeperEra) as caught:
        gather(None, [], environ)
    assert "remove  KAFKA_BROKER_ID=2" in str(caught.value)
    assert "add     KAFKA_CONTROLLER_QUORUM_VOTERS=2@localhost:9093" in str(caught.value)
    assert gather(None, [], {**environ, "KAFKA_PROCESS_ROLES": "broker"})["broker.id"] == "2"


@pytest.mark.parametrize(
    "environ",
    [
        {"KAFKA_BROKER_ID": "2", "KAFKA_ZOOKEEPER_CONNECT": "zk:2181"},
        {"KAFKA_BROKER_ID": "2"},
        {"KAFKA_BROKER_ID": "2", "KAFKA_ADVERTISED_HOST_NAME": "kafka", "KAFKA_PORT": "tcp://a:1"},
        {
            "KAFKA_BROKER_ID": "2",
            "KAFKA_ADVERTISED_LISTENERS": "IN://kafka:29092,OUT://localhost:9093",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "IN:PLAINTEXT,OUT:PLAINTEXT",
            "KAFKA_INTER_BROKER_LISTENER_NAME": "IN",
        },
    ],
)
def test_what_is_advised_for_zookeeper_starts(environ: dict[str, str]) -> None:
    with pytest.raises(ZooKeeperEra) as caught:
        gather(None, [], environ)
    kept = dict(environ)
    for line in str(caught.value).splitlines():
        match line.split():
            case ["remove", given]:
                del kept[given.partition("=")[0]]
            case ["add" | "change", given]:
                name, _, value = given.partition("=")
                kept[name] = value
            case _:
                pass
    config = make_config(gather(None, [], kept))
    assert config.int("node.id") == 2
    if "KAFKA_ADVERTISED_LISTENERS" in environ:
        bound = ["IN://0.0.0.0:29092", "OUT://0.0.0.0:9093", "CONTROLLER://0.0.0.0:9094"]
        assert config.names("listeners") == bound
    if "KAFKA_ADVERTISED_HOST_NAME" in environ:
        assert config.names("advertised.listeners") == ["PLAINTEXT://kafka:9092"]
