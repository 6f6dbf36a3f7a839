"""The cost of metrics: a scrape of a node with many partitions, and each request.

    python -m benchmarks.scrape                        10,000 partitions
    python -m benchmarks.scrape --partitions 1000
    python -m benchmarks.scrape --requests 15          CPU for each small request, with and without

One node. A scrape is measured by the node's CPU time, by the time until the text is there, and by
the longest wait of a client that asks for one small thing after the other meanwhile. `--requests`
runs two nodes in turns, one of them with metrics, so many seconds each time, under produce requests
of one small record: the median of the turns' ratios counts.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from benchmarks.cleaner import check, frame
from benchmarks.load import TICKS, run
from raftka.client.admin import Admin, NewTopic
from raftka.local_cluster import LocalCluster
from raftka.model.records import Record, encode_batch

_PORT: Final = re.compile(r"are for Prometheus on port (\d+)")
_PER_TOPIC: Final = 100
_TURNS: Final = 5


@dataclass(frozen=True, slots=True)
class Node:
    """A node that runs."""

    bootstrap: str
    port: int
    pid: int
    metrics_port: int
    """0 without metrics."""

    def cpu_s(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(each) for each in fields[11:13]) / TICKS

    def scrape(self) -> bytes:
        """Its metrics."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=60) as answer:
            text: bytes = answer.read()
        return text


@contextmanager
def node(with_metrics: bool) -> Iterator[Node]:
    settings = {"prometheus.metrics.reporter.listener": "http://127.0.0.1:0"}
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalCluster(directory, nodes=1, settings=settings if with_metrics else {}) as it,
    ):
        it.start(60)
        port = int(_PORT.findall(it.log(1))[-1]) if with_metrics else 0
        yield Node(it.bootstrap, it.ports[1], it.processes[1].pid, port)


def create(bootstrap: str, partitions: int) -> None:
    async def main() -> None:
        async with Admin({"bootstrap.servers": bootstrap}) as admin:
            for number in range(-(-partitions // _PER_TOPIC)):
                count = min(_PER_TOPIC, partitions - number * _PER_TOPIC)
                await admin.create_topics([NewTopic(f"topic-{number:04}", count, 1)])

    trio.run(main)


def scrapes(partitions: int, count: int) -> None:
    with node(True) as found:
        create(found.bootstrap, partitions)
        create_quick(found.bootstrap)
        hosted = f"\nkafka_server_replicamanager_partitioncount {partitions + 1}\n".encode()
        while hosted not in (text := found.scrape()):
            time.sleep(1)
        waits: list[float] = []
        began, cpu = time.monotonic(), found.cpu_s()
        for _ in range(count):
            at = time.monotonic()
            found.scrape()
            waits.append(time.monotonic() - at)
        cost = (found.cpu_s() - cpu) / count
        print(
            f"{partitions} partitions: {len(text) / 1e6:.1f} MB, {text.count(10)} lines;"
            f" {cost * 1e3:.0f} ms of the node's CPU for a scrape,"
            f" {statistics.median(waits) * 1e3:.0f} ms until the text is there"
            f" ({time.monotonic() - began:.1f} s for {count})",
            flush=True,
        )
        quiet = latencies(found, 3)
        stop = threading.Event()
        scraping = threading.Thread(target=keep_scraping, args=(found, stop))
        scraping.start()
        busy = latencies(found, 3)
        stop.set()
        scraping.join()
        for words, (p50, p99, most) in (("no scrape", quiet), ("scrapes without end", busy)):
            print(
                f"  requests meanwhile, {words:20} p50 {p50:6.0f} µs  p99 {p99:6.0f} µs"
                f"  longest {most:6.0f} µs",
                flush=True,
            )


def keep_scraping(found: Node, stop: threading.Event) -> None:
    while not stop.is_set():
        found.scrape()


def create_quick(bootstrap: str) -> None:
    async def main() -> None:
        async with Admin({"bootstrap.servers": bootstrap}) as admin:
            await admin.create_topics([NewTopic("quick", 1, 1)])

    trio.run(main)


def latencies(found: Node, seconds: float) -> tuple[float, float, float]:
    result = run(
        [("127.0.0.1", found.port)],
        frame("quick", encode_batch([Record(0, 0, None, b"v" * 100)])),
        connections=1,
        in_flight=1,
        seconds=seconds,
        pids=[found.pid],
        check=lambda answer: check("quick", answer),
        keep_latency=True,
    )
    return result.percentile_us(0.5), result.percentile_us(0.99), result.percentile_us(1.0)


def per_request(found: Node, seconds: float) -> float:
    """CPU µs of the node for each small produce request."""
    result = run(
        [("127.0.0.1", found.port)],
        frame("quick", encode_batch([Record(0, 0, None, b"v" * 100)])),
        connections=4,
        in_flight=8,
        seconds=seconds,
        pids=[found.pid],
        check=lambda answer: check("quick", answer),
    )
    return result.cpu_us


def requests(seconds: float) -> None:
    with ExitStack() as stack:
        pair = [stack.enter_context(node(each)) for each in (False, True)]
        for each in pair:
            create_quick(each.bootstrap)
        time.sleep(1)
        for each in pair:
            per_request(each, 2)
        ratios = []
        for turn in range(_TURNS):
            order = pair if turn % 2 == 0 else pair[::-1]
            costs = {each.pid: per_request(each, seconds / _TURNS) for each in order}
            without, with_them = (costs[each.pid] for each in pair)
            ratios.append(with_them / without)
            print(f"{without:.2f} µs CPU without, {with_them:.2f} µs with metrics", flush=True)
        print(f"median of the ratios: {statistics.median(ratios):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--partitions", type=int, default=10_000)
    parser.add_argument("--scrapes", type=int, default=10)
    parser.add_argument("--requests", type=float, default=0.0, metavar="SECONDS")
    options = parser.parse_args()
    if options.requests:
        requests(options.requests)
    else:
        scrapes(options.partitions, options.scrapes)


if __name__ == "__main__":
    main()
