"""The vocabulary of share-partitions: acquisitions, acknowledgements, writes (KIP-932)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from raftka.broker.share.batches import StateBatch
from raftka.model.dataclass import dataclass
from raftka.model.errors import KafkaError

Done = Callable[[KafkaError | None], None]
"""Called once: with None when the coordinator has it, or with the reason why that is unknown."""

GAP, ACCEPT, RELEASE, REJECT, RENEW = range(5)
"""The types of an acknowledgement, by their numbers in ShareAcknowledge."""


@dataclass(frozen=True, slots=True)
class ShareLimits:
    """The limits of a group in a share-partition, by its current settings."""

    lock_s: float = 30.0
    """share.record.lock.duration.ms, in seconds."""
    deliveries: int = 5
    """share.delivery.count.limit."""
    records: int = 2000
    """share.partition.max.record.locks: the limit of open records between start and end."""
    renews: bool = True
    """share.renew.acknowledge.enable."""
    buries: bool = False
    """Whether the group has a dead letter queue (errors.deadletterqueue.topic.name)."""


class Span(NamedTuple):
    """A batch of the log, in an answer."""

    first: int
    last: int
    is_for_group: bool = True
    """False for control batches, and for aborted ones if the group reads only committed records."""


class Acquired(NamedTuple):
    """Offsets that a member has acquired, and their delivery count."""

    first: int
    last: int
    deliveries: int


class Cause(enum.Enum):
    """Why a record is dead; the value is the text in its `__dlq.errors.message`, as in Kafka."""

    REJECTED = "Offset rejected by client."
    EXCEEDED = "Offset delivery count exceeded the threshold."
    FORGOTTEN = "Another leader knew."
    """A previous leader knew the reason; it is derived from the delivery count."""


class DeadLetter(NamedTuple):
    """Offsets whose records go to the dead letter queue (KIP-1191)."""

    first: int
    last: int
    deliveries: int
    cause: Cause


class Acknowledged(NamedTuple):
    """The acknowledgement of some offsets: one type for all, or one for each."""

    first: int
    last: int
    types: Sequence[int]


class Wish(NamedTuple):
    """The limits of a member's fetch."""

    records: int
    """max_records; exceeded up to the end of a batch unless `strict`."""
    batch_size: int
    """The number of records in each acquired piece that the member prefers."""
    strict: bool = False
    """Acquire mode record-limit (KIP-1206)."""


class Write(NamedTuple):
    """A change for the share coordinator; pass its outcome to `written`."""

    number: int
    start_offset: int
    complete_count: int
    batches: tuple[StateBatch, ...]
    waiting: tuple[Done, ...]


def pieces(said: Iterable[Acknowledged]) -> Iterator[tuple[int, int, int]]:
    """(first, last, type) of consecutive offsets with the same acknowledgement."""
    for first, last, types in said:
        if len(types) == 1:
            yield first, last, types[0]
            continue
        begun = 0
        for place in range(1, len(types) + 1):
            if place == len(types) or types[place] != types[begun]:
                yield first + begun, first + place - 1, types[begun]
                begun = place
