"""The cost of the log: CPU of appends, reads, recovery and record walks, without network.

    python -m benchmarks.log_append [--directory DIR]

Each figure is the median of short rounds; "beyond the write" subtracts the cost of writing the same
bytes by `File.write` alone. Writes stay in the page cache.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable

from raftka.model.ids import TopicPartition, Uuid
from raftka.model.records import Record, encode_batch, iter_records
from raftka.storage.config import LogConfig
from raftka.storage.log import Log
from raftka.storage.posix import PosixDisk
from raftka.storage.recovery import open_log

NOW_MS = 1_700_000_000_000
ROUNDS = 9
TOPIC_ID = Uuid(bytes(16))
PARTITION = TopicPartition("bench", 0)


def new_log(directory: str, *, clean: bool = False) -> Log:
    log, report = open_log(
        PosixDisk(), directory, PARTITION, TOPIC_ID, LogConfig(), now_ms=NOW_MS, clean=clean
    )
    assert not report.messages
    return log


def per_call_us(count: int, prepare: Callable[[], Callable[[], None]]) -> float:
    """The median CPU µs of one of `count` calls that one round makes."""
    rounds = []
    for _ in range(ROUNDS):
        run = prepare()
        started = time.process_time()
        run()
        rounds.append((time.process_time() - started) / count * 1e6)
    return statistics.median(rounds)


def batches(count: int, value_bytes: int, producer_id: int, first: int) -> list[memoryview]:
    """One-record batches as they would lie in a receive buffer."""
    value = b"v" * value_bytes
    return [
        memoryview(
            bytearray(
                encode_batch(
                    [Record(0, NOW_MS, b"key", value)],
                    producer_id=producer_id,
                    producer_epoch=0,
                    base_sequence=first + number if producer_id >= 0 else -1,
                )
            )
        )
        for number in range(count)
    ]


def append_cost(log: Log, count: int, value_bytes: int, producer_id: int) -> tuple[float, float]:
    """(µs for an append, µs for its write alone)."""
    serial = 0

    def appending() -> Callable[[], None]:
        nonlocal serial
        given = batches(count, value_bytes, producer_id, serial)
        serial += count

        def run() -> None:
            append = log.append_as_leader
            for batch in given:
                append(batch, 0, NOW_MS)

        return run

    def writing() -> Callable[[], None]:
        given = batches(count, value_bytes, -1, 0)
        file, start = log.segments[-1].file, log.segments[-1].size

        def run() -> None:
            position = start
            for batch in given:
                position += file.write((batch,), position)
            file.truncate(start)

        return run

    return per_call_us(count, appending), per_call_us(count, writing)


def read_cost(log: Log, offset: Callable[[int], int], count: int = 5000) -> float:
    """µs for a read of up to 1 MB at the offsets that `offset` names."""
    end = log.log_end_offset

    def run() -> None:
        for number in range(count):
            log.read(offset(number), 1 << 20, end)

    return per_call_us(count, lambda: run)


def walk_cost(codec: str) -> float:
    """µs for one record of a batch of 1000."""
    records = [Record(0, NOW_MS + n, b"key-%d" % n, b"v" * 100) for n in range(1000)]
    batch = encode_batch(records, compression=codec)

    def run() -> None:
        for _ in iter_records(batch):
            pass

    return per_call_us(1000, lambda: run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--directory", help="where to put the log (default: a temporary one)")
    chosen = parser.parse_args().directory
    with tempfile.TemporaryDirectory(dir=chosen) as directory:
        log = new_log(f"{directory}/bench-0")
        print(f"{'append of one record':34} {'all':>9} {'write':>9} {'beyond the write':>17}")
        for name, size, count, producer_id in (
            ("100 B", 100, 5000, -1),
            ("100 B, idempotent", 100, 5000, 1),
            ("16 KB", 16 << 10, 500, -1),
            ("128 KB", 128 << 10, 60, -1),
        ):
            total, write = append_cost(log, count, size, producer_id)
            print(f"{name:34} {total:6.2f} µs {write:6.2f} µs {total - write:14.2f} µs", end="")
            print(f"   {total / size * 1e3:.2f} ms/MB" if size > 1000 else "")
        end = log.log_end_offset
        tail = read_cost(log, lambda number: end - 1 - number % 50)
        middle = read_cost(log, lambda number: number * 7919 % 90_000)
        print(f"{'plan a read at the end':34} {tail:6.2f} µs")
        print(f"{'plan a read anywhere':34} {middle:6.2f} µs")
        size_mb = log.size / 1e6
        log.close()
        started = time.process_time()
        log = new_log(f"{directory}/bench-0")
        scan_ms = (time.process_time() - started) * 1e3
        log.close()
        started = time.process_time()
        new_log(f"{directory}/bench-0", clean=True).close()
        clean_ms = (time.process_time() - started) * 1e3
        print(f"{'recovery scan':34} {scan_ms / size_mb:6.2f} ms/MB of {size_mb:.0f} MB")
        print(f"{'opening after a clean shutdown':34} {clean_ms:6.2f} ms")
        for codec in ("none", "lz4"):
            print(f"{f'reading a record, {codec}':34} {walk_cost(codec):6.2f} µs")


if __name__ == "__main__":
    main()
