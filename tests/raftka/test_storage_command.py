"""`raftka storage`: its effects on directories, with the messages of Kafka's tool."""

from __future__ import annotations

from pathlib import Path

import pytest

from raftka.commands import main
from raftka.configuration import SINGLE_NODE, make_config
from raftka.formatting import (
    FormatRefused,
    format_directories,
    format_if_new,
    inspect,
    new_uuid,
    parse_initial_controllers,
)
from raftka.kraft.raft.snapshots import load_latest
from raftka.model.ids import parse_uuid, uuid_text
from raftka.model.settings import Config, read_config
from raftka.storage import meta_properties
from raftka.storage.posix import PosixDisk

CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "server.properties"
    settings = {**SINGLE_NODE, "log.dirs": f"{tmp_path}/a,{tmp_path}/b", "node.id": "7"}
    settings["controller.quorum.voters"] = "7@localhost:9093"
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return path


def dynamic(file: Path) -> Path:
    """The same node in a quorum whose voters may change."""
    file.write_text(
        file.read_text().replace(
            "controller.quorum.voters=7@", "controller.quorum.bootstrap.servers="
        )
    )
    return file


def storage(*arguments: object) -> int:
    return main(["storage", *map(str, arguments)])


def test_format_and_info(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = file.parent
    assert storage("info", "-c", file) == 1
    assert capsys.readouterr().out == (
        f"Found problems:\n  {root}/a does not exist\n  {root}/b does not exist\n\n"
    )
    assert storage("format", "-t", CLUSTER, "-c", file) == 0
    assert capsys.readouterr().out == (
        f"Formatting data directory {root}/b with metadata.version 4.3-IV0.\n"
        f"Formatting metadata directory {root}/a with metadata.version 4.3-IV0.\n"
    )
    assert storage("info", "-c", file) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Found log directories:\n  {root}/a\n  {root}/b\n\nFound metadata: {{")
    assert f"cluster.id={CLUSTER}, directory.id=" in out
    assert "node.id=7, version=1}" in out


def test_each_directory_has_an_id_of_its_own(file: Path) -> None:
    storage("format", "-t", CLUSTER, "-c", file)
    found = [meta_properties.read(PosixDisk(), str(file.parent / name)) for name in "ab"]
    assert all(meta is not None and meta.cluster_id == CLUSTER for meta in found)
    assert len({meta.directory_id for meta in found if meta is not None}) == 2


def test_formatted_directories_are_refused_or_passed_over(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage("format", "-t", CLUSTER, "-c", file)
    assert storage("format", "-t", CLUSTER, "-c", file) == 1
    assert capsys.readouterr().err == (
        f"Log directory {file.parent}/a is already formatted. Use --ignore-formatted to ignore"
        " this directory and format the others.\n"
    )
    assert storage("format", "-t", CLUSTER, "-c", file, "-g") == 0
    assert capsys.readouterr().out == "All of the log directories are already formatted.\n"


def test_directories_of_another_cluster_or_node_are_refused(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage("format", "-t", CLUSTER, "-c", file)
    assert storage("format", "-t", "other", "-c", file, "-g") == 1
    assert "holds another cluster's data" in capsys.readouterr().err
    file.write_text(file.read_text().replace("node.id=7", "node.id=8").replace("7@", "8@"))
    assert storage("format", "-t", CLUSTER, "-c", file, "-g") == 1
    assert "belongs to another node" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-f", "metadata.version=99"], "Valid feature levels are from 21 to 33"),
        (["-f", "metadata.version"], "equals sign not found"),
        (["-f", "sheep=1"], "Unsupported feature: sheep"),
        (["-r", "3.0-IV1"], "Unknown metadata.version '3.0-IV1'"),
        (["-S", "SCRAM-SHA-1=[name=a,password=b]"], "SCRAM-SHA-1 is not supported"),
        (["-S", "SCRAM-SHA-256=[name=a]"], "one of 'password' or 'saltedpassword'"),
        (["-S", "SCRAM-SHA-256=[name=a,password=b,iterations=1]"], "from 4096 to 16384"),
        (["-s"], "You cannot specify controller.quorum.voters and format the node with"),
        (["-I", "7@localhost:9093:" + CLUSTER], "You cannot specify controller.quorum.voters"),
    ],
)
def test_options_that_cannot_be(
    file: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert storage("format", "-t", CLUSTER, "-c", file, *arguments) == 1
    assert words in capsys.readouterr().err
    assert not (file.parent / "a").exists()


def test_options_that_are_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert storage("format") == 1
    assert "--cluster-id" in capsys.readouterr().err
    assert storage() == 1
    assert "too few arguments" in capsys.readouterr().err
    assert storage("info", "-c", "nowhere") == 1
    assert "nowhere: No such file or directory" in capsys.readouterr().err


def test_a_controller_of_a_changing_quorum_must_say_how_it_begins(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dynamic(file)
    assert storage("format", "-t", CLUSTER, "-c", file) == 1
    assert "--standalone, --initial-controllers, or --no-initial-controllers" in (
        capsys.readouterr().err
    )
    assert storage("format", "-t", CLUSTER, "-c", file, "-N") == 0
    assert not (file.parent / "a" / "__cluster_metadata-0").exists()


def test_standalone_founds_a_quorum_of_one(file: Path) -> None:
    assert storage("format", "-t", CLUSTER, "-c", dynamic(file), "--standalone") == 0
    meta = meta_properties.read(PosixDisk(), str(file.parent / "a"))
    snapshot, problems = load_latest(PosixDisk(), str(file.parent / "a" / "__cluster_metadata-0"))
    assert meta is not None and snapshot is not None and not problems
    (voter,) = snapshot.voters
    assert (voter.id, voter.directory_id) == (7, meta.directory_id)
    assert voter.endpoints[0].port == 9093


def test_initial_controllers_give_the_directory_its_id(file: Path) -> None:
    own, other = new_uuid(), new_uuid()
    controllers = f"7@localhost:9093:{uuid_text(own)},8@elsewhere:9093:{uuid_text(other)}"
    assert storage("format", "-t", CLUSTER, "-c", dynamic(file), "-I", controllers) == 0
    meta = meta_properties.read(PosixDisk(), str(file.parent / "a"))
    assert meta is not None and meta.directory_id == own


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("7-localhost", "must have the form"),
        ("7@localhost:x:" + CLUSTER, "the port"),
        ("7@localhost:9093:short", "not a uuid"),
        (f"7@a:1:{CLUSTER},8@b:1:{CLUSTER}", "same directory id"),
        (f"7@a:1:{CLUSTER},7@b:1:AAAAAAAAAAAAAAAAAAAAAQ", "same id"),
        (f"9@a:1:{CLUSTER}", "does not name this controller"),
    ],
)
def test_initial_controllers_that_cannot_be(text: str, words: str) -> None:
    settings = {**SINGLE_NODE, "node.id": "7", "controller.quorum.voters": "7@localhost:9093"}
    with pytest.raises(FormatRefused, match=words):
        parse_initial_controllers(text, read_config(settings))


def test_random_uuids_are_usable_as_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert storage("random-uuid") == 0
    assert len(parse_uuid(capsys.readouterr().out.strip())) == 16
    draws = iter([b"\xf8" + bytes(15), b"\x01" * 16])
    assert new_uuid(lambda _: next(draws))[0] == 1, "one that begins with a dash is drawn again"


# ---- what `raftka server` does by itself


def single(path: Path, **changes: str) -> Config:
    named = {name.replace("_", "."): value for name, value in changes.items()}
    return make_config({**SINGLE_NODE, "log.dirs": str(path / "data"), **named})


def test_a_single_node_formats_itself_once(tmp_path: Path) -> None:
    config, disk = single(tmp_path), PosixDisk()
    assert format_if_new(config, disk, None, may_invent_id=True) == [str(tmp_path / "data")]
    first = inspect(config, disk).formatted
    assert format_if_new(config, disk, None, may_invent_id=True) == []
    assert inspect(config, disk).formatted == first


def test_a_second_disk_joins_the_cluster_of_the_first(tmp_path: Path) -> None:
    disk = PosixDisk()
    format_directories(single(tmp_path), disk, CLUSTER)
    both = single(tmp_path, log_dirs=f"{tmp_path}/data,{tmp_path}/more")
    assert format_if_new(both, disk, None, may_invent_id=False) == [str(tmp_path / "more")]
    assert {meta.cluster_id for meta in inspect(both, disk).formatted.values()} == {CLUSTER}


def test_a_node_among_others_does_not_invent_a_cluster(tmp_path: Path) -> None:
    with pytest.raises(FormatRefused, match="CLUSTER_ID"):
        format_if_new(single(tmp_path), PosixDisk(), None, may_invent_id=False)
    format_if_new(single(tmp_path), PosixDisk(), "ours", may_invent_id=False)
    (meta,) = inspect(single(tmp_path), PosixDisk()).formatted.values()
    assert meta.cluster_id == "ours"
