"""A long mixed load on three real processes while nodes die: is anything lost, does it grow?

    python -m benchmarks.soak              an hour; a verdict at its end, exit code 1 if bad
    python -m benchmarks.soak --minutes 5 --seed 7

Load: an idempotent producer (acks=all) with a group of two that reads it; transactions over three
partitions, a fifth of them aborted, with a read_committed reader; updates of a compacted topic.
Chaos: nodes 1 and 2 die by SIGKILL or SIGTERM and come back; node 3 is only suspended, so that
what grows in it shows. Retention and compaction run all the time.

Checked: records of a partition come in order and without a gap, each committed transaction is in
all three partitions once and no aborted one in any, the last value of each key is not older than
the last that was acknowledged; the memory, descriptors and files of node 3 stay flat.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from raftka import Admin, Consumer, MustAbort, MustRetry, NewTopic, Producer, TopicPartition
from raftka.model.errors import KafkaError
from raftka.testing import Cluster

PLAIN: Final = "soak-plain"
TRANSACTIONS: Final = "soak-transactions"
COMPACTED: Final = "soak-compacted"
_PARTITIONS: Final = {PLAIN: 6, TRANSACTIONS: 3, COMPACTED: 1}
_KEYS: Final = 100
_PAUSE_S: Final = 0.005
"""Between two records of a producer: a load that leaves the machine to others."""
_STEADY: Final = 3
"""The node that is never killed."""
_SMALL: Final = {
    "min.insync.replicas": "2",
    "retention.bytes": str(4 << 20),
    "segment.bytes": str(1 << 20),
}
_COMPACT: Final = {
    "min.insync.replicas": "2",
    "cleanup.policy": "compact",
    "segment.bytes": str(1 << 20),
    "segment.ms": "20000",
    "min.cleanable.dirty.ratio": "0.1",
    "delete.retention.ms": "1000",
}
_SETTINGS: Final = {
    "log.retention.check.interval.ms": 5_000,
    "log.cleaner.backoff.ms": 2_000,
    "log.segment.delete.delay.ms": 1_000,
    "offsets.topic.segment.bytes": 1 << 20,
    "transaction.state.log.segment.bytes": 1 << 20,
}


@dataclass
class Found:
    """What the load saw."""

    acknowledged: int = 0
    read: int = 0
    again: int = 0
    failed: int = 0
    committed: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    """Transactions whose end is not known."""
    aborted: int = 0
    updates: dict[bytes, int] = field(default_factory=dict)
    """By key, the last value that was acknowledged."""
    kills: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seen: list[dict[int, int]] = field(default_factory=lambda: [{}, {}, {}])
    """By partition, how often each transaction's record was read."""

    def complain(self, words: str) -> None:
        if len(self.wrong) < 20:
            self.wrong.append(words)
            print(f"WRONG: {words}", flush=True)


@dataclass
class Sample:
    """Node 3 at one moment."""

    minutes: float
    memory_mb: float
    descriptors: int
    files: int
    data_mb: float


