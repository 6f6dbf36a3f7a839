"""A member by confluent-kafka: classic and consumer protocol."""

from __future__ import annotations

from typing import Any

import confluent_kafka

from benchmarks.group_cases.programs.say import Owned, Stop, arguments, say


def main() -> None:
    """Until SIGTERM."""
    given, stop, owned = arguments(), Stop(), Owned()
    settings: dict[str, Any] = {
        "bootstrap.servers": given.bootstrap,
        "group.id": given.group,
        "auto.offset.reset": "earliest",
        "log_level": 2,
    }
    if given.protocol == "consumer":
        settings["group.protocol"] = "consumer"
    elif given.session_ms:
        settings["session.timeout.ms"] = given.session_ms
    if given.by_hand:
        settings["enable.auto.commit"] = False
    consumer: Any = confluent_kafka.Consumer(settings)

    def assigned(_: Any, partitions: list[Any]) -> None:
        owned.gains(_generation(consumer), (p.partition for p in partitions))

    def revoked(_: Any, partitions: list[Any]) -> None:
        owned.loses(_generation(consumer), (p.partition for p in partitions))

    consumer.subscribe([given.topic], on_assign=assigned, on_revoke=revoked, on_lost=revoked)
    while not stop:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            say("note", message.error())
            continue
        partition, offset = message.partition(), message.offset()
        say("read", partition, offset, message.value().decode())
        if given.by_hand:
            say("commit", partition, offset + 1)
            try:
                consumer.commit(message, asynchronous=False)
            except confluent_kafka.KafkaException as error:
                say("note", error)
            else:
                say("committed", partition, offset + 1)
    consumer.close()


def _generation(consumer: Any) -> int:
    # librdkafka's form: a magic word, then the generation, or the member's epoch.
    metadata = consumer.consumer_group_metadata()
    magic = b"CGMDv2:"
    assert metadata.startswith(magic), metadata
    return int.from_bytes(metadata[len(magic) : len(magic) + 4], "little", signed=True)


if __name__ == "__main__":
    main()
