"""Which end markers go to which broker, and when they are retried. Pure.

A wish is one transaction that is being ended. Its partitions are grouped by their leaders in the
newest metadata; each broker gets the markers of many transactions in one request, with a few
requests in flight at a time. If leaders fail or move, the request is retried at the newest leader
until the partition has its marker or is deleted. A wish ends early only if its coordinator has been
replaced, or a partition reports that: then the successor writes the markers.

There is at most one wish for each transactional id of this broker, which bounds the size of the
queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from typing import Final

from raftka.broker.coordinators.transaction.core import WriteMarkers
from raftka.kraft.image import EMPTY_IMAGE, MetadataImage
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode
from raftka.model.ids import TRANSACTION_TOPIC, TopicPartition
from raftka.model.logs import get_logger
from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.net.protocol.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)

log = get_logger(__name__)

REQUESTS_PER_BROKER: Final = 5
PARTITIONS_PER_REQUEST: Final = 1_000
_FIRST_RETRY_S: Final = 0.05
_LAST_RETRY_S: Final = 1.0
_SAID_FROM: Final = 8
"""The number of attempts after which a missing marker is logged."""

_RETRIED: Final = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.NOT_ENOUGH_REPLICAS,
        ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        ErrorCode.REQUEST_TIMED_OUT,
        ErrorCode.KAFKA_STORAGE_ERROR,
    }
)
_REPLACED: Final = frozenset(
    {ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED}
)
"""Another coordinator, or a newer producer, has taken over the transactional id."""

Written = Callable[[frozenset[TopicPartition]], None]
"""Called with partitions that have the marker by now, or need none; maybe several times."""


@dataclass(eq=False, slots=True)
class Wish:
    """One transaction's end markers, until all partitions have them."""

    wanted: WriteMarkers
    written: Written
    is_live: Callable[[], bool]
    """False once its coordinator has been replaced."""
    attempts: int = 0
    given_up: bool = False

    @property
    def counts(self) -> bool:
        return not self.given_up and self.is_live()


Pieces = dict[Wish, set[TopicPartition]]


@dataclass(eq=False, slots=True)
class Batch:
    """One request to one broker."""

    broker_id: int
    pieces: Pieces

    def request(self) -> WriteTxnMarkersRequest:
        return WriteTxnMarkersRequest(
            markers=[_marker(wish.wanted, found) for wish, found in self.pieces.items()]
        )