class Plain:
    """The records of the idempotent producer: each partition's are numbered."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._failed: set[tuple[int, int]] = set()
        self._next = [0] * _PARTITIONS[PLAIN]
        self._position = [0] * _PARTITIONS[PLAIN]

    async def produce(self, servers: dict[str, object], stop: trio.Event) -> None:
        sent = [0] * _PARTITIONS[PLAIN]
        async with Producer(servers) as producer, trio.open_nursery() as nursery:
            while not stop.is_set():
                for partition in range(_PARTITIONS[PLAIN]):
                    number, sent[partition] = sent[partition], sent[partition] + 1
                    value = b"%d %s" % (number, b"x" * 300)
                    try:
                        future = await producer.send(PLAIN, value, partition=partition)
                    except KafkaError as error:
                        self._lost(partition, number, error)
                        continue
                    nursery.start_soon(self._settled, future, partition, number)
                await trio.sleep(_PAUSE_S)

    async def _settled(self, future: object, partition: int, number: int) -> None:
        try:
            await future  # type: ignore[misc]
        except KafkaError as error:
            self._lost(partition, number, error)
        else:
            self._found.acknowledged += 1

    def _lost(self, partition: int, number: int, error: KafkaError) -> None:
        self._found.failed += 1
        self._failed.add((partition, number))
        print(f"record {number} of {PLAIN}-{partition} failed: {error}", flush=True)

    async def read(self, servers: dict[str, object], stop: trio.Event) -> None:
        settings = {
            **servers,
            "group.id": "soak",
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6_000,
        }
        async with Consumer(settings) as consumer:
            consumer.subscribe([PLAIN])
            while not stop.is_set():
                for record in await consumer.poll(0.2):
                    number = int((record.value or b"").split(b" ")[0])
                    self._check(record.partition, record.offset, number)

    def _check(self, partition: int, offset: int, number: int) -> None:
        if offset < self._position[partition]:
            self._found.again += 1  # After a rebalance, from what was committed.
            return
        if offset > self._position[partition]:
            at = self._position[partition]
            self._found.complain(f"{PLAIN}-{partition} goes on at {offset}, not at {at}")
        expected = self._next[partition]
        while expected < number and (partition, expected) in self._failed:
            expected += 1
        if number != expected:
            self._found.complain(
                f"{PLAIN}-{partition} has record {number} at offset {offset}, not {expected}"
            )
        self._position[partition], self._next[partition] = offset + 1, number + 1
        self._found.read += 1


async def transact(
    servers: dict[str, object], stop: trio.Event, found: Found, dice: random.Random
) -> None:
    """Transactions of one record in each of three partitions; a fifth is aborted."""
    number = 0
    async with Producer({**servers, "transactional.id": "soak"}) as producer:
        await producer.init_transactions()
        while not stop.is_set():
            number += 1
            gives_up = dice.random() < 0.2
            found.unsure.add(number)
            try:
                async with producer.transaction():
                    for partition in range(_PARTITIONS[TRANSACTIONS]):
                        await producer.send(TRANSACTIONS, b"%d" % number, partition=partition)
                    if gives_up:
                        raise _GivesUp
            except _GivesUp:
                found.aborted += 1
                found.unsure.discard(number)
            except MustRetry:
                await producer.commit_transaction()
                found.committed.add(number)
            except MustAbort:
                found.aborted += 1
                found.unsure.discard(number)
            else:
                found.committed.add(number)
            found.unsure -= found.committed
            await trio.sleep(10 * _PAUSE_S)


class _GivesUp(Exception):
    pass


async def read_committed(servers: dict[str, object], stop: trio.Event, found: Found) -> None:
    """Count what a reader of committed records sees of each transaction."""
    settings = {
        **servers,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
    }
    async with Consumer(settings) as consumer:
        consumer.assign([TopicPartition(TRANSACTIONS, p) for p in range(3)])
        while not stop.is_set():
            for record in await consumer.poll(0.2):
                counts = found.seen[record.partition]
                number = int(record.value or b"0")
                counts[number] = counts.get(number, 0) + 1


async def update(
    servers: dict[str, object], stop: trio.Event, found: Found, dice: random.Random
) -> None:
    """New values for some keys of the compacted topic, one at a time."""
    number = 0
    async with Producer(servers) as producer:
        while not stop.is_set():
            number += 1
            key = b"key-%d" % dice.randrange(_KEYS)
            try:
                await (await producer.send(COMPACTED, b"%d" % number, key))
            except KafkaError as error:
                found.failed += 1
                print(f"update {number} failed: {error}", flush=True)
            else:
                found.updates[key] = number
            await trio.sleep(_PAUSE_S)


async def last_values(servers: dict[str, object]) -> dict[bytes, int]:
    """The compacted topic, read to its end."""
    values: dict[bytes, int] = {}
    async with Consumer({**servers, "auto.offset.reset": "earliest"}) as consumer:
        consumer.assign([TopicPartition(COMPACTED, 0)])
        quiet = 0
        while quiet < 5:
            records = await consumer.poll(0.5)
            quiet = 0 if records else quiet + 1
            for record in records:
                values[record.key or b""] = int(record.value or b"0")
    return values


async def chaos(cluster: Cluster, stop: trio.Event, found: Found, dice: random.Random) -> None:
    """One node after the other dies or stands still, and comes back before the next."""
    while not stop.is_set():
        with trio.move_on_after(dice.uniform(10, 30)):
            await stop.wait()
            return
        node = dice.choice((1, 2, _STEADY))
        how = "SIGSTOP" if node == _STEADY else dice.choice(("SIGKILL", "SIGKILL", "SIGTERM"))
        found.kills.append(f"{how} {node}")
        away_s = dice.uniform(0.5, 5)
        if how == "SIGSTOP":
            cluster.pause(node)
            await trio.sleep(away_s)
            cluster.resume(node)
        else:
            end = cluster.kill if how == "SIGKILL" else cluster.stop_node
            await trio.to_thread.run_sync(end, node)
            await trio.sleep(away_s)
            await trio.to_thread.run_sync(cluster.restart, node)
        for topic, partitions in _PARTITIONS.items():
            for partition in range(partitions):
                await trio.to_thread.run_sync(cluster.wait_for_isr, topic, partition, 3, 60.0)


async def watch(cluster: Cluster, stop: trio.Event, found: Found, samples: list[Sample]) -> None:
    """Samples of node 3, and a line each minute."""
    begun = trio.current_time()
    while not stop.is_set():
        minutes = (trio.current_time() - begun) / 60
        samples.append(sample(cluster, minutes))
        now = samples[-1]
        print(
            f"{minutes:5.1f} min: {found.acknowledged:,} acknowledged, {found.read:,} read,"
            f" {len(found.committed):,} transactions, {len(found.updates)} keys,"
            f" {len(found.kills)} faults; node {_STEADY}: {now.memory_mb:.1f} MB,"
            f" {now.descriptors} descriptors, {now.files} files, {now.data_mb:.0f} MB of data",
            flush=True,
        )
        with trio.move_on_after(20):
            await stop.wait()


def sample(cluster: Cluster, minutes: float) -> Sample:
    """What node 3 uses; from /proc."""
    process = Path(f"/proc/{cluster.processes[_STEADY].pid}")
    status = (process / "status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    sizes = list(_sizes(cluster.data(_STEADY)))
    return Sample(
        minutes,
        int(resident.split()[1]) / 1024,
        len(os.listdir(process / "fd")),
        len(sizes),
        sum(sizes) / (1 << 20),
    )


def _sizes(folder: Path) -> Iterator[int]:
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                # Indexes are preallocated: what counts is what they take of the disk.
                yield os.stat(os.path.join(root, name)).st_blocks * 512
            except FileNotFoundError:
                continue


async def run(cluster: Cluster, seconds: float, seed: int) -> tuple[Found, list[Sample]]:
    """The load and the chaos, then the last look."""
    found, samples, dice = Found(), list[Sample](), random.Random(seed)
    servers: dict[str, object] = {"bootstrap.servers": cluster.bootstrap_servers}
    async with Admin(servers) as admin:
        await admin.create_topics(
            [
                NewTopic(name, count, 3, configs=_COMPACT if name == COMPACTED else _SMALL)
                for name, count in _PARTITIONS.items()
            ]
        )
    plain, ends, drained = Plain(found), trio.Event(), trio.Event()
    async with trio.open_nursery() as readers:
        for _ in range(2):
            readers.start_soon(plain.read, servers, drained)
        readers.start_soon(read_committed, servers, drained, found)
        async with trio.open_nursery() as load:
            load.start_soon(plain.produce, servers, ends)
            load.start_soon(transact, servers, ends, found, random.Random(seed + 1))
            load.start_soon(update, servers, ends, found, random.Random(seed + 2))
            load.start_soon(chaos, cluster, ends, found, dice)
            load.start_soon(watch, cluster, ends, found, samples)
            await trio.sleep(seconds)
            ends.set()
        with trio.move_on_after(60):
            while found.read < found.acknowledged or not _all_seen(found):  # noqa: ASYNC110
                await trio.sleep(0.2)
        drained.set()
    check(found, await last_values(servers))
    check_flat(found, samples)
    return found, samples


def _all_seen(found: Found) -> bool:
    return all(found.committed <= counts.keys() for counts in found.seen)


def check(found: Found, last: dict[bytes, int]) -> None:
    """Complain about what is missing, twice, or not to be seen at all."""
    if found.read < found.acknowledged:
        found.complain(f"{found.acknowledged - found.read} acknowledged records were never read")
    for partition, counts in enumerate(found.seen):
        where = f"{TRANSACTIONS}-{partition}"
        if missing := found.committed - counts.keys():
            found.complain(f"{where} lacks {len(missing)} committed: {sorted(missing)[:5]}")
        if extra := counts.keys() - found.committed - found.unsure:
            found.complain(f"{where} shows {len(extra)} aborted: {sorted(extra)[:5]}")
        if twice := [number for number, count in counts.items() if count > 1]:
            found.complain(f"{where} has {len(twice)} twice: {twice[:5]}")
    for key, number in found.updates.items():
        if last.get(key, 0) < number:
            found.complain(f"{key.decode()} is {last.get(key)}; {number} was acknowledged")


def check_flat(found: Found, samples: Sequence[Sample]) -> None:
    """Complain about what grows from the second quarter to the last one."""
    quarter = len(samples) // 4
    if quarter < 3:
        return
    for name, allowed in (("memory_mb", 1.1), ("descriptors", 1.2), ("files", 1.2)):
        early = statistics.median(getattr(s, name) for s in samples[quarter : 2 * quarter])
        late = statistics.median(getattr(s, name) for s in samples[-quarter:])
        if late > early * allowed:
            found.complain(f"{name} of node {_STEADY} grew from {early:.0f} to {late:.0f}")


def main(argv: Sequence[str]) -> int:
    """Run it; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--json", metavar="FILE", help="write the samples there")
    options = parser.parse_args(argv)
    print(f"seed {options.seed}, {options.minutes:g} minutes", flush=True)
    with Cluster(nodes=3, settings=_SETTINGS) as cluster:
        found, samples = trio.run(run, cluster, options.minutes * 60, options.seed)
    if options.json:
        Path(options.json).write_text(json.dumps([vars(each) for each in samples]))
    kinds = {how: sum(how in kill for kill in found.kills) for how in ("KILL", "TERM", "STOP")}
    print(
        f"{found.acknowledged:,} records acknowledged and {found.read:,} read"
        f" ({found.again:,} again after rebalances, {found.failed} sends failed);"
        f" {len(found.committed):,} transactions committed, {found.aborted:,} aborted,"
        f" {len(found.unsure)} without a known end;"
        f" faults: {', '.join(f'{count} SIG{how}' for how, count in kinds.items())}"
    )
    print("FAILED: " + "; ".join(found.wrong) if found.wrong else "PASSED: nothing lost, all flat")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
