"""How large the coordinators' topics are after a day of commits, in simulated time.

    python -m benchmarks.day_of_commits [--hours 24] [--groups 10] [--producers 2]

One partition of __consumer_offsets gets a commit of each group every second, and one of
__transaction_state the three records of a transaction of each producer; both have the settings with
which the cluster creates them. The deployed log and cleaner run on a clock without real waits; the
cleaner runs every `log.cleaner.backoff.ms`, here once a minute. Printed are each partition's
largest and final size, and the bytes written.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import trio

from raftka.broker.coordinators.group.records import offset_key, offset_value
from raftka.broker.coordinators.transaction.records import transaction_key, transaction_value
from raftka.broker.coordinators.transaction.state import State, Transaction
from raftka.model.ids import OFFSETS_TOPIC, TRANSACTION_TOPIC, TopicPartition, Uuid
from raftka.model.ports import Disk
from raftka.model.records import Record, encode_batch
from raftka.net.protocol.messages.offset_commit_value import OffsetCommitValue
from raftka.storage.cleaning.cleaner import Cleaner, CleanerConfig
from raftka.storage.config import LogConfig
from raftka.storage.log_manager import LogManager
from raftka.storage.posix import PosixDisk

START_MS = 1_700_000_000_000
SEGMENT_BYTES = 100 << 20
"""offsets.topic.segment.bytes and transaction.state.log.segment.bytes at their defaults."""
LOOK_EVERY_S = 60


class FastClock:
    """Time that passes only when the benchmark moves it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def wall_ms(self) -> int:
        return START_MS + int(self.now_s * 1000)

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def alarm(self) -> Any:
        raise NotImplementedError("nothing here waits for an alarm")

    def within(self, seconds: float) -> Any:
        raise NotImplementedError("nothing here has a deadline")


@dataclass
class Size:
    """Bytes of one partition."""

    written: int = 0
    largest: int = 0
    last: int = 0


def commits(groups: int, second: int, now_ms: int) -> list[Record]:
    """A commit of each group."""
    value = offset_value(
        OffsetCommitValue(offset=second, leader_epoch=0, metadata="", commit_timestamp=now_ms)
    )
    return [Record(0, now_ms, offset_key(f"group-{n}", "topic", 0), value) for n in range(groups)]


def transactions(producers: int, second: int, now_ms: int) -> list[Record]:
    """The records of each producer's transaction: ongoing, preparing to commit, complete."""
    found = []
    for number in range(producers):
        key = transaction_key(f"producer-{number}")
        one = Transaction(
            producer_id=number,
            producer_epoch=second % 30_000,
            timeout_ms=60_000,
            state=State.ONGOING,
            partitions=frozenset({TopicPartition("topic", n) for n in range(3)}),
            updated_ms=now_ms,
            started_ms=now_ms,
            client_version=2,
        )
        steps = (
            one,
            replace(one, state=State.PREPARE_COMMIT),
            replace(one, state=State.COMPLETE_COMMIT, partitions=frozenset()),
        )
        found += [Record(0, now_ms, key, transaction_value(each, 2)) for each in steps]
    return found


async def a_day(
    disk: Disk,
    directory: str,
    *,
    seconds: int,
    groups: int,
    producers: int,
    segment_bytes: int = SEGMENT_BYTES,
) -> dict[str, Size]:
    """The sizes of both partitions after so many seconds. Raises RuntimeError if the cleaner gave
    up on one.
    """
    clock = FastClock()
    config = LogConfig(cleanup_policy=("compact",), segment_bytes=segment_bytes)
    logs = LogManager(disk, [directory], clock, Random(0), defaults=config, take_locks=False)
    await logs.load()
    cleaner = Cleaner(logs, disk, clock)
    kinds: dict[str, Callable[[int, int], list[Record]]] = {
        OFFSETS_TOPIC: lambda second, now_ms: commits(groups, second, now_ms),
        TRANSACTION_TOPIC: lambda second, now_ms: transactions(producers, second, now_ms),
    }
    topics = {
        name: logs.create(TopicPartition(name, 0), Uuid(bytes([n] * 16)), config)
        for n, name in enumerate(kinds, 1)
    }
    sizes = {name: Size() for name in kinds}
    for second in range(seconds):
        now_ms = clock.wall_ms()
        for name, log in topics.items():
            batch = bytearray(encode_batch(kinds[name](second, now_ms)))
            log.append_as_leader(batch, 0, now_ms, from_client=False)
            size = sizes[name]
            size.written += len(batch)
            size.largest = max(size.largest, log.size)
        clock.now_s += 1
        if second % LOOK_EVERY_S == 0:
            await _clean(cleaner, logs)
    for name, log in topics.items():
        sizes[name].last = log.size
    for partition, state in cleaner.states.items():
        if state.uncleanable:
            raise RuntimeError(f"{partition} was given up: {state.uncleanable}")
    return sizes


async def _clean(cleaner: Cleaner, logs: LogManager) -> None:
    upper = {log.topic_partition: log.log_end_offset for log in logs}
    for said in await cleaner.clean_next(upper, lambda: CleanerConfig(120 << 20, 1e300)):
        if said.is_warning:
            raise RuntimeError(said.words)


def report(sizes: dict[str, Size]) -> Iterator[str]:
    for name, size in sizes.items():
        yield (
            f"{name}-0: {size.written / 1e6:.0f} MB were written, it had at most"
            f" {size.largest / 1e6:.1f} MB, and has {size.last / 1e6:.1f} MB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--groups", type=int, default=10)
    parser.add_argument("--producers", type=int, default=2)
    parser.add_argument("--segment-megabytes", type=int, default=SEGMENT_BYTES >> 20)
    options = parser.parse_args()

    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            sizes = await a_day(
                PosixDisk(),
                directory,
                seconds=options.hours * 3600,
                groups=options.groups,
                producers=options.producers,
                segment_bytes=options.segment_megabytes << 20,
            )
            print(*report(sizes), sep="\n", flush=True)

    trio.run(run)


if __name__ == "__main__":
    main()
