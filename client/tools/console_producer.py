"""kafka-console-producer: every line of standard input becomes a record."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import trio

from raftka.client.config import PRODUCER
from raftka.client.producer import Producer, RecordMetadata
from raftka.client.tools.line_reader import LineReader
from raftka.client.tools.options import (
    Options,
    ToolError,
    UsageError,
    known_settings,
    parse_pairs,
    read_properties,
    require,
)
from raftka.client.tools.running import run, words
from raftka.net.futures import Future

_CHUNK_BYTES = 64 * 1024
_READERS = ("org.apache.kafka.tools.LineMessageReader", "LineMessageReader")

options = Options(
    "kafka-console-producer",
    "This tool helps to read data from standard input and publish it to Kafka.",
)
options.servers()
options.text("--topic", metavar="TOPIC", help="The topic to write to.")
options.many("--command-property", metavar="NAME=VALUE", help="A setting of the producer.")
options.many("--producer-property", metavar="NAME=VALUE", help="Older name of --command-property.")
options.text("--producer.config", metavar="FILE", help="Older name of --command-config.")
options.many("--reader-property", metavar="NAME=VALUE", help="How lines are read; see below.")
options.many("--property", metavar="NAME=VALUE", help="Older name of --reader-property.")
options.text("--reader-config", metavar="FILE", help="A file of reader properties.")
options.text("--line-reader", metavar="CLASS", help="How lines are read: LineMessageReader.")
options.flag("--sync", help="Wait for each record before reading the next line.")
options.add_argument(
    "--compression-codec",
    nargs="?",
    const="gzip",
    metavar="CODEC",
    help="none, gzip, snappy, lz4 or zstd; gzip when no name follows.",
)
_SETTINGS = {
    "batch_size": "batch.size",
    "max_partition_memory_bytes": "batch.size",
    "timeout": "linger.ms",
    "message_send_max_retries": "retries",
    "retry_backoff_ms": "retry.backoff.ms",
    "request_timeout_ms": "request.timeout.ms",
    "metadata_expiry_ms": "metadata.max.age.ms",
    "max_block_ms": "max.block.ms",
    "max_memory_bytes": "buffer.memory",
}
for _option, _setting in _SETTINGS.items():
    options.number("--" + _option.replace("_", "-"), help=f"Sets {_setting}.")
options.text("--request-required-acks", metavar="ACKS", help="Sets acks: all, -1, 0 or 1.")
options.number("--socket-buffer-size", help="Accepted, and left to the system.")
options.epilog = """\
reader properties and their defaults:
  parse.key=false  parse.headers=false  ignore.error=false  key.separator=\\t
  headers.delimiter=\\t  headers.separator=,  headers.key.separator=:  null.marker=
A line is headers, then key, then value: "h1:v1,h2:v2<tab>key<tab>value"."""


@dataclass(frozen=True, slots=True)
class _Job:
    topic: str
    reader: LineReader
    settings: dict[str, object]
    sync: bool


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work)


def _read(argv: Sequence[str]) -> _Job:
    found = options.read(argv)
    require(found, "bootstrap-server", "topic")
    if found.line_reader and found.line_reader not in _READERS:
        raise UsageError(f"--line-reader {found.line_reader}: only LineMessageReader is known")
    reader = read_properties(found.reader_config)
    reader |= parse_pairs(found.property + found.reader_property, "--reader-property")
    return _Job(found.topic, LineReader.from_properties(reader), _settings(found), found.sync)


def _settings(found: argparse.Namespace) -> dict[str, object]:
    """The settings: options win over properties, these over files, these over defaults."""
    given = read_properties(found.__dict__["producer.config"])
    given |= read_properties(found.command_config)
    given |= parse_pairs(found.producer_property, "--producer-property")
    given |= parse_pairs(found.command_property, "--command-property")
    settings: dict[str, object] = {"client.id": "console-producer"}
    settings |= known_settings(PRODUCER, given)
    for option, setting in _SETTINGS.items():
        value = getattr(found, option)
        if value is not None:
            settings[setting] = value
    if found.compression_codec:
        settings["compression.type"] = found.compression_codec
    if found.request_required_acks:
        settings["acks"] = found.request_required_acks
    settings["bootstrap.servers"] = found.bootstrap_server
    return settings


async def _work(job: _Job) -> int:
    failures = 0

    def report(future: Future[RecordMetadata]) -> None:
        nonlocal failures
        if isinstance(future.error, Exception):
            failures += 1
            print(
                f"Error when sending a message to topic {job.topic}: {words(future.error)}",
                file=sys.stderr,
            )

    problem: ToolError | None = None
    async with Producer(job.settings) as producer, aclosing(_lines()) as lines:
        number = 0
        async for text in lines:
            number += 1
            try:
                line = job.reader.parse(text, number)
            except ToolError as error:
                # The lines before it are still sent.
                problem = error
                break
            future = await producer.send(job.topic, line.value, line.key, headers=line.headers)
            future.when_done(report)
            if job.sync:
                await future.wait()
    if problem is not None:
        raise problem
    return 1 if failures else 0


async def _lines() -> AsyncGenerator[str, None]:
    """The lines of standard input, as they come, with a prompt on a terminal."""
    prompt = sys.stdin.isatty() and sys.stdout.isatty()
    rest = b""
    while True:
        if prompt:
            print(">", end="", flush=True)
        chunk = await trio.to_thread.run_sync(
            os.read, sys.stdin.fileno(), _CHUNK_BYTES, abandon_on_cancel=True
        )
        if not chunk:
            break
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8", "surrogateescape")
    if rest:
        yield rest.decode("utf-8", "surrogateescape")
