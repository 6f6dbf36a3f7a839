"""kafka-replica-verification against three nodes, one of which has another byte on its disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trio

from raftka.client.producer import Producer
from raftka.client.tools import topics
from raftka.local_cluster import LocalCluster
from raftka.model.record_batch import parse_header

pytestmark = pytest.mark.wire

_CRC_AT = 17


def lines_of(cluster: LocalCluster, topic: str, until: str) -> list[str]:
    """The tool's output up to a line with these words; then it is stopped as by Ctrl-C."""
    command = [
        sys.executable, "-m", "raftka", "replica-verification",
        "--broker-list", cluster.bootstrap, "--topics-include", topic,
        "--time", "-2", "--report-interval-ms", "100", "--max-wait-ms", "100",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tool:
        assert tool.stdout is not None
        found = []
        for line in tool.stdout:
            found.append(line.rstrip("\n").partition(": ")[2])
            if until in line:
                tool.terminate()
                break
        assert tool.wait(30) == 128 + 15
    return found


def segment(cluster: LocalCluster, node: int, topic: str) -> Path:
    (found,) = (cluster.directory / f"node-{node}").rglob(f"{topic}-0/00000000000000000000.log")
    return found


def test_equal_replicas_have_no_lag_and_a_changed_byte_is_found(
    three: LocalCluster, topic: str
) -> None:
    at = ("--bootstrap-server", three.bootstrap)
    created = topics.main([*at, "--create", "--topic", topic, "--replication-factor", "3"])
    assert created == 0

    async def fill() -> None:
        async with Producer({"bootstrap.servers": three.bootstrap}) as producer:
            for _ in range(3):
                await producer.send(topic, b"v")

    trio.run(fill)
    same = lines_of(three, topic, "max lag is 0")
    assert same[0] == "verification process is started"
    assert same[-1] == f"max lag is 0 for partition {topic}-0 at offset 3 among 1 partitions"
    assert not any("checksum" in line for line in same)

    file = segment(three, 3, topic)
    with file.open("r+b", buffering=0) as written:
        header = parse_header(written.read(61))
        written.seek(_CRC_AT)
        written.write((header.crc ^ 1).to_bytes(4, "big"))
        try:
            different = lines_of(three, topic, "max lag is 0")
        finally:
            written.seek(_CRC_AT)
            written.write(header.crc.to_bytes(4, "big"))
    assert different[1] == (
        f"partition {topic}-0 has unmatched checksum at offset {header.last_offset}; replica 1's"
        f" checksum {header.crc}; replica 3's checksum {header.crc ^ 1}"
    )
