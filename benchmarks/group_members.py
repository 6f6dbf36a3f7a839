"""Groups of real clients that join, leave, crash and are paused while brokers are killed.

    python -m benchmarks.group_members CLIENT --seconds 30         all clients: --help
    python -m benchmarks.group_members java-share --libraries '.../libs/*'

Three real nodes, one of which dies by SIGKILL every few seconds and comes back; two to five members
in processes of their own, every second one at the client's defaults, the others committing by hand
after each poll; a producer with acks=all. At the end the members are left alone until everything is
read. Checked (`group_cases/check.py`): each partition has one owner in a generation or epoch, and
at any time; nothing is skipped or lost; no commit passes what was consumed, and none of a member
that had lost the partition is accepted. For share groups: everything is acknowledged, nothing is
delivered after its acknowledgement, nor more often than the limit.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from benchmarks.group_cases.check import (
    Place,
    Sample,
    consumer_faults,
    share_faults,
    unacknowledged,
    unread,
)
from benchmarks.group_cases.clients import CLIENTS, Client, Missing
from benchmarks.group_cases.crowd import Crowd
from raftka import Admin, NewTopic, Producer, TopicPartition
from raftka.client.admin.configs import Alteration, Resource, ResourceType
from raftka.model.errors import KafkaError
from raftka.testing import Cluster

_TOPIC: Final = "group-members"
_GROUP: Final = "members"
_PARTITIONS: Final = 6
_PRODUCE_PAUSE_S: Final = 0.004
_START_S: Final = 120.0
"""How long three nodes may take to start on a busy machine."""
_LAST_S: Final = 120.0
"""How long the end may take: the session of a dead member, and the lock of what it had."""


@dataclass
class Seen:
    """What the driver knows beside the members' words."""

    produced: dict[Place, str] = field(default_factory=dict)
    failed: int = 0
    samples: list[Sample] = field(default_factory=list)
    kills: int = 0


@dataclass
class Outcome:
    """What a run found."""

    words: str
    wrong: list[str]


async def _produce(servers: dict[str, object], stop: trio.Event, seen: Seen) -> None:
    number = 0
    async with Producer(servers) as producer, trio.open_nursery() as nursery:

        async def settle(future: object, value: str) -> None:
            try:
                place = await future  # type: ignore[misc]
            except KafkaError:
                seen.failed += 1
            else:
                seen.produced[place.partition, place.offset] = value

        while not stop.is_set():
            partition, value = number % _PARTITIONS, f"v{number}"
            number += 1
            try:
                future = await producer.send(_TOPIC, value.encode(), partition=partition)
            except KafkaError:
                seen.failed += 1
            else:
                nursery.start_soon(settle, future, value)
            await trio.sleep(_PRODUCE_PAUSE_S)


async def _kill_nodes(cluster: Cluster, stop: trio.Event, seen: Seen, dice: random.Random) -> None:
    while not stop.is_set():
        with trio.move_on_after(dice.uniform(2, 5)):
            await stop.wait()
            return
        node = dice.choice(cluster.node_ids)
        seen.kills += 1
        await trio.to_thread.run_sync(cluster.kill, node)
        await trio.sleep(dice.uniform(0.5, 2))
        await trio.to_thread.run_sync(cluster.restart, node, 120.0)
        for partition in range(_PARTITIONS):
            await trio.to_thread.run_sync(cluster.wait_for_isr, _TOPIC, partition, 3, 60.0)


async def _trouble_members(crowd: Crowd, stop: trio.Event, dice: random.Random) -> None:
    while not stop.is_set():
        with trio.move_on_after(dice.uniform(0.5, 3)):
            await stop.wait()
            return
        await crowd.act()