@dataclass(slots=True)
class MarkerQueue:
    """The end markers that partitions have not written yet. Times are monotonic."""

    rules_off: RulesOff = ALL_HOLD
    _image: MetadataImage = EMPTY_IMAGE
    _ready: dict[int, Pieces] = field(default_factory=dict)
    """Keyed by the broker that leads the partitions."""
    _under_way: dict[int, list[Batch]] = field(default_factory=dict)
    _later: list[tuple[float, Wish, set[TopicPartition]]] = field(default_factory=list)
    """(when to retry, ...): partitions without a leader, or whose broker failed to write the
    marker."""

    def __len__(self) -> int:
        """The number of pieces of unfinished wishes."""
        under_way = (b.pieces for batches in self._under_way.values() for b in batches)
        return len(self._later) + sum(map(len, (*self._ready.values(), *under_way)))

    def without_leader(self) -> int:
        """The number of partitions that wait for a leader."""
        return sum(
            self._leader(each) is None
            for _, wish, found in self._later
            if wish.counts
            for each in found
        )

    def add(self, wish: Wish, now_s: float) -> None:
        """Have the markers of a transaction written everywhere."""
        self._place(wish, wish.wanted.partitions, now_s)

    def metadata_changed(self, image: MetadataImage, now_s: float) -> None:
        """Leaders have moved: send to the new ones at once, even if the old ones owe answers."""
        self._image = image
        waiting, self._later = self._later, []
        ready, self._ready = self._ready, {}
        pieces = [(wish, found) for _, wish, found in waiting]
        pieces += [each for queue in ready.values() for each in queue.items()]
        for batches in self._under_way.values():
            for batch in batches:
                pieces += self._moved(batch)
        for wish, found in pieces:
            self._place(wish, found, now_s)

    def _moved(self, batch: Batch) -> Iterator[tuple[Wish, set[TopicPartition]]]:
        for wish, found in list(batch.pieces.items()):
            moved = {each for each in found if self._leader(each) != batch.broker_id}
            if moved:
                found -= moved
                if not found:
                    del batch.pieces[wish]
                yield wish, moved

    # ---- requests

    def due(self, now_s: float) -> list[Batch]:
        """The requests to send now; each must be followed by `answered` or `failed`."""
        found: list[Batch] = []
        later, self._later = self._later, []
        for due_s, wish, partitions in later:
            if due_s <= now_s:
                self._place(wish, partitions, now_s)
            else:
                self._later.append((due_s, wish, partitions))
        for broker_id, queue in self._ready.items():
            batches = self._under_way.setdefault(broker_id, [])
            while queue and len(batches) < REQUESTS_PER_BROKER:
                batch = Batch(broker_id, _take(queue))
                if batch.pieces:
                    batches.append(batch)
                    found.append(batch)
            if not batches:
                del self._under_way[broker_id]
        self._ready = {broker_id: queue for broker_id, queue in self._ready.items() if queue}
        return found

    def next_due_s(self) -> float:
        """When `due` has something to retry; infinity if nothing waits for a retry."""
        return min((due_s for due_s, _, _ in self._later), default=float("inf"))

    def answered(self, batch: Batch, answer: WriteTxnMarkersResponse, now_s: float) -> None:
        """The broker has answered, for each partition, whether its marker is committed."""
        self._done(batch)
        codes = {
            (marker.producer_id, TopicPartition(topic.name, each.partition_index)): each.error_code
            for marker in answer.markers
            for topic in marker.topics
            for each in topic.partitions
        }
        for wish, found in batch.pieces.items():
            producer_id = wish.wanted.marker.producer_id
            by_code: dict[int, set[TopicPartition]] = {}
            for each in found:
                code = codes.get((producer_id, each), ErrorCode.UNKNOWN_SERVER_ERROR)
                by_code.setdefault(code, set()).add(each)
            for code, which in by_code.items():
                self._outcome(wish, which, ErrorCode(code), batch.broker_id, now_s)

    def failed(self, batch: Batch, why: str, now_s: float) -> None:
        """The broker was unreachable, or did not answer."""
        self._done(batch)
        for wish, found in batch.pieces.items():
            self._again(wish, found, f"broker {batch.broker_id}: {why}", now_s)

    def _done(self, batch: Batch) -> None:
        batches = self._under_way[batch.broker_id]
        batches.remove(batch)
        if not batches:
            del self._under_way[batch.broker_id]

    def _outcome(
        self, wish: Wish, which: set[TopicPartition], code: ErrorCode, broker_id: int, now_s: float
    ) -> None:
        if not wish.counts:
            return
        if code is ErrorCode.NONE:
            wish.written(frozenset(which))
        elif code in _REPLACED:
            wish.given_up = True
            log.warning(
                f"the end of {wish.wanted.transactional_id!r} is left to others: {_named(which)}"
                f" on broker {broker_id} answers {code.name}, so that a newer coordinator or"
                " producer has taken over"
            )
        else:
            if code not in _RETRIED:
                log.error(
                    f"broker {broker_id} answers {code.name} to the end of"
                    f" {wish.wanted.transactional_id!r} in {_named(which)}; it is asked again"
                )
            self._again(wish, which, f"broker {broker_id} answers {code.name}", now_s)

    def _again(self, wish: Wish, found: set[TopicPartition], why: str, now_s: float) -> None:
        if not wish.counts:
            return
        if Rule.MARKERS_UNTIL_WRITTEN in self.rules_off:
            wish.written(frozenset(found))
            return
        wish.attempts += 1
        if wish.attempts % _SAID_FROM == 0:
            log.warning(
                f"the transaction of {wish.wanted.transactional_id!r} cannot end yet in"
                f" {_named(found)}: {why}; its readers (read_committed) wait, and it is asked"
                " again"
            )
        wait_s = min(_FIRST_RETRY_S * 2 ** min(wish.attempts - 1, 10), _LAST_RETRY_S)
        self._later.append((now_s + wait_s, wish, found))

    # ---- leaders

    def _place(self, wish: Wish, partitions: Iterable[TopicPartition], now_s: float) -> None:
        if not wish.counts:
            return
        lost: set[TopicPartition] = set()
        leaderless: set[TopicPartition] = set()
        for each in sorted(partitions):
            if self._is_gone(each):
                lost.add(each)
            elif (leader := self._leader(each)) is None:
                leaderless.add(each)
            else:
                self._ready.setdefault(leader, {}).setdefault(wish, set()).add(each)
        if leaderless:
            self._again(wish, leaderless, "no leader is elected", now_s)
        if lost:
            wish.written(frozenset(lost))

    def _is_gone(self, partition: TopicPartition) -> bool:
        """Whether its topic was deleted. Metadata without __transaction_state is older than the
        wish, so it proves nothing."""
        image = self._image
        return TRANSACTION_TOPIC in image.topics and image.partition(*partition) is None

    def _leader(self, partition: TopicPartition) -> int | None:
        found = self._image.partition(*partition)
        return found.leader if found is not None and found.has_leader else None


def _take(queue: Pieces) -> Pieces:
    """The next request's markers; answers are matched by producer id, so each has one marker."""
    taken: Pieces = {}
    producers: set[int] = set()
    room = PARTITIONS_PER_REQUEST
    for wish in list(queue):
        if not wish.counts:
            del queue[wish]
            continue
        producer_id = wish.wanted.marker.producer_id
        if producer_id in producers:
            continue
        producers.add(producer_id)
        found = queue[wish]
        taken[wish] = set(sorted(found)[:room])
        found -= taken[wish]
        room -= len(taken[wish])
        if not found:
            del queue[wish]
        if not room:
            break
    return taken


def _marker(wanted: WriteMarkers, partitions: set[TopicPartition]) -> WritableTxnMarker:
    topics: dict[str, list[int]] = {}
    for topic, index in sorted(partitions):
        topics.setdefault(topic, []).append(index)
    marker = wanted.marker
    return WritableTxnMarker(
        producer_id=marker.producer_id,
        producer_epoch=marker.producer_epoch,
        transaction_result=marker.commit,
        topics=[
            WritableTxnMarkerTopic(name=name, partition_indexes=indexes)
            for name, indexes in topics.items()
        ],
        coordinator_epoch=marker.coordinator_epoch,
        transaction_version=wanted.transaction_version,
    )


def _named(partitions: set[TopicPartition]) -> str:
    """A few of them, for a message."""
    first = ", ".join(f"{topic}-{index}" for topic, index in sorted(partitions)[:3])
    return first if len(partitions) <= 3 else f"{first} and {len(partitions) - 3} others"
