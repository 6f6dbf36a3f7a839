"""kcat (librdkafka 2.0.2 in Debian 12) at its defaults."""

from __future__ import annotations

import json
import subprocess

import pytest

from raftka.local_cluster import LocalCluster

pytestmark = pytest.mark.wire


def run(kcat: str, cluster: LocalCluster, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [kcat, "-b", cluster.bootstrap, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_what_is_produced_is_consumed(
    kcat: str, three: LocalCluster, topic: str, codec: str
) -> None:
    lines = [f"key-{i}:value {i} " + "x" * 50 for i in range(500)]
    run(kcat, three, "-P", "-t", topic, "-K:", "-z", codec, stdin="\n".join(lines))
    found = run(kcat, three, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-K:")
    assert found.splitlines() == lines


def test_compressed_batches_stay_compressed(kcat: str, single: LocalCluster, topic: str) -> None:
    # librdkafka before 2.11.1 turns compression off unless Produce is listed from version 0.
    run(kcat, single, "-P", "-t", topic, "-z", "gzip", stdin="\n".join(["same line"] * 5000))
    log = single.directory / "node-1" / f"{topic}-0" / "00000000000000000000.log"
    assert log.stat().st_size < 20_000


def test_metadata_lists_brokers_and_topics(kcat: str, three: LocalCluster, topic: str) -> None:
    run(kcat, three, "-P", "-t", topic, stdin="one")
    found = json.loads(run(kcat, three, "-L", "-J"))
    assert [broker["id"] for broker in found["brokers"]] == [1, 2, 3]
    assert topic in [each["topic"] for each in found["topics"]]


def test_a_group_reads_everything(kcat: str, three: LocalCluster, topic: str) -> None:
    run(kcat, three, "-P", "-t", topic, stdin="\n".join(map(str, range(100))))
    arguments = ["-G", f"g-{topic}", "-X", "auto.offset.reset=earliest", "-e", "-q", topic]
    assert run(kcat, three, *arguments).split() == [str(i) for i in range(100)]
    assert run(kcat, three, *arguments).split() == []


def test_an_offset_by_time(kcat: str, single: LocalCluster, topic: str) -> None:
    run(kcat, single, "-P", "-t", topic, stdin="a\nb\nc")
    assert run(kcat, single, "-Q", "-t", f"{topic}:0:1").split()[-1] == "0"
    assert run(kcat, single, "-Q", "-t", f"{topic}:0:-1").split()[-1] == "3"
