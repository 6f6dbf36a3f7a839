"""A real node with two log directories, one of which cannot be read when it starts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import trio

from raftka.client.admin import Admin, NewTopic
from raftka.client.producer import Producer
from raftka.local_cluster import LocalCluster
from raftka.model.errors import ErrorCode, KafkaError

pytestmark = pytest.mark.wire


async def written(bootstrap: str, topic: str) -> dict[int, str]:
    """The outcome of a record, by partition."""
    found = {}
    config = {
        "bootstrap.servers": bootstrap,
        "delivery.timeout.ms": 4000,
        "request.timeout.ms": 2000,
        "linger.ms": 0,
    }
    async with Producer(config) as producer:
        for partition in range(4):
            try:
                await (await producer.send(topic, b"x", partition=partition))
                found[partition] = "stored"
            except KafkaError as error:
                found[partition] = ErrorCode(error.code).name
    return found


def test_a_node_starts_without_one_of_its_disks_and_takes_it_back(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with LocalCluster(tmp_path / "nodes", nodes=1) as cluster:
        cluster.configure(1, {"log.dirs": f"{first},{second}"})
        cluster.start(60)

        async def make() -> None:
            async with Admin({"bootstrap.servers": cluster.bootstrap}) as admin:
                await admin.create_topics([NewTopic("t", 4, 1)])

        trio.run(make)
        assert set(trio.run(written, cluster.bootstrap, "t").values()) == {"stored"}
        lost = {int(each.name[2:]) for each in second.glob("t-*")}
        assert 0 < len(lost) < 4
        cluster.stop_node(1)
        second.rename(tmp_path / "away")
        second.write_text("no directory")

        cluster.start_node(1, 60)
        assert "is offline" in cluster.log(1)
        became = trio.run(written, cluster.bootstrap, "t")
        assert {index for index, words in became.items() if words == "stored"} == {
            0,
            1,
            2,
            3,
        } - lost
        cluster.stop_node(1)
        second.unlink()
        (tmp_path / "away").rename(second)

        cluster.start_node(1, 60)
        deadline = time.monotonic() + 20
        while set(trio.run(written, cluster.bootstrap, "t").values()) != {"stored"}:
            assert time.monotonic() < deadline
