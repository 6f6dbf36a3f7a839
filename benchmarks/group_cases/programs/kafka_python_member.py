"""A member by kafka-python: classic protocol."""

from __future__ import annotations

from typing import Any

import kafka
from kafka.errors import KafkaError

from benchmarks.group_cases.programs.say import Owned, Stop, arguments, say


def main() -> None:
    """Until SIGTERM."""
    given, stop, owned = arguments(), Stop(), Owned()
    settings: dict[str, Any] = {"session_timeout_ms": given.session_ms} if given.session_ms else {}
    if given.by_hand:
        settings["enable_auto_commit"] = False
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=given.bootstrap.split(","),
        group_id=given.group,
        auto_offset_reset="earliest",
        **settings,
    )

    class Listener(kafka.ConsumerRebalanceListener):  # type: ignore[misc]
        def on_partitions_assigned(self, assigned: Any) -> None:
            owned.gains(_generation(consumer), (p.partition for p in assigned))

        def on_partitions_revoked(self, revoked: Any) -> None:
            owned.loses(_generation(consumer), (p.partition for p in revoked))

        def on_partitions_lost(self, lost: Any) -> None:
            self.on_partitions_revoked(lost)

    consumer.subscribe([given.topic], listener=Listener())
    while not stop:
        positions = {}
        for place, records in consumer.poll(timeout_ms=200).items():
            for record in records:
                say("read", place.partition, record.offset, record.value.decode())
            positions[place.partition] = records[-1].offset + 1
        if given.by_hand and positions:
            for partition, offset in positions.items():
                say("commit", partition, offset)
            try:
                consumer.commit()
            except KafkaError as error:
                say("note", repr(error))
                continue
            for partition, offset in positions.items():
                say("committed", partition, offset)
    consumer.close()


def _generation(consumer: Any) -> object:
    metadata = consumer.group_metadata()
    return "-" if metadata is None else metadata.generation_id


if __name__ == "__main__":
    main()
