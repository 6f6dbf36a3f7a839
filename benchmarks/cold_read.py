"""The cost of a consumer of cold log for producers: their p99 without and with it, in turns.

    python -m benchmarks.cold_read --gigabytes 10
    python -m benchmarks.cold_read --gigabytes 2 --rate 500 --rounds 4 --directory /some/disk

A log is written, flushed and dropped from the page cache. An open loop (benchmarks/open_loop.py)
produces one-record requests with acks=1 to another partition; in every second round a process of
its own reads the log from the disk meanwhile, as fast as it comes, from where it was before.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import trio

from benchmarks.broker import batch, check_fetch, check_produce, produce_frame
from benchmarks.load import run
from benchmarks.open_loop import run_open
from raftka.client.admin import Admin, NewTopic
from raftka.local_cluster import LocalCluster
from raftka.net.protocol import codec
from raftka.net.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic

TOPIC: Final = "bench"
COLD: Final = "cold"
_BATCH_BYTES: Final = 900 << 10
_RECORDS: Final = _BATCH_BYTES // 1024
"""The size of a batch, as in benchmarks.broker."""


def read(port: int, first: int, end: int) -> None:
    """Read the cold topic's records from `first` on until killed; prints the bytes as they come."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        offset = first
        while True:
            request = FetchRequest(
                max_wait=500,
                min_bytes=1,
                max_bytes=1 << 20,
                topics=[
                    FetchTopic(
                        topic=COLD,
                        partitions=[
                            FetchPartition(
                                partition=0, fetch_offset=offset, partition_max_bytes=1 << 20
                            )
                        ],
                    )
                ],
            )
            pieces = codec.encode_request(request, 11, 1, "reader")
            connection.sendall(b"".join(pieces))  # type: ignore[arg-type]  # no file regions
            (size,) = struct.unpack(">i", _exactly(connection, 4))
            check_fetch(struct.pack(">i", size) + _exactly(connection, size))
            offset += _RECORDS
            if offset >= end:
                offset = 0
            print(offset, size, flush=True)


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        data = connection.recv(min(1 << 20, size - len(found)))
        if not data:
            raise ConnectionError("the broker closed the connection")
        found += data
    return bytes(found)


def forget(directory: Path) -> int:
    """Drop the log's pages from memory; the bytes that its files have."""
    os.sync()
    total = 0
    for path in directory.rglob(f"{COLD}-0/*.log"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            total += path.stat().st_size
    return total


async def _create(bootstrap: str) -> None:
    async with Admin({"bootstrap.servers": bootstrap}) as admin:
        # The records are of 1970.
        kept = NewTopic(COLD, 1, 1, configs={"retention.ms": "-1"})
        await admin.create_topics([NewTopic(TOPIC, 1, 1), kept])


def fill(endpoint: tuple[str, int], pid: int, gigabytes: float) -> int:
    """Write the cold log; the records that it has."""
    frame = produce_frame(batch(_BATCH_BYTES), 1, COLD)
    written = 0.0
    records = 0
    while written < gigabytes * 1e9:
        result = run(
            [endpoint],
            frame,
            connections=1,
            in_flight=2,
            seconds=1.0,
            pids=[pid],
            check=partial(check_produce, topic=COLD),
        )
        written += result.requests * _BATCH_BYTES
        records += result.requests * _RECORDS
    return records


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    with (
        tempfile.TemporaryDirectory(dir=options.directory) as directory,
        LocalCluster(directory, nodes=1) as cluster,
    ):
        cluster.start(60)
        trio.run(_create, cluster.bootstrap)
        time.sleep(1)
        host, _, port = urllib.parse.urlsplit(f"//{cluster.bootstrap}").netloc.rpartition(":")
        endpoint = host, int(port)
        records = fill(endpoint, cluster.processes[1].pid, options.gigabytes)
        time.sleep(1)
        size = forget(Path(directory))
        print(f"{size / 1e9:.1f} GB of cold log; {options.rate:g} requests a second", flush=True)
        p99: dict[bool, list[float]] = {False: [], True: []}
        place = 0
        for number in range(2 * options.rounds):
            reads = number % 2 == 1
            reader = None
            if reads:
                forget(Path(directory))
                command = [sys.executable, "-m", "benchmarks.cold_read", "--reader"]
                command += [port, str(place), str(records)]
                reader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                assert reader.stdout is not None
                reader.stdout.readline()  # It has begun.
            found = run_open(
                endpoint,
                produce_frame(batch(100), 1),
                rate=options.rate,
                connections=8,
                seconds=options.seconds,
                check=check_produce,
            )
            words = ""
            if reader is not None:
                reader.kill()
                lines = (reader.communicate()[0] or "").split("\n")[:-1]
                moved = sum(int(line.split()[1]) for line in lines)
                place = int(lines[-1].split()[0]) if lines else place
                words = f", {moved / options.seconds / 1e6:,.0f} MB/s read"
            p99[reads].append(found.percentile_ms(0.99))
            print(
                f"{'with' if reads else 'without'} a reader: p50 {found.percentile_ms(0.5):.2f},"
                f" p99 {found.percentile_ms(0.99):.2f}, p99.9 {found.percentile_ms(0.999):.2f} ms,"
                f" sent late by {found.late_ms(0.99):.2f} ms at most in 99 %{words}",
                flush=True,
            )
        without, with_one = (statistics.median(p99[reads]) for reads in (False, True))
        print(f"median p99: {without:.2f} ms without, {with_one:.2f} ms with a reader")
    return 0 if with_one <= 1.5 * without else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=2.0, help="of cold log")
    parser.add_argument("--rate", type=float, default=500.0, help="one-record requests a second")
    parser.add_argument("--rounds", type=int, default=3, help="of each kind")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round")
    parser.add_argument("--directory", help="where the node keeps its data")
    return parser


if __name__ == "__main__":
    if sys.argv[1:2] == ["--reader"]:
        read(*map(int, sys.argv[2:5]))
    else:
        sys.exit(main())
