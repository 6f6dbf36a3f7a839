"""Metadata records as bytes: one msgpack array a batch, one row a record.

    batch  := [row, ...]
    row    := [id, version, field, field, ...]      fields in the order of their declaration

A reader raises an error for an unknown id or version: if it skipped the record, this node's image
would differ from every other node's.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields
from typing import Any, Final

import msgpack

from raftka.kraft.records import LATEST_METADATA_VERSION, RECORDS, MetadataRecord


class UnreadableRecord(Exception):
    """A batch that this release cannot decode: too new, or damaged."""


class RecordLayout:
    """The layout of a record class in each of its versions."""

    def __init__(self, record_class: type[MetadataRecord]) -> None:
        self.record_class = record_class
        declared = fields(record_class)
        self._counts: list[int] = []
        self._getters: list[Callable[[Any], tuple[Any, ...]]] = []
        for version in range(len(record_class.SINCE)):
            names = [f.name for f in declared if f.metadata.get("version", 0) <= version]
            self._counts.append(len(names))
            self._getters.append(_values_of(names))

    def writable_version(self, metadata_version: int, own: int = 1) -> int:
        """The newest version that metadata.version, and raftka.version `own`, allow.

        A record that releases before raftka.version 1 cannot read is encoded anyway:
        `controller.features.check_readable` keeps it out of the metadata. Raises ValueError if even
        the first version is newer than metadata.version.
        """
        since, own_from = self.record_class.SINCE, max(1, self.record_class.OWN_FROM)
        for version in range(len(since) - 1, -1, -1):
            if since[version] <= metadata_version and (own or version < own_from):
                return version
        raise ValueError(
            f"{self.record_class.__name__} needs metadata.version {since[0]} or later; "
            f"the cluster is at {metadata_version}. Upgrade the feature first."
        )

    def row(self, record: MetadataRecord, version: int) -> tuple[Any, ...]:
        """The record as a row; fields newer than `version` are left out."""
        return (record.ID, version, *self._getters[version](record))

    def record(self, row: tuple[Any, ...]) -> MetadataRecord:
        """The record of a row; fields newer than the row's version get their defaults."""
        version = row[1]
        name = self.record_class.__name__
        if not isinstance(version, int) or not 0 <= version < len(self._counts):
            raise UnreadableRecord(
                f"{name} version {version!r} was written by a newer release; this one reads "
                f"up to version {len(self._counts) - 1}"
            )
        if len(row) - 2 != self._counts[version]:
            raise UnreadableRecord(
                f"{name} version {version} has {self._counts[version]} fields, "
                f"but {len(row) - 2} were found"
            )
        return self.record_class(*row[2:])


def _values_of(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    getter = operator.attrgetter(*names)
    if len(names) == 1:  # attrgetter returns the bare value for a single name
        return lambda record: (getter(record),)
    return getter


LAYOUTS: Final[Mapping[int, RecordLayout]] = {each.ID: RecordLayout(each) for each in RECORDS}


def encode_records(
    records: Iterable[MetadataRecord],
    metadata_version: int = LATEST_METADATA_VERSION,
    own: int = 1,
) -> bytes:
    """Encode a batch of records that a cluster with `metadata_version` and raftka.version `own` can
    decode.

    Raises ValueError for a record that such a cluster does not have.
    """
    rows = []
    versions: dict[int, int] = {}
    for record in records:
        layout = LAYOUTS[record.ID]
        version = versions.get(record.ID)
        if version is None:
            version = versions[record.ID] = layout.writable_version(metadata_version, own)
        rows.append(layout.row(record, version))
    packed: bytes = msgpack.packb(rows)
    return packed


def rows_of(payload: bytes | memoryview, ids: Collection[int]) -> bytes:
    """The batch with only the records of these ids, unchanged. Raises UnreadableRecord."""
    try:
        found = msgpack.unpackb(payload, use_list=False)
        kept = [row for row in found if row[0] in ids]
    except (ValueError, TypeError, LookupError, msgpack.UnpackException) as error:
        raise UnreadableRecord(f"not a batch of metadata records: {error}") from error
    packed: bytes = msgpack.packb(kept) if kept else b""
    return packed


def rows_at(data: bytes, ids: Collection[int], *, is_first: bool) -> tuple[bytes, int]:
    """The same for a batch that is read in pieces: the complete rows at the start of `data`, and
    their length in bytes; the rest is a row that continues in the next piece.

    `is_first`: this is the first piece of the batch. Raises UnreadableRecord.
    """
    unpacker = msgpack.Unpacker(use_list=False, max_buffer_size=len(data))
    unpacker.feed(data)
    kept, used = [], 0
    try:
        if is_first:
            unpacker.read_array_header()
            used = unpacker.tell()
        for row in unpacker:
            used = unpacker.tell()
            if row[0] in ids:
                kept.append(row)
    except (ValueError, TypeError, LookupError, msgpack.UnpackException) as error:
        raise UnreadableRecord(f"not a batch of metadata records: {error}") from error
    packed: bytes = msgpack.packb(kept) if kept else b""
    return packed, used


def decode_records(payload: bytes | bytearray | memoryview) -> list[MetadataRecord]:
    """The records of a batch, in order.

    Raises UnreadableRecord for an unknown id or version, or a malformed batch.
    """
    try:
        rows = msgpack.unpackb(payload, use_list=False)
    except (ValueError, msgpack.UnpackException) as error:
        raise UnreadableRecord(f"not a batch of metadata records: {error}") from error
    if not isinstance(rows, tuple):
        raise UnreadableRecord("not a batch of metadata records: no array at the top")
    records = []
    for row in rows:
        if not isinstance(row, tuple) or len(row) < 2:
            raise UnreadableRecord("not a batch of metadata records: a row is not an array")
        layout = LAYOUTS.get(row[0])
        if layout is None:
            raise UnreadableRecord(
                f"metadata record id {row[0]!r} is unknown; it was written by a newer release, "
                "and to skip it would make this node's metadata differ from the cluster's"
            )
        records.append(layout.record(row))
    return records
