"""A member of a share group by confluent-kafka."""

from __future__ import annotations

from typing import Any

import confluent_kafka

from benchmarks.group_cases.programs.say import Stop, arguments, say


def main() -> None:
    """Until SIGTERM."""
    given, stop = arguments(), Stop()
    settings: dict[str, Any] = {
        "bootstrap.servers": given.bootstrap,
        "group.id": given.group,
        "log_level": 2,
    }
    if given.by_hand:
        settings["share.acknowledgement.mode"] = "explicit"
    consumer: Any = confluent_kafka.ShareConsumer(settings)

    def acknowledged(offsets: dict[Any, set[int]], error: Any) -> None:
        if error is not None:
            say("note", error)
            return
        for place, numbers in offsets.items():
            for offset in sorted(numbers):
                say("acked", place.partition, offset)

    consumer.set_acknowledgement_commit_callback(acknowledged)
    consumer.subscribe([given.topic])
    while not stop:
        for message in consumer.poll(0.2):
            if message.error():
                say("note", message.error())
                continue
            count = getattr(message, "delivery_count", lambda: 0)() or 0
            say("got", message.partition(), message.offset(), count, message.value().decode())
            if given.by_hand:
                consumer.acknowledge(message)
        if given.by_hand:
            try:
                consumer.commit_sync(10.0)
            except confluent_kafka.KafkaException as error:
                say("note", error)
    consumer.close()


if __name__ == "__main__":
    main()
