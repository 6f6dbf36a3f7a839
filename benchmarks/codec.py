"""The cost of the codec: CPU µs per message, medians, with kio's where it is installed.

    python -m benchmarks.codec [--rounds N]

On a noisy machine the minimum and the median of many short rounds are stable.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from raftka.net.protocol import codec
from raftka.net.protocol.fetch_writer import FetchedPartition, write_fetch_response
from raftka.net.protocol.messages.fetch import (
    FetchableTopicResponse,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
)
from raftka.net.protocol.messages.metadata import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)

BATCH = bytes(16 * 1024)


class Case(NamedTuple):
    name: str
    ours: Callable[[], object]
    theirs: Callable[[], object] | None = None
    """The same work by kio."""


def measure(function: Callable[[], object], rounds: int) -> tuple[float, float]:
    """(least, median) CPU µs of a call; rounds of about 2 ms."""
    for _ in range(3):
        function()
    start = time.process_time_ns()
    function()
    once = max(200, time.process_time_ns() - start)
    calls = max(1, 2_000_000 // once)
    results = []
    for _ in range(rounds):
        start = time.process_time_ns()
        for _ in range(calls):
            function()
        results.append((time.process_time_ns() - start) / calls / 1000)
    return min(results), statistics.median(results)


def joined(pieces: Any) -> bytes:
    return b"".join(pieces)


def kio_reader(api: str, version: int, body: bytes) -> Callable[[], object] | None:
    """kio reading the same bytes; None when it is not installed."""
    try:
        serial = import_module("kio.serial")
    except ImportError:
        return None
    module = import_module(f"kio.schema.{api}.v{version}.request")
    name = "ProduceRequest" if api == "produce" else "FetchRequest"
    read = serial.entity_reader(getattr(module, name))
    return lambda: read(body, 0)


def kio_produce_writer() -> Callable[[], object] | None:
    """kio building and writing the answer to one partition."""
    try:
        serial = import_module("kio.serial")
    except ImportError:
        return None
    m = import_module("kio.schema.produce.v9.response")
    errors = import_module("kio.schema.errors")
    write = serial.entity_writer(m.ProduceResponse)

    def run() -> object:
        partition = m.PartitionProduceResponse(
            index=3, error_code=errors.ErrorCode.none, base_offset=1 << 33, record_errors=()
        )
        topic = m.TopicProduceResponse(name="weblogs", partition_responses=(partition,))
        buffer = io.BytesIO()
        write(buffer, m.ProduceResponse(responses=(topic,)))
        return buffer.getvalue()

    return run


def produce_request(partitions: int) -> bytes:
    data = [PartitionProduceData(index=i, records=BATCH) for i in range(partitions)]
    topics = [TopicProduceData(name="weblogs", partition_data=data)]
    return joined(codec.encode(ProduceRequest(acks=-1, timeout=30_000, topic_data=topics), 9))


def produce_parse(partitions: int) -> Case:
    body = produce_request(partitions)
    view = memoryview(bytearray(body))
    return Case(
        f"parse ProduceRequest v9, {partitions} x 16 KB",
        lambda: codec.decode(ProduceRequest, 9, view),
        kio_reader("produce", 9, body),
    )


def fetch_parse(partitions: int) -> Case:
    parts = [
        FetchPartition(partition=i, fetch_offset=i << 20, partition_max_bytes=1 << 20)
        for i in range(partitions)
    ]
    request = FetchRequest(max_wait=500, topics=[FetchTopic(topic="weblogs", partitions=parts)])
    body = joined(codec.encode(request, 12))
    view = memoryview(bytearray(body))
    return Case(
        f"parse FetchRequest v12, {partitions} partitions",
        lambda: codec.decode(FetchRequest, 12, view),
        kio_reader("fetch", 12, body),
    )


def produce_answer() -> Case:
    def run() -> object:
        partition = PartitionProduceResponse(index=3, base_offset=1 << 33)
        topic = TopicProduceResponse(name="weblogs", partition_responses=[partition])
        return codec.encode_response(ProduceResponse(responses=[topic]), 9, 7)

    return Case("ProduceResponse v9, 1 partition, build + encode", run, kio_produce_writer())


def fetch_answer(partitions: int) -> Case:
    def run() -> object:
        parts = [
            PartitionData(partition_index=i, high_watermark=1 << 33, records=BATCH)
            for i in range(partitions)
        ]
        topic = FetchableTopicResponse(topic="weblogs", partitions=parts)
        return codec.encode_response(FetchResponse(responses=[topic]), 12, 7)

    return Case(f"FetchResponse v12, {partitions} x 16 KB, build + encode", run)


def fetch_written(partitions: int) -> Case:
    def run() -> object:
        parts = [
            FetchedPartition(i, 0, 1 << 33, 1 << 33, 0, [BATCH], len(BATCH))
            for i in range(partitions)
        ]
        return write_fetch_response(12, 7, [("weblogs", parts)])

    return Case(f"FetchResponse v12, {partitions} x 16 KB, by hand", run)


def fetch_read(partitions: int) -> Case:
    parts = [
        PartitionData(partition_index=i, high_watermark=1 << 33, records=BATCH)
        for i in range(partitions)
    ]
    topic = FetchableTopicResponse(topic="weblogs", partitions=parts)
    body = joined(codec.encode(FetchResponse(responses=[topic]), 12))
    view = memoryview(bytearray(body))
    return Case(
        f"parse FetchResponse v12, {partitions} x 16 KB",
        lambda: codec.decode(FetchResponse, 12, view),
    )


def header_parse() -> Case:
    frame = memoryview(bytearray(joined(codec.encode_request(FetchRequest(), 12, 7, "rdkafka"))))
    frame = frame[4:]
    return Case("parse request header", lambda: codec.decode_request_header(frame))


def metadata_answer(partitions: int) -> Case:
    def run() -> object:
        parts = [
            MetadataResponsePartition(
                partition_index=i,
                leader_id=i % 3,
                leader_epoch=4,
                replica_nodes=[0, 1, 2],
                isr_nodes=[0, 1, 2],
            )
            for i in range(partitions)
        ]
        return codec.encode_response(
            MetadataResponse(
                brokers=[MetadataResponseBroker(node_id=i, host="h", port=9092) for i in range(3)],
                topics=[MetadataResponseTopic(name="weblogs", partitions=parts)],
            ),
            12,
            7,
        )

    return Case(f"MetadataResponse v12, {partitions} partitions, build + encode", run)


def cases() -> list[Case]:
    return [
        header_parse(),
        produce_parse(1),
        produce_parse(50),
        fetch_parse(1),
        fetch_parse(50),
        produce_answer(),
        fetch_answer(50),
        fetch_written(1),
        fetch_written(50),
        fetch_read(50),
        metadata_answer(1000),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    print(f"{'CPU µs per message':52} {'least':>8} {'median':>8} {'kio':>8}")
    for case in cases():
        least, median = measure(case.ours, rounds)
        kio = "-" if case.theirs is None else f"{measure(case.theirs, rounds)[1]:.2f}"
        print(f"{case.name:52} {least:8.2f} {median:8.2f} {kio:>8}")


if __name__ == "__main__":
    main()
