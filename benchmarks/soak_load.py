"""The load of benchmarks/soak.py, and the violations that it finds."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

import trio

from raftka import Consumer, MustAbort, MustRetry, Producer, TopicPartition
from raftka.model.errors import KafkaError

PLAIN: Final = "soak-plain"
TRANSACTIONS: Final = "soak-transactions"
COMPACTED: Final = "soak-compacted"
PARTITIONS: Final = {PLAIN: 6, TRANSACTIONS: 3, COMPACTED: 1}
_KEYS: Final = 100
_PAUSE_S: Final = 0.005
"""The pause between two records of a producer, for a light load."""


@dataclass
class Found:
    """The observations of the load."""

    acknowledged: int = 0
    read: int = 0
    again: int = 0
    failed: int = 0
    committed: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    """Transactions whose end is not known."""
    aborted: int = 0
    updates: dict[bytes, int] = field(default_factory=dict)
    """By key, the last value that was acknowledged."""
    kills: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seen: list[dict[int, int]] = field(default_factory=lambda: [{}, {}, {}])
    """By partition, how often each transaction's record was read."""

    def complain(self, words: str) -> None:
        if len(self.wrong) < 20:
            self.wrong.append(words)
            print(f"WRONG: {words}", flush=True)


class Plain:
    """The records of the idempotent producer: each partition's are numbered."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._failed: set[tuple[int, int]] = set()
        self._next = [0] * PARTITIONS[PLAIN]
        self._position = [0] * PARTITIONS[PLAIN]

    async def produce(self, servers: dict[str, object], stop: trio.Event) -> None:
        sent = [0] * PARTITIONS[PLAIN]
        async with Producer(servers) as producer, trio.open_nursery() as nursery:
            while not stop.is_set():
                for partition in range(PARTITIONS[PLAIN]):
                    number, sent[partition] = sent[partition], sent[partition] + 1
                    value = b"%d %s" % (number, b"x" * 300)
                    try:
                        future = await producer.send(PLAIN, value, partition=partition)
                    except KafkaError as error:
                        self._lost(partition, number, error)
                        continue
                    nursery.start_soon(self._settled, future, partition, number)
                await trio.sleep(_PAUSE_S)

    async def _settled(self, future: object, partition: int, number: int) -> None:
        try:
            await future  # type: ignore[misc]
        except KafkaError as error:
            self._lost(partition, number, error)
        else:
            self._found.acknowledged += 1

    def _lost(self, partition: int, number: int, error: KafkaError) -> None:
        self._found.failed += 1
        self._failed.add((partition, number))
        print(f"record {number} of {PLAIN}-{partition} failed: {error}", flush=True)

    async def read(self, servers: dict[str, object], stop: trio.Event) -> None:
        settings = {
            **servers,
            "group.id": "soak",
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6_000,
        }
        async with Consumer(settings) as consumer:
            consumer.subscribe([PLAIN])
            while not stop.is_set():
                for record in await consumer.poll(0.2):
                    number = int((record.value or b"").split(b" ")[0])
                    self._check(record.partition, record.offset, number)

    def _check(self, partition: int, offset: int, number: int) -> None:
        if offset < self._position[partition]:
            self._found.again += 1  # After a rebalance, from what was committed.
            return
        if offset > self._position[partition]:
            at = self._position[partition]
            self._found.complain(f"{PLAIN}-{partition} goes on at {offset}, not at {at}")
        expected = self._next[partition]
        while expected < number and (partition, expected) in self._failed:
            expected += 1
        if number != expected:
            self._found.complain(
                f"{PLAIN}-{partition} has record {number} at offset {offset}, not {expected}"
            )
        self._position[partition], self._next[partition] = offset + 1, number + 1
        self._found.read += 1


async def transact(
    servers: dict[str, object], stop: trio.Event, found: Found, dice: random.Random
) -> None:
    """Transactions of one record in each of three partitions; a fifth is aborted."""
    number = 0
    async with Producer({**servers, "transactional.id": "soak"}) as producer:
        await producer.init_transactions()
        while not stop.is_set():
            number += 1
            gives_up = dice.random() < 0.2
            found.unsure.add(number)
            try:
                async with producer.transaction():
                    for partition in range(PARTITIONS[TRANSACTIONS]):
                        await producer.send(TRANSACTIONS, b"%d" % number, partition=partition)
                    if gives_up:
                        raise _GivesUp
            except _GivesUp:
                found.aborted += 1
                found.unsure.discard(number)
            except MustRetry:
                if await _committed(producer):
                    found.committed.add(number)
                else:
                    found.aborted += 1
                    found.unsure.discard(number)
            except MustAbort:
                found.aborted += 1
                found.unsure.discard(number)
            else:
                found.committed.add(number)
            found.unsure -= found.committed
            await trio.sleep(10 * _PAUSE_S)


async def _committed(producer: Producer) -> bool:
    """Repeat a commit until it has a result: whether the transaction is committed."""
    while True:
        try:
            await producer.commit_transaction()
            return True
        except MustRetry:
            continue
        except MustAbort:
            await producer.abort_transaction()
            return False


class _GivesUp(Exception):
    pass


async def read_committed(servers: dict[str, object], stop: trio.Event, found: Found) -> None:
    """Count what a reader of committed records sees of each transaction."""
    settings = {
        **servers,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
    }
    async with Consumer(settings) as consumer:
        consumer.assign([TopicPartition(TRANSACTIONS, p) for p in range(3)])
        while not stop.is_set():
            for record in await consumer.poll(0.2):
                counts = found.seen[record.partition]
                number = int(record.value or b"0")
                counts[number] = counts.get(number, 0) + 1


async def update(
    servers: dict[str, object], stop: trio.Event, found: Found, dice: random.Random
) -> None:
    """New values for some keys of the compacted topic, one at a time."""
    number = 0
    async with Producer(servers) as producer:
        while not stop.is_set():
            number += 1
            key = b"key-%d" % dice.randrange(_KEYS)
            try:
                await (await producer.send(COMPACTED, b"%d" % number, key))
            except KafkaError as error:
                found.failed += 1
                print(f"update {number} failed: {error}", flush=True)
            else:
                found.updates[key] = number
            await trio.sleep(_PAUSE_S)


async def last_values(servers: dict[str, object]) -> dict[bytes, int]:
    """The compacted topic, read to its end."""
    values: dict[bytes, int] = {}
    async with Consumer({**servers, "auto.offset.reset": "earliest"}) as consumer:
        consumer.assign([TopicPartition(COMPACTED, 0)])
        quiet = 0
        while quiet < 5:
            records = await consumer.poll(0.5)
            quiet = 0 if records else quiet + 1
            for record in records:
                values[record.key or b""] = int(record.value or b"0")
    return values


def check(found: Found, last: dict[bytes, int]) -> None:
    """Report records that are missing, duplicate, or must not be visible."""
    if found.read < found.acknowledged:
        found.complain(f"{found.acknowledged - found.read} acknowledged records were never read")
    for partition, counts in enumerate(found.seen):
        where = f"{TRANSACTIONS}-{partition}"
        if missing := found.committed - counts.keys():
            found.complain(f"{where} lacks {len(missing)} committed: {sorted(missing)[:5]}")
        if extra := counts.keys() - found.committed - found.unsure:
            found.complain(f"{where} shows {len(extra)} aborted: {sorted(extra)[:5]}")
        if twice := [number for number, count in counts.items() if count > 1]:
            found.complain(f"{where} has {len(twice)} twice: {twice[:5]}")
    for key, number in found.updates.items():
        if last.get(key, 0) < number:
            found.complain(f"{key.decode()} is {last.get(key)}; {number} was acknowledged")
