"""The Fetch requests of one connection, and what its fetcher asks for at present.

A session's requests name only changes (KIP-227), so the current fetch is the sum of them. It is
kept as of the last response: responses come in the order of the requests, and most requests of a
quiet session change nothing and are never decoded.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import Any, Final, Protocol

from raftka.net.protocol import codec
from raftka.net.protocol.messages.fetch import FetchRequest
from raftka.simulations.machines.stream import Flow

_SIZE_BYTES: Final = 4
_HEAD: Final = struct.Struct(">ihh")
"""Size, API key, version."""
TOPIC_IDS_SINCE: Final = 13
"""From this version on requests name topics by id."""

Place = tuple[bytes | str, int]
"""(topic id, or name before version 13; partition index)."""


class Wanted:
    """One partition as a broker was asked for it, and how often it was passed over since."""

    __slots__ = ("epoch", "nothing", "offset", "others", "passed")

    def __init__(self, offset: int, epoch: int) -> None:
        self.offset = offset
        self.epoch = epoch
        """The leader epoch that the fetcher knows, or -1."""
        self.others: dict[Place, int] | None = None
        """How often others were served since this partition was first seen to have records."""
        self.passed = 0
        """The number of answers since then."""
        self.nothing = 0
        """The number of those that served no partition."""

    def served(self) -> None:
        """It was served, or has no records at present."""
        self.others, self.passed, self.nothing = None, 0, 0


class Asked:
    """One request without an answer yet."""

    __slots__ = ("_decoded", "_frame", "readable_since", "version")

    def __init__(self, frame: memoryview) -> None:
        self._frame = frame
        self._decoded: FetchRequest | None = None
        self.version: int = _HEAD.unpack_from(frame)[2]
        self.readable_since: dict[Place, float] = {}
        """By partition: when a check first found records that it does not return."""

    @property
    def size(self) -> int:
        return len(self._frame)

    @property
    def request(self) -> FetchRequest:
        """Decoded on first use."""
        if self._decoded is None:
            header = codec.decode_request_header(self._frame[_SIZE_BYTES:])
            at = _SIZE_BYTES + header.body_offset
            self._decoded = codec.decode(FetchRequest, self.version, self._frame, at)
        return self._decoded


class FetchTalk:
    """One connection that carries fetches."""

    def __init__(self, client: str, server: str, flow: Flow | None) -> None:
        self.client = client
        self.server = server
        self.flow = flow
        self.open: deque[Asked] = deque()
        self.wanted: dict[Place, Wanted] | None = None
        """The requested partitions as of the last answer; None until a request named all."""
        self.is_follower = False
        self.waits_for_more = False
        """Whether it waits for more than one byte, or only for committed transactions."""
        self._empty: tuple[int, int] | None = None
        """(version, size) of a request that changes nothing: no request is shorter."""

    def asked(self, frame: memoryview) -> Asked:
        """The client sends a request."""
        found = Asked(frame)
        self.open.append(found)
        return found

    def answered(self, asked: Asked, response: Any) -> None:
        """The broker answers the oldest request; `wanted` then has its partitions."""
        if asked in self.open:
            self.open.remove(asked)
        if response.error_code:
            self.wanted = None
        elif not self._is_empty(asked):
            self.wanted = self._after(self.wanted, asked)

    def as_of_now(self) -> dict[Place, Wanted] | None:
        """The partitions of the newest waiting request."""
        wanted = self.wanted
        for asked in self.open:
            if not self._is_empty(asked):
                wanted = self._after(wanted, asked)
        return wanted

    def _is_empty(self, asked: Asked) -> bool:
        return self._empty == (asked.version, asked.size)

    def _after(
        self, before: dict[Place, Wanted] | None, asked: Asked
    ) -> dict[Place, Wanted] | None:
        request = asked.request
        self.is_follower = request.replica_id >= 0 or request.replica_state.replica_id >= 0
        self.waits_for_more = request.min_bytes > 1 or request.isolation_level > 0
        is_full = request.session_epoch <= 0
        if not request.topics and not request.forgotten_topics_data and not is_full:
            self._empty = (asked.version, asked.size)
            return before
        if before is None and not is_full:
            return None
        known = before or {}
        wanted = {} if is_full else dict(known)
        by_id = asked.version >= TOPIC_IDS_SINCE
        for topic in request.topics:
            name = bytes(topic.topic_id) if by_id else topic.topic
            for each in topic.partitions:
                place = (name, each.partition)
                old = known.get(place)
                same = (each.fetch_offset, each.current_leader_epoch)
                if old is None or (old.offset, old.epoch) != same:
                    old = Wanted(*same)
                wanted[place] = old
        for forgotten in request.forgotten_topics_data:
            name = bytes(forgotten.topic_id) if by_id else forgotten.topic
            for index in forgotten.partitions:
                wanted.pop((name, index), None)
        return wanted


class FetchListener(Protocol):
    """Gets every Fetch."""

    def fetches_begin(self, talk: FetchTalk) -> None:
        """A connection carries its first fetch."""
        ...

    def fetch_answered(self, talk: FetchTalk, asked: Asked, response: Any) -> None:
        """A broker has answered a fetch; `talk.wanted` has its partitions."""
        ...
