"""python -m benchmarks.share_groups: what a broker pays for a record of a share group.

One node, one partition; a share consumer gets records of 100 bytes, 500 a poll, and accepts them
with the next one. The CPU of the node from the first poll to the last acknowledgement, for each
record; producing is not in it. With --kafka SCRIPT the same against Apache Kafka, by a script like
the one of benchmarks.exactly_once. The first rounds are not counted: the JVM compiles meanwhile.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from benchmarks.kafka_peer import kafka_peer
from benchmarks.load import cpu_seconds
from raftka import Admin, NewTopic, Producer
from raftka.client.admin.configs import Alteration, Resource, ResourceType
from raftka.client.share import ShareConsumer
from raftka.local_cluster import LocalCluster

_TOPIC: Final = "work"
_GROUP: Final = "shared"
_VALUE: Final = b"x" * 100


async def measure(bootstrap: str, pids: Sequence[int], records: int, rounds: int) -> None:
    """Print what the last round took."""
    servers: dict[str, object] = {"bootstrap.servers": bootstrap}
    async with Admin(servers) as admin:
        await admin.create_topics([NewTopic(_TOPIC, 1, 1)])
        group = Resource(ResourceType.GROUP, _GROUP)
        earliest = Alteration("share.auto.offset.reset", "earliest")
        await admin.incremental_alter_configs({group: [earliest]})
    async with Producer(servers) as producer, ShareConsumer({**servers, "group.id": _GROUP}) as one:
        one.subscribe([_TOPIC])
        for number in range(rounds):
            for _ in range(records):
                await producer.send(_TOPIC, _VALUE)
            await producer.flush()
            busy_s, began_s, got = cpu_seconds(pids), time.monotonic(), 0
            while got < records:
                got += len(await one.poll(1.0))
            refused = [error for error in (await one.commit()).values() if error is not None]
            if refused:
                raise SystemExit(f"an acknowledgement was refused: {refused[0]}")
            busy_s, took_s = cpu_seconds(pids) - busy_s, time.monotonic() - began_s
            print(
                f"round {number + 1}: {busy_s / records * 1e6:.2f} us of CPU for each of"
                f" {records:,} records, {records / took_s:,.0f} a second",
                flush=True,
            )


def main(argv: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=50_000)
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--kafka", metavar="SCRIPT", help="measure Apache Kafka as well")
    found = options.parse_args(argv)
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalCluster(Path(directory), nodes=1) as cluster,
    ):
        cluster.start(60)
        print("raftka", flush=True)
        pids = [process.pid for process in cluster.processes.values()]
        trio.run(measure, cluster.bootstrap, pids, found.records, found.rounds)
    if found.kafka:
        with kafka_peer(found.kafka, 1) as peer:
            print("Apache Kafka", flush=True)
            trio.run(measure, peer.bootstrap, peer.pids, found.records, found.rounds)


if __name__ == "__main__":
    main()
