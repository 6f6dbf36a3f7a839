"""A share consumer under asyncio; the other clients are in tests/wire."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from raftka import LocalCluster, NewTopic
from raftka.aio import Admin, Producer, ShareConsumer

pytestmark = pytest.mark.wire


def test_a_share_consumer_gets_and_commits(tmp_path: Path) -> None:
    async def use(bootstrap: str) -> tuple[set[bytes | None], object]:
        servers = {"bootstrap.servers": bootstrap}
        async with Admin(servers) as admin, Producer(servers) as producer:
            await admin.create_topics([NewTopic("t", 1, 1)])
            async with ShareConsumer({**servers, "group.id": "g"}) as consumer:
                consumer.subscribe(["t"])
                found: set[bytes | None] = set()
                while len(found) < 5:  # It begins at the end of the log, wherever that is by then.
                    await producer.send("t", value=b"%d" % len(found))
                    found |= {each.record.value for each in await consumer.poll(0.2)}
                return found, await consumer.commit()

    with LocalCluster(tmp_path, nodes=1) as cluster:
        cluster.start(60)
        found, outcomes = asyncio.run(asyncio.wait_for(use(cluster.bootstrap), 60))
    assert found == {b"%d" % number for number in range(5)}
    assert isinstance(outcomes, dict) and set(outcomes.values()) == {None}
