"""Validates the acknowledgements in ShareFetch and ShareAcknowledge, passes them to the
share-partitions, and waits until all are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from raftka.broker.share.key import SharePartitionKey
from raftka.broker.share.partitions import SharePartitions
from raftka.broker.share.terms import GAP, RENEW, Acknowledged
from raftka.model.errors import ErrorCode, KafkaError

Said = Mapping[SharePartitionKey, Sequence[Acknowledged]]
Finished = Callable[[dict[SharePartitionKey, KafkaError | None]], None]


class WrittenBatch(Protocol):
    """An acknowledgement batch of either API."""

    first_offset: int
    last_offset: int
    acknowledge_types: list[int]


def read_batches(batches: Iterable[WrittenBatch], *, renews: bool) -> list[Acknowledged]:
    """Decode the acknowledgements of one share-partition. Raises KafkaError INVALID_REQUEST.

    `renews` is set if the request announces renewals (KIP-1222).
    """
    found: list[Acknowledged] = []
    behind = -1
    for batch in batches:
        first, last, types = batch.first_offset, batch.last_offset, batch.acknowledge_types
        if not behind < first <= last:
            raise _invalid(f"offsets {first} to {last} are no range behind offset {behind}")
        if len(types) not in (1, last - first + 1):
            raise _invalid(
                f"{len(types)} acknowledge types for offsets {first} to {last}: give one for all,"
                " or one for each"
            )
        if not all(GAP <= each <= RENEW for each in types):
            raise _invalid(f"acknowledge types are {GAP} to {RENEW}")
        if RENEW in types and not renews:
            raise _invalid("renewals must be announced (IsRenewAck)")
        behind = last
        found.append(Acknowledged(first, last, list(types)))
    return found


def _invalid(words: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REQUEST, words)


class Acknowledging:
    """The acknowledgements of one request; `finished` gets the outcome of each share-partition."""

    def __init__(
        self,
        partitions: SharePartitions,
        member_id: str,
        now_s: float,
        refused: Mapping[SharePartitionKey, KafkaError],
        finished: Finished,
    ) -> None:
        self._partitions = partitions
        self._member_id = member_id
        self._now_s = now_s
        self._outcomes: dict[SharePartitionKey, KafkaError | None] = dict(refused)
        self._finished = finished
        self._left = 1

    def start(self, said: Said) -> None:
        """Apply the acknowledgements; calls `finished` once, maybe at once."""
        for key, batches in said.items():
            self._left += 1
            self._acknowledge(key, batches)
        self._one_less()

    def _acknowledge(self, key: SharePartitionKey, batches: Sequence[Acknowledged]) -> None:
        def done(error: KafkaError | None) -> None:
            self._outcomes[key] = error
            self._one_less()

        try:
            led = self._partitions.find(key)
            if led.machine is None:
                # The member may have acquired the record from another leader, but not from this
                # one.
                raise KafkaError(
                    ErrorCode.INVALID_RECORD_STATE,
                    f"{key} has just been taken over: the records are not acquired",
                )
            led.machine.acknowledge(self._member_id, batches, self._now_s, done)
        except KafkaError as error:
            done(error)
        else:
            self._partitions.touched(led)

    def _one_less(self) -> None:
        self._left -= 1
        if not self._left:
            self._finished(self._outcomes)
