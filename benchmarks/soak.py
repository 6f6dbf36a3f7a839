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
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from benchmarks.soak_load import (
    COMPACTED,
    PARTITIONS,
    Found,
    Plain,
    check,
    last_values,
    read_committed,
    transact,
    update,
)
from raftka import Admin, NewTopic
from raftka.testing import Cluster

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
class Sample:
    """Node 3 at one time."""

    minutes: float
    memory_mb: float
    descriptors: int
    files: int
    data_mb: float


async def chaos(cluster: Cluster, stop: trio.Event, found: Found, dice: random.Random) -> None:
    """One node after the other dies or is paused, and comes back before the next."""
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
            await trio.to_thread.run_sync(cluster.restart, node, 120.0)
        for topic, partitions in PARTITIONS.items():
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
    # Pages of files, the flight recorder's ring of 8 MB above all, fill up and are the kernel's.
    resident = next(line for line in status.splitlines() if line.startswith("RssAnon"))
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
    """Run the load and the chaos, then the last checks."""
    found, samples, dice = Found(), list[Sample](), random.Random(seed)
    servers: dict[str, object] = {"bootstrap.servers": cluster.bootstrap_servers}
    async with Admin(servers) as admin:
        await admin.create_topics(
            [
                NewTopic(name, count, 3, configs=_COMPACT if name == COMPACTED else _SMALL)
                for name, count in PARTITIONS.items()
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


def check_flat(found: Found, samples: Sequence[Sample]) -> None:
    """Report figures that grow from the second quarter to the last one."""
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
