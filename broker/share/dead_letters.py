"""Dead letter queues (KIP-1191): writes the records that share groups give up to the configured
topic.

A queue's topic name starts with errors.deadletterqueue.topic.name.prefix, and the topic enables it
by errors.deadletterqueue.group.enable; a missing topic is created if
errors.deadletterqueue.auto.create.topics.enable is set. A partition's dead letters go to the
partition of the same number, modulo the queue's partition count, in the order of their offsets, one
record for each offset. Dead letters that arrive during a write go with the next one. After five
failed attempts they are logged and archived anyway, as in Apache Kafka: one bad queue must not
block a group for ever. After a crash the queue may have a record twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NoReturn

import trio

from raftka.broker.share.key import SharePartitionKey
from raftka.broker.share.reading import records_of
from raftka.broker.share.settings import ShareGroupSettings
from raftka.broker.share.terms import DeadLetter
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection, Clock
from raftka.model.records import Header, Record, encode_batch
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)

if TYPE_CHECKING:
    from raftka.broker.peers import ToBroker
    from raftka.broker.replication.replica import Replica
    from raftka.kraft.image import MetadataImage
    from raftka.model.settings import Config

log = get_logger(__name__)

_LANE: Final = "dead-letters"
_TRIES: Final = 5
_FIRST_BACKOFF_S: Final = 1.0
_MOST_BACKOFF_S: Final = 30.0
_ALL: Final = -1
_READ_BYTES: Final = 1024 * 1024
_READS_MAX: Final = 4
"""Reads per batch of dead letters: they block everything else on this node."""
_RECORDS_MAX: Final = 1_000
_RECORD_OVERHEAD: Final = 64
_BATCH_OVERHEAD: Final = 61
_ENABLED: Final = "errors.deadletterqueue.group.enable"
_CREATED_WITH: Final[Mapping[str, str]] = {_ENABLED: "true", "message.timestamp.type": "CreateTime"}
_HOPELESS: Final = frozenset(
    {
        ErrorCode.INVALID_CONFIG,
        ErrorCode.INVALID_TOPIC_EXCEPTION,
        ErrorCode.TOPIC_AUTHORIZATION_FAILED,
        ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
        ErrorCode.MESSAGE_TOO_LARGE,
        ErrorCode.INVALID_RECORD,
        ErrorCode.POLICY_VIOLATION,
    }
)
"""Errors for which a retry would not help."""

_first = attrgetter("first")

Buried = Callable[[int, int], None]
"""Called with the first and the last offset that are dealt with."""
CreateTopic = Callable[[str, Mapping[str, str]], Awaitable[str]]
"""Creates a topic at the defaults, with these settings; returns the error, or ""."""


class _Grave:
    """The dead letters of one share-partition that wait to be written."""

    __slots__ = ("buried", "key", "replica", "waiting")

    def __init__(self, key: SharePartitionKey, replica: Replica, buried: Buried) -> None:
        self.key = key
        self.replica = replica
        self.buried = buried
        self.waiting: list[DeadLetter] = []


class DeadLetters:
    """The dead letters of all share-partitions that this broker leads. `run` must be running."""

    def __init__(
        self,
        peers: ToBroker,
        clock: Clock,
        *,
        image: Callable[[], MetadataImage],
        config: Callable[[], Config],
        settings: Callable[[str], ShareGroupSettings],
        create_topic: CreateTopic,
        timeout_s: float,
    ) -> None:
        """`settings` are those of a group. `timeout_s` applies to each request."""
        self._peers = peers
        self._clock = clock
        self._image = image
        self._config = config
        self._settings = settings
        self._create_topic = create_topic
        self._timeout_s = timeout_s
        self._graves: dict[SharePartitionKey, _Grave] = {}
        self._new: list[_Grave] = []
        self._alarm = clock.alarm()

    def bury(
        self,
        key: SharePartitionKey,
        replica: Replica,
        letters: list[DeadLetter],
        buried: Buried,
    ) -> None:
        """Write dead letters of a share-partition, whose log is the replica's; `buried` is called
        for all of them, in pieces."""
        grave = self._graves.get(key)
        if grave is None or grave.replica is not replica:
            grave = self._graves[key] = _Grave(key, replica, buried)
            self._new.append(grave)
            self._alarm.ring()
        grave.buried = buried
        grave.waiting += letters

    async def run(self) -> None:
        """Run until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                new, self._new = self._new, []
                for grave in new:
                    nursery.start_soon(self._work, grave)
                if not self._new:
                    await self._alarm.wait(float("inf"))

    async def _work(self, grave: _Grave) -> None:
        while grave.waiting:
            letters, grave.waiting = grave.waiting, []
            letters.sort(key=_first)
            while letters and grave.replica.hosted and grave.replica.state.is_leader:
                try:
                    taken = await self._insist(grave, letters)
                except KafkaError as error:
                    taken = [(each.first, each.last) for each in letters]
                    log.error(
                        f"dead letters of {grave.key} are not in the queue, and are archived:"
                        f" offsets {_words(taken)}: {error.message}"
                    )
                letters = _without(letters, taken[-1][1])
                for low, high in taken:
                    grave.buried(low, high)
        if self._graves.get(grave.key) is grave:
            del self._graves[grave.key]

    async def _insist(self, grave: _Grave, letters: Sequence[DeadLetter]) -> list[tuple[int, int]]:
        """The ranges of offsets that the queue has now, after retries. Raises KafkaError."""
        backoff_s = _FIRST_BACKOFF_S
        for left in reversed(range(_TRIES)):
            try:
                return await self._write(grave, letters)
            except KafkaError as error:
                if error.code in _HOPELESS or not left:
                    raise
                log.warning(f"dead letters of {grave.key} are tried again: {error.message}")
            await self._clock.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, _MOST_BACKOFF_S)
        raise AssertionError("the last try returns or raises")

    async def _write(self, grave: _Grave, letters: Sequence[DeadLetter]) -> list[tuple[int, int]]:
        name = self._settings(grave.key.group_id).dead_letter_topic
        await self._prepare(grave.key.group_id, name)
        topic = self._image().topics.get(name)
        if topic is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {name}")
        index = grave.key.partition % len(topic.partitions)
        partition = topic.partitions[index]
        if not partition.has_leader:
            raise KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, f"{name}-{index} has no leader")
        records, taken = self._records(grave, letters, self._most_bytes(name))
        produced = PartitionProduceData(index=index, records=encode_batch(records))
        request = ProduceRequest(
            acks=_ALL,
            timeout=int(self._timeout_s * 1000),
            topic_data=[
                TopicProduceData(name=name, topic_id=topic.topic_id, partition_data=[produced])
            ],
        )
        try:
            answer, _ = await self._peers.ask(
                partition.leader, request, lane=_LANE, timeout_s=self._timeout_s
            )
        except BrokenConnection as error:
            raise KafkaError(ErrorCode.NETWORK_EXCEPTION, str(error)) from error
        outcome = answer.responses[0].partition_responses[0]
        if outcome.error_code:
            raise KafkaError(
                ErrorCode(outcome.error_code),
                f"{name}-{index}: {outcome.error_message or ErrorCode(outcome.error_code).name}",
            )
        return taken

    async def _prepare(self, group_id: str, name: str) -> None:
        """Ensure that the queue's topic exists. Raises KafkaError if it may not be used."""
        config, image = self._config(), self._image()
        prefix = config.text("errors.deadletterqueue.topic.name.prefix")
        if not name:
            _refuse(f"the group {group_id} has no dead letter queue any longer")
        if name.startswith("__"):
            _refuse(f"the topic {name} of the group {group_id} must not start with __")
        if not name.startswith(prefix):
            _refuse(
                f"the topic {name} of the group {group_id} must start with {prefix!r}"
                " (errors.deadletterqueue.topic.name.prefix)"
            )
        if name not in image.topics:
            if not config.flag("errors.deadletterqueue.auto.create.topics.enable"):
                _refuse(
                    f"the topic {name} of the group {group_id} does not exist: create it with"
                    f" {_ENABLED}=true, or set errors.deadletterqueue.auto.create.topics.enable"
                )
            if why := await self._create_topic(name, _CREATED_WITH):
                raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, why)
        elif image.topic_config(name).get(_ENABLED, "false").lower() != "true":
            _refuse(
                f"the topic {name} of the group {group_id} takes no dead letters: set its"
                f" {_ENABLED}=true"
            )

    def _most_bytes(self, topic: str) -> int:
        found = self._image().topic_config(topic).get("max.message.bytes")
        return int(found) if found else self._config().int("message.max.bytes")

    def _records(
        self, grave: _Grave, letters: Sequence[DeadLetter], most_bytes: int
    ) -> tuple[list[Record], list[tuple[int, int]]]:
        """The records of one batch of dead letters, at least one, and their offsets."""
        names = self._image().topic_names
        topic = names.get(grave.key.topic_id, "") or str(grave.key)
        copies = self._settings(grave.key.group_id).copies_dead
        now_ms = self._clock.wall_ms()
        records: list[Record] = []
        taken: list[tuple[int, int]] = []
        size = _BATCH_OVERHEAD
        found: dict[int, Record] = {}
        read_to, reads = -1, 0
        for letter in letters:
            last = min(letter.last, letter.first + _RECORDS_MAX - 1)
            if copies:
                if last > read_to:
                    if reads == _READS_MAX:
                        break
                    reads += 1
                    most = letter.first + _RECORDS_MAX - 1
                    found, read_to = records_of(
                        grave.replica, letter.first, most, _READ_BYTES, most_bytes
                    )
                last = min(last, read_to)
            for offset in range(letter.first, last + 1):
                source = found.get(offset)
                record = Record(
                    0,
                    now_ms,
                    source.key if source else None,
                    source.value if source else None,
                    _headers(topic, grave.key, offset, letter),
                )
                if not records and size + _size(record) > most_bytes:
                    record = record._replace(
                        key=None, value=None
                    )  # It does not fit with key and value.
                size += _size(record)
                if records and (size > most_bytes or len(records) >= _RECORDS_MAX):
                    return records, taken
                records.append(record)
                if taken and taken[-1][1] == offset - 1:
                    taken[-1] = (taken[-1][0], offset)
                else:
                    taken.append((offset, offset))
            if last < letter.last:
                break
        return records, taken


def _headers(
    topic: str, key: SharePartitionKey, offset: int, letter: DeadLetter
) -> tuple[Header, ...]:
    """Headers that identify the record and give the reason; names and order are Apache Kafka's."""
    said = (
        ("topic", topic),
        ("partition", str(key.partition)),
        ("offset", str(offset)),
        ("group", key.group_id),
        ("delivery.count", str(letter.deliveries)),
        ("message", letter.cause.value),
    )
    return tuple((f"__dlq.errors.{name}", text.encode()) for name, text in said)


def _size(record: Record) -> int:
    return (
        _RECORD_OVERHEAD
        + len(record.key or b"")
        + len(record.value or b"")
        + sum(len(name) + len(value or b"") + 4 for name, value in record.headers)
    )


def _without(letters: list[DeadLetter], last: int) -> list[DeadLetter]:
    """The ranges after `last`."""
    return [each._replace(first=max(each.first, last + 1)) for each in letters if each.last > last]


def _words(ranges: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{low} to {high}" for low, high in ranges)


def _refuse(words: str) -> NoReturn:
    raise KafkaError(ErrorCode.INVALID_CONFIG, words)
