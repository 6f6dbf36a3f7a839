"""Reads a Produce request that repeats the previous one on its connection, without decoding it.

A producer that writes to one partition sends the same bytes again and again: only the correlation
id, the records and their size differ. They are compared with a decoded request, which takes a fifth
of the time of decoding. All other requests are decoded, and a test compares the two paths.
"""

from __future__ import annotations

import struct
from functools import partial
from typing import Final

from raftka.net.protocol.headers import RequestHeader
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from raftka.net.protocol.primitives import READ_ERRORS, Flaw, varint, write_varint
from raftka.net.protocol.produce_writer import SINCE_FLEXIBLE

_START: Final = struct.Struct(">ii")
"""API key and version, which together are the version since Produce has key 0; correlation id."""
_START_BYTES: Final = 8
_INT32: Final = struct.Struct(">i")
_PREFIX_MAX: Final = 512
"""The limit of kept bytes before the records' size, whose number a peer chooses."""
_NO_TAGS: Final = bytes(3)
"""After the records in flexible versions: no tags in partition, topic and request."""
_PAUSE_MAX: Final = 64
_header: Final = partial(tuple.__new__, RequestHeader)
"""A NamedTuple's own constructor is a call more."""


class Repeated:
    """The common part of the requests of one connection, as of the last one that was kept."""

    __slots__ = (
        "_at",
        "_client_id",
        "_data",
        "_is_flexible",
        "_left",
        "_pause",
        "_prefix",
        "_request",
        "_start",
        "_was_met",
        "header",
    )

    def __init__(
        self, header: RequestHeader, request: ProduceRequest, prefix: bytes, pause: int
    ) -> None:
        self.header = header
        """The header of the last request that `read` returned."""
        topic = request.topic_data[0]
        self._data = PartitionProduceData(index=topic.partition_data[0].index)
        self._request = ProduceRequest(
            acks=request.acks,
            timeout=request.timeout,
            topic_data=[
                TopicProduceData(
                    name=topic.name, topic_id=topic.topic_id, partition_data=[self._data]
                )
            ],
        )
        self._client_id = header.client_id
        self._start = header.api_version
        self._is_flexible = header.api_version >= SINCE_FLEXIBLE
        self._prefix = prefix
        self._at = _START_BYTES + len(prefix)
        self._was_met = False
        self._pause = self._left = pause

    def read(self, frame: memoryview) -> ProduceRequest | None:
        """The request in `frame` if it repeats the kept one, else None.

        It always returns the same object, with other records: valid until the next call.
        """
        at, end = self._at, len(frame)
        if end <= at:
            return None
        start, correlation_id = _START.unpack_from(frame)
        if start != self._start or frame[_START_BYTES:at] != self._prefix:
            return None
        try:
            if self._is_flexible:
                end -= len(_NO_TAGS)
                size = frame[at]
                if size < 0x80:
                    at += 1
                elif (more := frame[at + 1]) < 0x80:
                    size = size & 0x7F | more << 7
                    at += 2
                else:
                    size, at = varint(frame, at + 1, size)
                size -= 1
                if frame[end:] != _NO_TAGS:
                    return None
            else:
                (size,) = _INT32.unpack_from(frame, at)
                at += 4
        except (Flaw, *READ_ERRORS):
            return None
        if size <= 0 or at + size != end:
            return None
        self._was_met, self._left = True, 0
        self._data.records = frame[at:end]
        self.header = _header((0, start, correlation_id, self._client_id, at))
        return self._request

    def let_go(self) -> None:
        """The request was handled: release its records, which are views of a buffer."""
        self._data.records = None

    @staticmethod
    def keep(
        last: Repeated | None, frame: memoryview, header: RequestHeader, request: ProduceRequest
    ) -> Repeated | None:
        """Keep a decoded request, to compare the next one with.

        If requests are never repeated, they are kept less and less often.
        """
        if last is not None and last._left:
            last._left -= 1
            return last
        topics = request.topic_data
        if (
            len(topics) != 1
            or len(topics[0].partition_data) != 1
            or request.transactional_id is not None
        ):
            # A transaction's first request to a partition may wait, and outlives its frame.
            return last
        records = topics[0].partition_data[0].records
        if not isinstance(records, memoryview) or not records:
            return last
        start = len(frame) - len(records)
        if header.api_version >= SINCE_FLEXIBLE:
            start -= 3
            size = write_varint(len(records) + 1)
        else:
            size = _INT32.pack(len(records))
        at = start - len(size)
        if not _START_BYTES <= at <= _START_BYTES + _PREFIX_MAX or frame[at:start] != size:
            return last
        pause = 0 if last is None or last._was_met else min(_PAUSE_MAX, 2 * last._pause + 1)
        return Repeated(header, request, bytes(frame[_START_BYTES:at]), pause)