async def _observe(servers: dict[str, object], stop: trio.Event, seen: Seen) -> None:
    async with Admin(servers) as admin:
        while not stop.is_set():
            with trio.move_on_after(0.5):
                await stop.wait()
                return
            try:
                offsets = await admin.list_group_offsets(_GROUP)
            except KafkaError:
                continue  # No coordinator just now: the next look finds one.
            found = {place.partition: each.offset for place, each in offsets.items()}
            seen.samples.append(Sample(time.time_ns() // 1000, found))


async def _ends(servers: dict[str, object]) -> dict[int, int]:
    async with Admin(servers) as admin:
        latest = {TopicPartition(_TOPIC, p): -1 for p in range(_PARTITIONS)}
        found = await admin.list_offsets(latest)
    return {place.partition: each.offset for place, each in found.items()}


async def _set_up(servers: dict[str, object], client: Client) -> None:
    async with Admin(servers) as admin:
        await admin.create_topics(
            [NewTopic(_TOPIC, _PARTITIONS, 3, configs={"min.insync.replicas": "2"})]
        )
        if client.shares:
            group = Resource(ResourceType.GROUP, _GROUP)
            earliest = Alteration("share.auto.offset.reset", "earliest")
            await admin.incremental_alter_configs({group: [earliest]})


async def _run(
    cluster: Cluster, client: Client, crowd: Crowd, seconds: float, seed: int
) -> tuple[Seen, list[str]]:
    seen = Seen()
    servers: dict[str, object] = {"bootstrap.servers": cluster.bootstrap_servers}
    await _set_up(servers, client)
    observed, stop = trio.Event(), trio.Event()
    async with trio.open_nursery() as observers:
        if not client.shares:
            observers.start_soon(_observe, servers, observed, seen)
        async with trio.open_nursery() as load:
            load.start_soon(_produce, servers, stop, seen)
            for _ in range(3):
                crowd.join()
            load.start_soon(_kill_nodes, cluster, stop, seen, random.Random(seed))
            load.start_soon(_trouble_members, crowd, stop, random.Random(seed + 1))
            await trio.sleep(seconds)
            stop.set()
        ends = await _ends(servers)
        left = unacknowledged if client.shares else unread
        with trio.move_on_after(_LAST_S):
            while left(crowd.members(), ends) and not crowd.deaths():  # noqa: ASYNC110 - files have no event.
                await trio.sleep(0.5)
        wrong = await crowd.leave()
        observed.set()
    members = crowd.members()
    if client.shares:
        wrong += share_faults(members, ends, seen.produced)
    else:
        wrong += consumer_faults(members, ends, seen.produced, seen.samples)
    return seen, [*wrong, *crowd.deaths()]


def run(
    name: str,
    seconds: float,
    *,
    seed: int,
    session_ms: int = 0,
    libraries: Sequence[str] = (),
    keep: str | None = None,
) -> Outcome:
    """A group of one client on a cluster of its own. Raises Missing.

    `session_ms`: the session's length of the client and of the groups of the brokers, instead of
    what both have by default; `keep`: where all that was printed is copied to if anything is wrong.
    """
    client = CLIENTS[name]
    settings: dict[str, object] = {}
    if session_ms:
        for kind in ("group.consumer", "group.share"):
            heartbeat, session = f"{kind}.heartbeat.interval.ms", f"{kind}.session.timeout.ms"
            settings |= {heartbeat: session_ms // 4, session: session_ms}
            settings |= {
                f"{kind}.min.heartbeat.interval.ms": session_ms // 4,
                f"{kind}.min.session.timeout.ms": session_ms,
            }
    with tempfile.TemporaryDirectory() as folder:
        program = client.prepare(Path(folder) / "program", libraries)
        with _started(settings, Path(folder) / "nodes") as cluster:
            command = [*program, cluster.bootstrap_servers, _TOPIC, _GROUP]
            command += [client.protocol, str(session_ms)]
            with Crowd(command, Path(folder), random.Random(seed + 2)) as crowd:
                seen, wrong = trio.run(_run, cluster, client, crowd, seconds, seed)
                if wrong and keep:
                    shutil.copytree(folder, keep, dirs_exist_ok=True)
                return Outcome(_words(seen, crowd), wrong)


@contextmanager
def _started(settings: dict[str, object], directory: Path) -> Iterator[Cluster]:
    cluster = Cluster(nodes=3, settings=settings, directory=directory)
    try:
        cluster.start(_START_S)
        yield cluster
    finally:
        cluster.stop()


def _words(seen: Seen, crowd: Crowd) -> str:
    events = [event for member in crowd.members() for event in member.events]
    counts = {
        kind: sum(event.kind == kind for event in events)
        for kind in ("read", "got", "acked", "committed", "owns", "note")
    }
    return (
        f"{len(seen.produced):,} records acknowledged, {seen.failed} failed, {seen.kills} brokers"
        f" killed; members: {', '.join(f'{n} {kind}' for kind, n in sorted(crowd.faults.items()))};"
        f" lines: {', '.join(f'{n:,} {kind}' for kind, n in counts.items() if n)}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run each client that is named, or all; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="benchmarks.group_members", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=", ".join(CLIENTS))
    parser.add_argument("--seconds", type=float, default=30.0, help="of chaos")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--session-ms", type=int, default=0, help="instead of the defaults")
    parser.add_argument("--libraries", action="append", default=[], help="of Kafka's clients")
    parser.add_argument("--keep", help="where everything of a run that fails is copied to")
    options = parser.parse_args(argv)
    failed = 0
    for name in options.clients or CLIENTS:
        try:
            outcome = run(
                name,
                options.seconds,
                seed=options.seed,
                session_ms=options.session_ms,
                libraries=options.libraries,
                keep=options.keep,
            )
        except Missing as error:
            print(f"{name}: SKIPPED: {error}", flush=True)
            continue
        print(f"{name}, seed {options.seed}: {outcome.words}", flush=True)
        for words in outcome.wrong[:20]:
            print(f"  WRONG: {words}", flush=True)
        failed += bool(outcome.wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
