"""A member by aiokafka: classic protocol."""

from __future__ import annotations

import asyncio
from typing import Any

import aiokafka
from aiokafka.errors import KafkaError

from benchmarks.group_cases.programs.say import Owned, Stop, arguments, say


async def main() -> None:
    """Until SIGTERM."""
    given, stop, owned = arguments(), Stop(), Owned()
    settings: dict[str, Any] = {"session_timeout_ms": given.session_ms} if given.session_ms else {}
    if given.by_hand:
        settings["enable_auto_commit"] = False
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=given.bootstrap,
        group_id=given.group,
        auto_offset_reset="earliest",
        **settings,
    )

    class Listener(aiokafka.ConsumerRebalanceListener):  # type: ignore[misc]
        def on_partitions_assigned(self, assigned: Any) -> None:
            owned.gains(_generation(consumer), (p.partition for p in assigned))

        def on_partitions_revoked(self, revoked: Any) -> None:
            owned.loses(_generation(consumer), (p.partition for p in revoked))

    await consumer.start()
    consumer.subscribe([given.topic], listener=Listener())
    while not stop:
        positions = {}
        for place, records in (await consumer.getmany(timeout_ms=200)).items():
            for record in records:
                say("read", place.partition, record.offset, record.value.decode())
            positions[place] = records[-1].offset + 1
        if given.by_hand and positions:
            for place, offset in positions.items():
                say("commit", place.partition, offset)
            try:
                await consumer.commit(positions)
            except KafkaError as error:
                say("note", repr(error))
                continue
            for place, offset in positions.items():
                say("committed", place.partition, offset)
    await consumer.stop()


def _generation(consumer: Any) -> int:
    return int(consumer._coordinator.generation)


if __name__ == "__main__":
    asyncio.run(main())
