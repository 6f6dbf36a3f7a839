"""Consume, transform, produce, exactly once: one loop in four clients, as their users write it.

    python -m benchmarks.eos_workers CLIENT BOOTSTRAP SOURCE SINK NAME

One worker is one process, as a service is. It ends with exit code 0 at SIGTERM, and with another
one at any error that its client reports as fatal: the benchmark starts it again, and the
transactional id NAME fences its predecessor.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import trio

from raftka import Consumer, MustAbort, MustRetry, Producer, TopicPartition

GROUP: Final = "exactly-once"
RECORDS_MAX: Final = 20
"""The most input records of one transaction."""
_HUNG_S: Final = 10.0
"""The longest transaction of kafka-python: none that still makes progress takes as long."""
_STOPPED = [False]


def transformed(value: bytes) -> bytes:
    """A worker's output for an input record."""
    return b"seen " + value


def _ours(bootstrap: str, source: str, sink: str, name: str) -> None:
    async def work() -> None:
        settings = {
            "bootstrap.servers": bootstrap,
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "max.poll.records": RECORDS_MAX,
            "session.timeout.ms": 6_000,
        }
        async with (
            Consumer(settings) as consumer,
            Producer({"bootstrap.servers": bootstrap, "transactional.id": name}) as producer,
        ):
            await producer.init_transactions()
            consumer.subscribe([source])
            while not _STOPPED[0]:
                records = await consumer.poll(0.2)
                if not records:
                    continue
                offsets = {TopicPartition(r.topic, r.partition): r.offset + 1 for r in records}
                try:
                    async with producer.transaction():
                        for record in records:
                            await producer.send(
                                sink,
                                transformed(record.value or b""),
                                record.key,
                                partition=record.partition,
                            )
                        await producer.send_offsets_to_transaction(
                            offsets, consumer.group_metadata()
                        )
                except MustRetry:
                    await producer.commit_transaction()
                except MustAbort:
                    await _rewind(consumer)

    trio.run(work)


async def _rewind(consumer: Consumer) -> None:
    """Go back to the committed offsets: records read since then are in no committed transaction."""
    committed = await consumer.committed(consumer.assignment)
    for target in consumer.assignment:
        if target in committed:
            consumer.seek(target, committed[target].offset)
        else:
            consumer.seek_to_beginning([target])


def _confluent(bootstrap: str, source: str, sink: str, name: str) -> None:
    from confluent_kafka import Consumer as Reader
    from confluent_kafka import KafkaException
    from confluent_kafka import Producer as Writer

    consumer = Reader(
        {
            "bootstrap.servers": bootstrap,
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "session.timeout.ms": 6_000,
            "log_level": 0,
        }
    )
    producer = Writer(
        {
            "bootstrap.servers": bootstrap,
            "transactional.id": name,
            "linger.ms": 0,
            "log_level": 0,
        }
    )
    _persevere(lambda: producer.init_transactions(30), KafkaException)
    consumer.subscribe([source])
    while not _STOPPED[0]:
        messages = [m for m in consumer.consume(RECORDS_MAX, 0.2) if m.error() is None]
        if not messages:
            continue
        producer.begin_transaction()
        try:
            for message in messages:
                producer.produce(
                    sink,
                    transformed(message.value() or b""),
                    message.key(),
                    partition=message.partition() or 0,
                )
            _persevere(
                lambda: producer.send_offsets_to_transaction(
                    consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 30
                ),
                KafkaException,
            )
            _persevere(lambda: producer.commit_transaction(30), KafkaException)
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
            _persevere(lambda: producer.abort_transaction(30), KafkaException)
            for place in consumer.committed(consumer.assignment(), timeout=30):
                if place.offset < 0:
                    place.offset = 0
                consumer.seek(place)
    consumer.close()


def _persevere(call: Callable[[], object], failure: type[Exception]) -> None:
    """Repeat retriable errors, as librdkafka asks of its caller."""
    while True:
        try:
            call()
            return
        except failure as error:
            if not error.args[0].retriable():
                raise


def _aiokafka(bootstrap: str, source: str, sink: str, name: str) -> None:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
    from aiokafka.structs import TopicPartition as Place

    async def work() -> None:
        consumer = AIOKafkaConsumer(
            source,
            bootstrap_servers=bootstrap,
            group_id=GROUP,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            session_timeout_ms=6_000,
            max_poll_records=RECORDS_MAX,
        )
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=name)
        async with consumer, producer:
            while not _STOPPED[0]:
                fetched = await consumer.getmany(timeout_ms=200)
                if not fetched:
                    continue
                offsets: dict[Any, int] = {}
                async with producer.transaction():
                    for place, records in fetched.items():
                        for record in records:
                            await producer.send(
                                sink,
                                transformed(record.value or b""),
                                key=record.key,
                                partition=place.partition,
                            )
                        offsets[Place(*place)] = records[-1].offset + 1
                    await producer.send_offsets_to_transaction(offsets, GROUP)

    asyncio.run(work())


def _kafka_python(bootstrap: str, source: str, sink: str, name: str) -> None:
    from kafka import KafkaConsumer, KafkaProducer
    from kafka.structs import OffsetAndMetadata

    consumer = KafkaConsumer(
        source,
        bootstrap_servers=bootstrap.split(","),
        group_id=GROUP,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        session_timeout_ms=6_000,
        max_poll_records=RECORDS_MAX,
    )
    producer = KafkaProducer(bootstrap_servers=bootstrap.split(","), transactional_id=name)
    producer.init_transactions()
    while not _STOPPED[0]:
        fetched = consumer.poll(timeout_ms=200)
        if not fetched:
            continue
        with _within(_HUNG_S):
            producer.begin_transaction()
            offsets: dict[Any, Any] = {}
            for place, records in fetched.items():
                for record in records:
                    producer.send(
                        sink,
                        transformed(record.value),
                        key=record.key,
                        partition=place.partition,
                    )
                offsets[place] = OffsetAndMetadata(records[-1].offset + 1, "", -1)
            producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
            producer.commit_transaction()
    producer.close()
    consumer.close()


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the main thread when the body takes longer, as a watchdog would.

    kafka-python 3.0.12 needs it: where a coordinator refuses the connection, its sender forgets the
    request that was about to be sent (`Sender._maybe_send_pending_request` leaves its loop with a
    node chosen, and repeats a request only without one), and send_offsets_to_transaction and
    commit_transaction wait for the answer without a limit.
    """

    def hung(*_: object) -> None:
        raise TimeoutError(f"a transaction has hung for {seconds:g} s")

    before = signal.signal(signal.SIGALRM, hung)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


WORKERS: Final[dict[str, Callable[[str, str, str, str], None]]] = {
    "raftka": _ours,
    "confluent": _confluent,
    "aiokafka": _aiokafka,
    "kafka-python": _kafka_python,
}


def main(argv: Sequence[str]) -> int:
    client, *rest = argv
    signal.signal(signal.SIGTERM, lambda *_: _STOPPED.__setitem__(0, True))
    try:
        WORKERS[client](*rest)
    except Exception as error:
        first: BaseException = error
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        print(f"{client}: {type(first).__name__}: {first}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
