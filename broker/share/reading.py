"""Reads the batches that a share-partition can deliver, with their first and last offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raftka.broker.share.terms import Acquired, Span
from raftka.model.errors import KafkaError
from raftka.model.logs import get_logger
from raftka.model.ports import FileRegion, Piece, bytes_of
from raftka.model.record_batch import HEADER_BYTES, parse_header
from raftka.model.records import Record, iter_batches, iter_records

if TYPE_CHECKING:
    from raftka.broker.replication.replica import Replica


log = get_logger(__name__)


class Batches:
    """The batches of one read."""

    __slots__ = ("_places", "fetched_from", "size", "spans")

    def __init__(
        self, fetched_from: int, size: int, spans: list[Span], places: list[FileRegion]
    ) -> None:
        self.fetched_from = fetched_from
        self.size = size
        """The bytes of all batches."""
        self.spans = spans
        self._places = places

    def pieces(self, acquired: Sequence[Acquired]) -> list[Piece]:
        """The batches that contain acquired offsets."""
        pieces: list[FileRegion] = []
        place = 0
        for span, region in zip(self.spans, self._places, strict=True):
            while place < len(acquired) and acquired[place].last < span.first:
                place += 1
            if place == len(acquired):
                break
            if acquired[place].first > span.last:
                continue
            before = pieces[-1] if pieces else None
            if (
                before is not None
                and before.file is region.file
                and before.offset + before.size == region.offset
            ):
                pieces[-1] = before._replace(size=before.size + region.size)
            else:
                pieces.append(region)
        return list(pieces)


def records_of(
    replica: Replica, first: int, last: int, max_bytes: int, batch_bytes_max: int
) -> tuple[dict[int, Record], int]:
    """(the records of these offsets, to be copied; the last offset covered, at least `first`).

    Reads at most `max_bytes` of the log, or one batch, and returns about that size of records.
    Unreadable batches, and those that decompress to more than `batch_bytes_max`, are left out.
    """
    found: dict[int, Record] = {}
    size, read_to = 0, last
    try:
        slice_ = replica.log.read(first, max_bytes, replica.state.high_watermark)
        data = b"".join(map(bytes_of, slice_.pieces))
        for header, batch in iter_batches(data):
            if header.base_offset > last:
                return found, last
            if size >= max_bytes:
                break
            read_to = min(last, max(first, header.last_offset))
            if header.is_control:
                continue
            try:
                for each in iter_records(batch, batch_bytes_max):
                    if first <= each.offset <= last:
                        found[each.offset] = each
                        size += len(each.key or b"") + len(each.value or b"")
            except KafkaError as error:
                log.info(
                    f"{replica.topic_partition}: the batch at offset {header.base_offset} is not"
                    f" copied whole: {error}"
                )
    except (KafkaError, OSError) as error:
        log.info(
            f"{replica.topic_partition}: offsets {first} to {last} are not copied whole: {error}"
        )
        return found, last
    return found, read_to


def read(
    replica: Replica, offset: int, max_bytes: int, max_records: int, *, committed: bool
) -> Batches | None:
    """The batches from `offset` on that a group may have now; None if there are none.

    At least one, however small the limits are, and at most `max_records` offsets. With `committed`,
    stops before an open transaction and skips aborted ones. Raises KafkaError OFFSET_OUT_OF_RANGE.
    """
    log = replica.log
    upper = replica.state.high_watermark
    if committed:
        upper = log.stable_offset(upper)
    if offset >= upper:
        return None
    found = log.read(offset, max_bytes, upper)
    if not found.size:
        return None
    aborted = log.aborted_transactions(offset, found, upper) if committed else ()
    spans: list[Span] = []
    places: list[FileRegion] = []
    size = 0
    last = offset + max_records - 1
    for piece in found.pieces:
        assert isinstance(piece, FileRegion)
        position, end = piece.offset, piece.offset + piece.size
        while position + HEADER_BYTES <= end and (not spans or spans[-1].last < last):
            header = parse_header(piece.file.read(HEADER_BYTES, position))
            is_aborted = header.is_transactional and any(
                each.producer_id == header.producer_id
                and each.first_offset <= header.base_offset <= each.last_offset
                for each in aborted
            )
            spans.append(
                Span(
                    header.base_offset,
                    header.last_offset,
                    not header.is_control and not is_aborted,
                )
            )
            places.append(FileRegion(piece.file, position, header.size))
            position += header.size
            size += header.size
    return Batches(offset, size, spans, places)
