"""python -m benchmarks.group_settle: how long a group takes to settle when a member joins or dies.

One node, 100 members of raftka's consumer in this process, 300 partitions. A group has settled when
each partition is assigned once, to a member that is there. A member that dies does not leave: its
time counts from the end of its session. With --kafka the same against Apache Kafka at HOST:PORT.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import trio

from raftka.client.admin import Admin, NewTopic
from raftka.client.consumer import Consumer
from raftka.local_cluster import LocalCluster
from raftka.model.ids import TopicPartition

SESSION_S = 6.0
SETTINGS = {
    "offsets.topic.num.partitions": "5",
    "group.initial.rebalance.delay.ms": "0",
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "6000",
}


class Member:
    """A consumer, and its partitions so far."""

    def __init__(self) -> None:
        self.has: set[TopicPartition] = set()
        self.revoked = 0
        self.consumer: Consumer | None = None
        self.scope = trio.CancelScope()

    async def run(self, servers: str, group: str, topic: str, protocol: str) -> None:
        config: dict[str, object] = {
            "bootstrap.servers": servers,
            "group.id": group,
            "group.protocol": protocol,
            "fetch.max.wait.ms": 5000,
        }
        if protocol == "classic":
            config |= {
                "session.timeout.ms": 6000,
                "heartbeat.interval.ms": 500,
                "partition.assignment.strategy": "cooperative-sticky",
            }
        with self.scope:
            async with Consumer(config) as self.consumer:
                self.consumer.subscribe([topic], self)
                while True:
                    await self.consumer.poll(1.0)

    def die(self) -> None:
        """Vanish without leaving."""
        assert self.consumer is not None
        self.consumer.abandon()
        self.has.clear()
        self.scope.cancel()

    async def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self.has |= set(partitions)

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.revoked += len(partitions)
        self.has -= set(partitions)

    async def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.has -= set(partitions)


async def settled(members: Sequence[Member], partitions: int, within_s: float = 90) -> float:
    """Wait for the condition; returns the seconds that took."""
    began = time.monotonic()
    while True:
        owned = [target for member in members for target in member.has]
        if len(owned) == len(set(owned)) == partitions and all(m.has for m in members):
            return time.monotonic() - began
        if time.monotonic() - began > within_s:
            raise SystemExit(f"not settled: {len(owned)} of {partitions} partitions have an owner")
        await trio.sleep(0.01)


async def measure(servers: str, protocol: str, count: int, partitions: int) -> None:
    """One group, from nothing to a join, a leave and a death."""
    topic = group = f"settle-{protocol}-{time.monotonic_ns()}"
    async with Admin({"bootstrap.servers": servers}) as admin:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    async with trio.open_nursery() as nursery:
        members = [Member() for _ in range(count)]
        for member in members:
            nursery.start_soon(member.run, servers, group, topic, protocol)
        print(f"{protocol}: {count} members start: {await settled(members, partitions):.2f} s")
        for member in members:
            member.revoked = 0
        members.append(Member())
        nursery.start_soon(members[-1].run, servers, group, topic, protocol)
        joined_s = await settled(members, partitions)
        moved = sum(member.revoked for member in members)
        print(f"{protocol}: one joins: {joined_s:.2f} s, {moved} of {partitions} partitions moved")
        members.pop().scope.cancel()
        print(f"{protocol}: it leaves: {await settled(members, partitions):.2f} s")
        members.pop().die()
        died_s = await settled(members, partitions)
        print(f"{protocol}: one dies: {died_s:.2f} s, of which {SESSION_S:.0f} s are its session")
        nursery.cancel_scope.cancel()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--members", type=int, default=100)
    options.add_argument("--partitions", type=int, default=300)
    options.add_argument("--kafka", metavar="HOST:PORT", help="measure that cluster instead")
    found = options.parse_args()
    for protocol in ("consumer", "classic"):
        if found.kafka:
            trio.run(measure, found.kafka, protocol, found.members, found.partitions)
            continue
        with (
            tempfile.TemporaryDirectory() as directory,
            LocalCluster(Path(directory), nodes=1, settings=SETTINGS) as cluster,
        ):
            cluster.start()
            trio.run(measure, cluster.bootstrap, protocol, found.members, found.partitions)


if __name__ == "__main__":
    main()
