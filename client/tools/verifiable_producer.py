"""kafka-verifiable-producer: sends numbers, and prints those that were acknowledged."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import trio

from raftka.client.config import PRODUCER
from raftka.client.producer import Producer, RecordMetadata
from raftka.client.tools.options import Options, require
from raftka.client.tools.running import run, words
from raftka.client.tools.verifiable import event, settings_from
from raftka.net.futures import Future

options = Options(
    "kafka-verifiable-producer",
    "This tool produces increasing integers to the specified topic and prints JSON metadata to"
    " stdout on each send request, making externally visible which messages have been acked and"
    " which have not.",
)
options.servers()
options.text("--topic", metavar="TOPIC", help="Where the numbers go.")
options.number("--max-messages", help="How many; -1 for no end (the default).")
options.number("--throughput", bits=64, help="About how many a second; -1 for no limit.")
options.text("--acks", metavar="ACKS", help="Sets acks: -1 (the default), 0 or 1.")
options.number(
    "--message-create-time", bits=64, help="The timestamp of the first, in ms; -1 for now."
)
options.number("--value-prefix", help="Before each number, with a dot.")
options.number("--repeating-keys", help="Keys are numbers from 0 on that begin again here.")
options.text("--producer.config", metavar="FILE", help="Older name of --command-config.")


class _Counts:
    """The counts of one run."""

    def __init__(self) -> None:
        self.sent = 0
        self.acked = 0
        self.began_s = trio.current_time()


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    require(found, "bootstrap-server", "topic")
    return found


def _settings(found: argparse.Namespace) -> dict[str, object]:
    # Kafka's tool of this name does not retry by itself: each attempt is visible.
    settings: dict[str, object] = {
        "client.id": "verifiable-producer",
        "retries": 0,
        "enable.idempotence": False,
    }
    settings |= settings_from(found, PRODUCER, "producer.config")
    settings["bootstrap.servers"] = found.bootstrap_server
    settings["acks"] = "-1" if found.acks is None else found.acks
    return settings


async def _work(found: argparse.Namespace) -> int:
    counts = _Counts()
    limit = -1 if found.throughput is None else found.throughput
    try:
        async with Producer(_settings(found)) as producer:
            event("startup_complete")
            await _send_all(producer, found, limit, counts)
    finally:
        event("shutdown_complete")
        seconds = max(trio.current_time() - counts.began_s, 1e-3)
        event(
            "tool_data",
            sent=counts.sent,
            acked=counts.acked,
            target_throughput=limit,
            avg_throughput=counts.acked / seconds,
        )
    return 0


async def _send_all(
    producer: Producer, found: argparse.Namespace, limit: int, counts: _Counts
) -> None:
    most = -1 if found.max_messages is None else found.max_messages
    first_ms = -1 if found.message_create_time is None else found.message_create_time
    prefix = "" if found.value_prefix is None else f"{found.value_prefix}."
    while most < 0 or counts.sent < most:
        number = counts.sent
        key = None if not found.repeating_keys else str(number % found.repeating_keys)
        value = f"{prefix}{number}"
        elapsed_s = trio.current_time() - counts.began_s
        future = await producer.send(
            found.topic,
            value.encode(),
            None if key is None else key.encode(),
            timestamp_ms=None if first_ms < 0 else first_ms + int(elapsed_s * 1000),
        )
        counts.sent += 1
        future.when_done(_Report(found.topic, key, value, counts))
        if limit == 0:
            await trio.sleep_forever()
        if limit > 0:
            await trio.sleep_until(counts.began_s + counts.sent / limit)
    await producer.flush()


class _Report:
    """Prints the outcome of one record."""

    def __init__(self, topic: str, key: str | None, value: str, counts: _Counts) -> None:
        self._topic = topic
        self._key = key
        self._value = value
        self._counts = counts

    def __call__(self, future: Future[RecordMetadata]) -> None:
        if isinstance(future.error, Exception):
            event(
                "producer_send_error",
                topic=self._topic,
                key=self._key,
                value=self._value,
                exception=type(future.error).__name__,
                message=words(future.error),
            )
            return
        self._counts.acked += 1
        sent = future.result()
        event(
            "producer_send_success",
            key=self._key,
            value=self._value,
            offset=sent.offset,
            topic=self._topic,
            partition=sent.partition,
        )
