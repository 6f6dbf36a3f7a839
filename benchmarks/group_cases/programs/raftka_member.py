"""A member by raftka's own consumer: classic, consumer and share."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from benchmarks.group_cases.programs.say import Arguments, Owned, Stop, arguments, say
from raftka import Consumer, TopicPartition
from raftka.client.share import ShareConsumer
from raftka.model.errors import KafkaError


class _Listener:
    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._owned = Owned()

    async def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self._owned.gains(self._generation(), (p.partition for p in partitions))

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._owned.loses(self._generation(), (p.partition for p in partitions))

    async def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        self._owned.loses(self._generation(), (p.partition for p in partitions))

    def _generation(self) -> int:
        return self._consumer.group_metadata().generation


async def main(given: Arguments) -> None:
    """Until SIGTERM."""
    settings: dict[str, object] = {"bootstrap.servers": given.bootstrap, "group.id": given.group}
    if given.protocol == "share":
        await _share(given, settings)
        return
    settings |= {"auto.offset.reset": "earliest", "enable.auto.commit": not given.by_hand}
    if given.protocol == "consumer":
        settings["group.protocol"] = "consumer"
    elif given.session_ms:
        settings["session.timeout.ms"] = given.session_ms
    stop = Stop()
    async with Consumer(settings) as consumer:
        consumer.subscribe([given.topic], _Listener(consumer))
        while not stop:
            positions: dict[int, int] = {}
            for record in await consumer.poll(0.2):
                value = (record.value or b"").decode()
                say("read", record.partition, record.offset, value)
                positions[record.partition] = record.offset + 1
            if given.by_hand and positions:
                await _commit(consumer, given.topic, positions)


async def _commit(consumer: Consumer, topic: str, positions: dict[int, int]) -> None:
    for partition, offset in positions.items():
        say("commit", partition, offset)
    try:
        await consumer.commit({TopicPartition(topic, p): o for p, o in positions.items()})
    except KafkaError as error:
        say("note", error)
        return
    for partition, offset in positions.items():
        say("committed", partition, offset)


async def _share(given: Arguments, settings: dict[str, object]) -> None:
    if given.by_hand:
        settings["share.acknowledgement.mode"] = "explicit"
    stop = Stop()
    async with ShareConsumer(settings) as consumer:
        consumer.subscribe([given.topic])
        while not stop:
            got = await consumer.poll(0.2)
            for each in got:
                record = each.record
                value = (record.value or b"").decode()
                say("got", record.partition, record.offset, each.delivery_count, value)
                if given.by_hand:
                    consumer.acknowledge(each)
            if not got:
                continue
            outcomes = await consumer.commit()
            for each in got:
                if outcomes.get(each.place, KafkaError) is None:
                    say("acked", each.place.partition, each.record.offset)
                else:
                    say("note", "not acknowledged:", outcomes.get(each.place))


if __name__ == "__main__":
    trio.run(main, arguments())
