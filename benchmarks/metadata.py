"""The controller's figures: topics and settings a second, many partitions, and its failover.

    python -m benchmarks.metadata                      three nodes on this machine
    python -m benchmarks.metadata --partitions 3000    fewer than the 10,000 of the last part

Rates are what one client sees, through the wire and a committed batch of three nodes' quorum.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import trio

from kraft.controller.topics import METADATA_TOPIC
from net.channel import Channel, open_channel
from net.protocol.messages import describe_quorum, incremental_alter_configs
from net.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from net.transport import TcpNetwork
from raftka.local_cluster import LocalCluster

NODES: Final = 3
TOPIC_RESOURCE: Final = 2
A_TOPIC: Final = 500
"""Partitions of each topic of the last part."""

_STAMP: Final = r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) .*"


async def main(partitions: int) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="raftka-metadata-") as directory,
        LocalCluster(directory, nodes=NODES) as cluster,
    ):
        cluster.start()
        async with trio.open_nursery() as nursery:
            leader = await active_controller(nursery, cluster)
            channel = await connect(nursery, cluster, leader)
            await topics(channel)
            await settings(nursery, cluster, leader)
            await many_partitions(channel, partitions)
            nursery.cancel_scope.cancel()
        await failover(cluster, leader)


async def connect(nursery: trio.Nursery, cluster: LocalCluster, node_id: int) -> Channel:
    port = cluster.ports[node_id]
    channel = await open_channel(TcpNetwork(), "127.0.0.1", port, client_id="benchmark")
    nursery.start_soon(channel.run)
    return channel


async def active_controller(nursery: trio.Nursery, cluster: LocalCluster) -> int:
    channel = await connect(nursery, cluster, 1)
    partition = describe_quorum.RequestPartitionData(partition_index=0)
    topic = describe_quorum.RequestTopicData(topic_name=METADATA_TOPIC, partitions=[partition])
    answer = await channel.ask(describe_quorum.DescribeQuorumRequest(topics=[topic]), 2)
    return answer.topics[0].partitions[0].leader_id


async def create(channel: Channel, names: Sequence[str], partitions: int = 1) -> float:
    """Create topics in one request; how many seconds it took."""
    began = time.perf_counter()
    wanted = [
        CreatableTopic(name=name, num_partitions=partitions, replication_factor=NODES)
        for name in names
    ]
    answer = await channel.ask(CreateTopicsRequest(topics=wanted), 7, timeout_s=120)
    failed = [topic.error_message for topic in answer.topics if topic.error_code]
    if failed:
        raise SystemExit(f"{len(failed)} topics could not be created: {failed[0]}")
    return time.perf_counter() - began


async def topics(channel: Channel) -> None:
    took = sum([await create(channel, [f"one-{i}"]) for i in range(100)])
    print(f"topics, one at a time             {100 / took:10.0f} a second")
    took = await create(channel, [f"many-{i}" for i in range(1000)])
    print(f"1,000 topics in one request       {took * 1000:10.0f} ms")


async def alter(channel: Channel, number: int) -> None:
    config = incremental_alter_configs.AlterableConfig(name="retention.ms", value=str(number + 1))
    resource = incremental_alter_configs.AlterConfigsResource(
        resource_type=TOPIC_RESOURCE, resource_name=f"many-{number % 1000}", configs=[config]
    )
    request = incremental_alter_configs.IncrementalAlterConfigsRequest(resources=[resource])
    await channel.ask(request, 1)


async def settings(nursery: trio.Nursery, cluster: LocalCluster, leader: int) -> None:
    channels = [await connect(nursery, cluster, leader) for _ in range(200)]
    began = time.perf_counter()
    for number in range(200):
        await alter(channels[0], number)
    rate = 200 / (time.perf_counter() - began)
    print(f"committed changes, one at a time  {rate:10.0f} a second")

    async def client(channel: Channel, first: int) -> None:
        for number in range(first, first + 50):
            await alter(channel, number)

    began = time.perf_counter()
    async with trio.open_nursery() as clients:
        for index, channel in enumerate(channels):
            clients.start_soon(client, channel, index * 50)
    rate = 200 * 50 / (time.perf_counter() - began)
    print(f"committed changes, 200 in flight  {rate:10.0f} a second")


async def many_partitions(channel: Channel, partitions: int) -> None:
    requests = max(1, partitions // A_TOPIC)
    took = sum([await create(channel, [f"large-{i}"], A_TOPIC) for i in range(requests)])
    total = requests * A_TOPIC
    print(f"{total:6,} partitions of {NODES} committed   {took * 1000:10.0f} ms")


async def failover(cluster: LocalCluster, leader: int) -> None:
    """Kill the active controller; from its death to another, and to the last election."""
    killed_at = time.time()
    cluster.kill(leader)
    await trio.sleep(10)
    text = "\n".join(cluster.log(each) for each in cluster.node_ids if each != leader)
    active = moments(text, r"controller \d+ is active", killed_at)
    elected = moments(text, r" is elected leader ", killed_at)
    if not active or not elected:
        raise SystemExit("nobody took over within 10 s")
    print(f"the next controller is active     {(active[0] - killed_at) * 1000:10.0f} ms later")
    took = (elected[-1] - killed_at) * 1000
    print(f"{len(elected):6,} partitions are led again    {took:10.0f} ms later")


def moments(text: str, pattern: str, since: float) -> list[float]:
    """When lines of that kind were logged, in seconds since 1970."""
    stamps = re.findall(_STAMP + pattern, text, re.MULTILINE)
    found = sorted(datetime.fromisoformat(stamp).timestamp() for stamp in stamps)
    return [moment for moment in found if moment >= since]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--partitions", type=int, default=10_000)
    trio.run(main, parser.parse_args().partitions)
