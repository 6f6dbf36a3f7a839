"""`kafka-storage` on releases and features; the expectations are Apache Kafka 4.4.0's output."""

from __future__ import annotations

from pathlib import Path

import pytest

from raftka.commands import main
from raftka.configuration import SINGLE_NODE
from raftka.storage import bootstrap
from raftka.storage.posix import PosixDisk

CLUSTER = "AAAAAAAAAAAAAAAAAAAAAQ"
ORDER = ("kraft", "transaction", "group", "eligible.leader.replicas", "share", "streams")


@pytest.mark.parametrize(
    ("release", "version", "levels"),
    [
        ("3.9", 21, (1, 0, 0, 0, 0, 0)),
        ("3.9-IV0", 21, (1, 0, 0, 0, 0, 0)),
        ("4.0-IV0", 22, (1, 0, 1, 0, 0, 0)),
        ("4.0-IV2", 24, (1, 2, 1, 0, 0, 0)),
        ("4.0", 25, (1, 2, 1, 0, 0, 0)),
        ("4.1", 27, (1, 2, 1, 1, 0, 0)),
        ("4.2-IV0", 28, (1, 2, 1, 1, 1, 0)),
        ("4.2", 29, (1, 2, 1, 1, 1, 1)),
        ("4.3", 30, (1, 2, 1, 1, 1, 1)),
        ("4.4-IV0", 31, (1, 2, 1, 1, 2, 1)),
        ("4.4", 33, (1, 2, 1, 1, 2, 1)),
        ("4.0.0", 25, (1, 2, 1, 0, 0, 0)),
        ("4.1.17", 27, (1, 2, 1, 1, 0, 0)),
        ("4.4-IV1.3", 32, (1, 2, 1, 1, 2, 1)),
    ],
)
def test_version_mapping(
    release: str, version: int, levels: tuple[int, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["storage", "version-mapping", "-r", release]) == 0
    lines = [f"{name}.version={level}" for name, level in zip(ORDER, levels, strict=True)]
    expected = [f"metadata.version={version} ({release})", *lines]
    assert capsys.readouterr().out.splitlines() == expected


def test_version_mapping_of_a_new_cluster_and_of_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["storage", "version-mapping"]) == 0
    assert capsys.readouterr().out.startswith("metadata.version=30 (4.3-IV0)\n")
    for unknown in ("4.0.", ".4.0", "4", "4.0.0.", ""):
        assert main(["storage", "version-mapping", "-r", unknown]) == 1
        assert f"Unknown metadata.version '{unknown}'." in capsys.readouterr().err
    assert main(["storage", "version-mapping", "-r", "9.9"]) == 1
    words = "Unknown metadata.version '9.9'. Supported metadata.version are: 3.9-IV0, 4.0-IV0,"
    assert capsys.readouterr().err.startswith(words)


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("metadata.version=29", "metadata.version=29 (4.2-IV1) has no dependencies."),
        ("transaction.version=2", "transaction.version=2 has no dependencies."),
        ("kraft.version=0", "kraft.version=0 has no dependencies."),
        (
            "eligible.leader.replicas.version=1",
            "eligible.leader.replicas.version=1 requires:\n    metadata.version=23 (4.0-IV1)",
        ),
    ],
)
def test_feature_dependencies(
    feature: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["storage", "feature-dependencies", "-f", feature]) == 0
    assert capsys.readouterr().out == f"{expected}\n"


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("metadata.version=99", "Unknown metadata.version 99"),
        ("foo=1", "Unknown feature: foo"),
        ("foo", "Invalid feature format: foo. Expected format: 'feature=version'"),
        ("group.version=9", "group.version"),
    ],
)
def test_features_that_are_not_known(
    feature: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["storage", "feature-dependencies", "-f", feature]) == 1
    assert words in capsys.readouterr().err


def formatted(path: Path, *arguments: str) -> int:
    file = path / "server.properties"
    settings = {**SINGLE_NODE, "log.dirs": f"{path}/data"}
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return main(["storage", "format", "-t", CLUSTER, "-c", str(file), *arguments])


def test_a_format_chooses_what_a_new_cluster_begins_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert formatted(tmp_path, "--release-version", "3.9") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Formatting metadata directory {tmp_path}/data with metadata.version 3.9-IV0.",
        "eligible.leader.replicas.version begins at 1: level 0 is not served yet",
    ]
    found = bootstrap.read(PosixDisk(), f"{tmp_path}/data")
    assert found is not None and found["metadata.version"] == 21


def test_a_format_that_chooses_nothing_leaves_it_to_the_release(tmp_path: Path) -> None:
    assert formatted(tmp_path) == 0
    assert bootstrap.read(PosixDisk(), f"{tmp_path}/data") is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-r", "9.9"), "Unknown metadata.version '9.9'"),
        (("-f", "transaction.version=9"), "No feature:transaction.version with feature level 9"),
        (("-f", "foo=x"), "Can't parse feature=level string foo=x: unable to parse x as a short."),
        (("-r", "4.0", "-f", "metadata.version=25"), "Use --release-version instead of --feature"),
        (
            ("-r", "3.9", "-f", "eligible.leader.replicas.version=1"),
            "could not be set to 1 because it depends on metadata.version level 23",
        ),
        (("-f", "kraft.version=1"), "Cannot set kraft.version to 1 unless controller.quorum.vot"),
        (("-f", "metadata.version=5"), "No MetadataVersion with feature level 5."),
    ],
)
def test_formats_that_kafka_refuses(
    tmp_path: Path, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert formatted(tmp_path, *arguments) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
