"""Sends the batches of tests/support/raw_batches.py to a broker and prints where it differs.

    python -m tests.wire.ask_batches HOST:PORT [SETTING=VALUE of the topic ...]

The table was made this way from Apache Kafka, and its next version can be.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

import trio

from raftka.client.admin import Admin, NewTopic
from raftka.net.protocol import codec
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from tests.support.raw_batches import CASES, STRICTER
from tests.support.wire import joined

_VERSION = 9


def ask(connection: socket.socket, topic: str, batch: bytes) -> PartitionProduceResponse:
    """The broker's answer to a produce request with that batch."""
    data = TopicProduceData(
        name=topic, partition_data=[PartitionProduceData(index=0, records=batch)]
    )
    request = ProduceRequest(acks=-1, timeout=10_000, topic_data=[data])
    connection.sendall(joined(codec.encode_request(request, _VERSION, 1, "ask")))
    stream = connection.makefile("rb")
    (size,) = struct.unpack(">i", stream.read(4))
    _, response = codec.decode_response(ProduceResponse, _VERSION, stream.read(size))
    return response.responses[0].partition_responses[0]


def make_topic(bootstrap: str, name: str, configs: dict[str, str]) -> None:
    async def make() -> None:
        async with Admin({"bootstrap.servers": bootstrap}) as admin:
            await admin.create_topics([NewTopic(name, 1, 1, configs=configs)])

    trio.run(make)
    time.sleep(1.0)


def main() -> None:
    bootstrap, *settings = sys.argv[1:]
    topic = f"batches-{time.time():.0f}"
    make_topic(bootstrap, topic, dict(each.split("=", 1) for each in settings))
    host, _, port = bootstrap.rpartition(":")
    different = 0
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        for name, (batch, code) in CASES.items():
            answer = ask(connection, topic, batch)
            if answer.error_code != code:
                different += 1
                known = "as we know it does" if STRICTER.get(name) == answer.error_code else ""
                print(
                    f"{name:40} {code:4} -> {answer.error_code:4} {known or answer.error_message}"
                )
    print(f"{different} of {len(CASES)} differ")


if __name__ == "__main__":
    main()
