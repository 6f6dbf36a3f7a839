"""Decides which records of a batch stay when a log is cleaned.

A record stays if it is the last one of its key in the offset map. A tombstone stays for
delete.retention.ms after its first cleaning, which writes the time into the batch's header: the
delete horizon replaces the base timestamp (KIP-534). A record without a key cannot be compacted and
is removed, as in Apache Kafka. An empty batch remains for a producer's last batch, whose sequence
is still needed, and for the last batch of a cleaning, so that segments keep their end offsets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from raftka.model import compression as codecs
from raftka.model.control_records import read_end_marker
from raftka.model.ids import NO_TIMESTAMP
from raftka.model.record_batch import (
    COMPRESSION_MASK,
    DELETE_HORIZON_BIT,
    HEADER,
    LOG_APPEND_TIME_BIT,
    BatchHeader,
)
from raftka.model.records import Record, encode_record, iter_records, seal
from raftka.storage.cleaning.chunks import Chunk
from raftka.storage.cleaning.offset_map import SHORT, OffsetMap, fingerprint
from raftka.storage.cleaning.runs import Bytes, Runs
from raftka.storage.cleaning.transactions import TransactionsPassed
from raftka.storage.cleaning.walk import malformed, records_of, walk

_NO_OFFSET: Final = -1


class LastOfProducer(NamedTuple):
    """The last write of a producer whose state is still kept."""

    last_offset: int
    """The last offset of its last batch with records; -1 if only an end marker of it is known."""
    epoch: int


def _sealed(header: BatchHeader, body: bytes) -> bytes:
    """A batch with that header, compressed according to its attributes."""
    codec = header.compression
    return seal(header, body if codec == "none" else codecs.compress(codec, body))


def _thinned(header: BatchHeader, times: list[int], records: list[bytes]) -> bytes | None:
    """The batch with some of its records, whose bytes are unchanged.

    None if that is impossible: times are relative to the first record, which is removed.
    """
    if header.attributes & LOG_APPEND_TIME_BIT or (times[0] and header.delete_horizon_ms is None):
        return None
    latest = header.base_timestamp + max(times)
    rest = header._replace(record_count=len(records), max_timestamp=latest)
    return _sealed(rest, b"".join(records))


class Sieve:
    """One cleaning of a log, batch by batch in their order."""

    __slots__ = (
        "_first_dirty_offset",
        "_last_of_producers",
        "_map",
        "_now_ms",
        "_retention_ms",
        "_tombstones_wait",
        "_transactions",
        "_upper_offset",
    )

    def __init__(
        self,
        offset_map: OffsetMap,
        transactions: TransactionsPassed,
        last_of_producers: Mapping[int, LastOfProducer],
        *,
        first_dirty_offset: int,
        upper_offset: int,
        now_ms: int,
        delete_retention_ms: int,
        tombstones_wait: bool = True,
    ) -> None:
        """The map must be complete, and covers the section from `first_dirty_offset` on;
        `upper_offset` is the end of the cleanable section. `tombstones_wait=False` violates
        KIP-534: only in simulations."""
        self._map = offset_map
        self._transactions = transactions
        self._last_of_producers = last_of_producers
        self._first_dirty_offset = first_dirty_offset
        self._upper_offset = upper_offset
        self._now_ms = now_ms
        self._retention_ms = delete_retention_ms
        self._tombstones_wait = tombstones_wait

    def sift_chunk(
        self, chunk: Chunk, runs: Runs | None
    ) -> Iterator[tuple[BatchHeader, Bytes, int]]:
        """(original header, remaining bytes, their largest time) of each batch of which something
        stays.

        Use the bytes before the next chunk. Raises KafkaError as `sift` does.
        """
        batches = chunk.batches
        index = at = 0
        if runs is not None:
            runs.turn_to(chunk)
        while index < len(batches):
            if runs is not None:
                run = runs.sift(index, at, self._map, self._first_dirty_offset, self._transactions)
                for header, stays, latest in run:
                    at += header.size
                    rest = self._empty(header) if stays is None else stays
                    if rest is not None:
                        yield header, rest, latest
                index += len(run)
                if run:
                    continue
            header, batch = batches[index]
            rest = self.sift(header, batch)
            if rest is not None:
                latest = header.max_timestamp
                if rest is not batch:
                    latest = BatchHeader._make(HEADER.unpack_from(rest)).max_timestamp
                yield header, rest, latest
            index, at = index + 1, at + header.size

    def sift(self, header: BatchHeader, batch: memoryview) -> Bytes | None:
        """The rest of the batch: itself, another batch with the same offsets, or None.

        Raises KafkaError CORRUPT_MESSAGE for unreadable records.
        """
        horizon = header.delete_horizon_ms
        if header.is_control:
            marker = read_end_marker(header, batch)
            is_spent = marker is not None and self._transactions.has_nothing_left(
                header, commits=marker.commit
            )
            if is_spent and horizon is not None and horizon <= self._now_ms:
                return self._empty(header)
            if is_spent and horizon is None:
                return self._rebuilt(header, list(iter_records(batch)))
            return batch if header.record_count else self._empty(header)
        if self._transactions.is_aborted(header) or not header.record_count:
            return self._empty(header)
        if (
            self._first_dirty_offset <= header.base_offset
            and header.last_offset <= self._map.latest
            and header.base_offset not in self._map.tombstones
        ):
            return self._sift_known(header, batch)
        data = records_of(header, batch)
        found = walk(header, data)
        offsets, latest = self._map.offsets, self._map.latest
        drops_tombstones = horizon is not None and horizon <= self._now_ms
        if not self._tombstones_wait:
            drops_tombstones = True
        kept = []
        has_tombstone = False
        for each in found:
            _, _, offset, _, key, is_tombstone = each
            if offset <= latest:
                if key is None or (is_tombstone and drops_tombstones):
                    continue
                if offsets.get(key if len(key) < SHORT else fingerprint(key), _NO_OFFSET) > offset:
                    continue
            kept.append(each)
            has_tombstone |= is_tombstone
        if not kept:
            return self._empty(header)
        needs_horizon = has_tombstone and horizon is None
        if len(kept) == len(found) and not needs_horizon:
            return batch
        if not needs_horizon:
            times = [each[3] for each in kept]
            thinned = _thinned(header, times, [data[each[0] : each[1]] for each in kept])
            if thinned is not None:
                return thinned
        wanted = {each[2] for each in kept}
        records = [record for record in iter_records(batch) if record.offset in wanted]
        return self._rebuilt(header, records, sets_horizon=needs_horizon)

    def _sift_known(self, header: BatchHeader, batch: memoryview) -> Bytes | None:
        """The rest of a batch whose records are all in the map, without tombstones."""
        kept = self._map.survivors_in(header.base_offset, header.last_offset)
        if len(kept) == header.record_count:
            return batch
        if not kept:
            return self._empty(header)
        wanted = frozenset(kept)
        data = records_of(header, batch)
        found = [each for each in walk(header, data) if each[2] in wanted]
        if len(found) != len(kept):
            raise malformed(header)
        thinned = _thinned(
            header, [each[3] for each in found], [data[each[0] : each[1]] for each in found]
        )
        if thinned is not None:
            return thinned
        records = [record for record in iter_records(batch) if record.offset in wanted]
        return self._rebuilt(header, records, sets_horizon=False)

    def _rebuilt(
        self, header: BatchHeader, records: list[Record], *, sets_horizon: bool = True
    ) -> bytes:
        """The batch with only these records and a delete horizon, which it may have already."""
        if not records:
            raise malformed(header)
        base = records[0].timestamp
        attributes = header.attributes
        if sets_horizon:
            base = self._now_ms + self._retention_ms
            attributes |= DELETE_HORIZON_BIT
        elif header.delete_horizon_ms is not None:
            base = header.delete_horizon_ms
        body = b"".join(
            encode_record(record.offset - header.base_offset, record.timestamp - base, record)
            for record in records
        )
        latest = header.max_timestamp
        if not attributes & LOG_APPEND_TIME_BIT:
            latest = max(record.timestamp for record in records)
        return _sealed(
            header._replace(
                attributes=attributes,
                base_timestamp=base,
                max_timestamp=latest,
                record_count=len(records),
            ),
            body,
        )

    def _empty(self, header: BatchHeader) -> bytes | None:
        """A batch without records, if one is needed."""
        if not self._is_needed(header):
            return None
        attributes = header.attributes & ~(COMPRESSION_MASK | DELETE_HORIZON_BIT)
        return seal(
            header._replace(attributes=attributes, base_timestamp=NO_TIMESTAMP, record_count=0),
            b"",
        )

    def _is_needed(self, header: BatchHeader) -> bool:
        """Whether this batch's header is needed: for its producer, or for the end of the log."""
        if header.next_offset == self._upper_offset:
            return True
        last = self._last_of_producers.get(header.producer_id)
        if last is None:
            return False
        if last.last_offset >= 0:
            return header.last_offset == last.last_offset
        return header.is_control and header.producer_epoch == last.epoch
