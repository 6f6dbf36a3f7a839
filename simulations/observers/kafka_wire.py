"""Kafka's protocol on the wire: the requests of some APIs with their responses, as they are sent.

A response is reported together with its request, when the server passes it to its kernel. Only
watched APIs are decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from raftka.net.protocol import codec
from raftka.net.protocol.apis import APIS
from raftka.net.protocol.codec import REQUESTS
from raftka.simulations.machines.stream import Flow
from raftka.simulations.observers.fetches import FetchListener, FetchTalk

_SIZE: Final = struct.Struct(">i")
_REQUEST: Final = struct.Struct(">ihhi")
"""Size, API key, version, correlation id."""
_RESPONSE: Final = struct.Struct(">ii")
_FRAME_MAX: Final = 1 << 27
_KEYS: Final = {api.name: api.key for api in APIS.values()}

_FETCH: Final = _KEYS["Fetch"]
_REPLICA_STATE_SINCE: Final = 15
_SESSION_EPOCH_AT: Final = 17
"""The fields after the maximum wait: minimum and maximum bytes, isolation level and session id."""
_SHORT: Final = struct.Struct(">h")

OnRequest = Callable[[str, str, Any], None]
"""(client, server, request), when the client sends it."""
OnAnswer = Callable[[str, str, Any, Any], None]
"""(client, server, request, response), when the server sends it; an empty Fetch is left out."""


class Watched:
    """The watched APIs, each with its observers."""

    def __init__(self) -> None:
        self.requests: dict[int, list[OnRequest]] = {}
        self.answers: dict[int, list[OnAnswer]] = {}
        self.keys: frozenset[int] = frozenset()
        self.fetches: list[FetchListener] = []
        self.flow: Flow | None = None
        """The client's side of the connection with the request or answer that is being reported."""

    def request(self, api: str, told: OnRequest) -> None:
        """Report each request of an API, by Kafka's name; of Fetch, only requests that begin a
        session (the others are read with their answers).
        """
        self.requests.setdefault(_KEYS[api], []).append(told)
        self.keys |= {_KEYS[api]}

    def leave(self, api: str, told: OnRequest) -> None:
        """Stop reporting."""
        self.requests[_KEYS[api]].remove(told)

    def answer(self, api: str, told: OnAnswer) -> None:
        """Report each response of an API, with its request."""
        self.answers.setdefault(_KEYS[api], []).append(told)
        self.keys |= {_KEYS[api]}

    def every_fetch(self, told: FetchListener) -> None:
        """Report every Fetch, also those with empty responses."""
        self.fetches.append(told)
        self.answers.setdefault(_FETCH, [])
        self.keys |= {_FETCH}


class Conversation:
    """One connection: `asks` sees the client's bytes, `answers` the server's."""

    def __init__(
        self, client: str, server: str, watched: Watched, flow: Flow | None = None
    ) -> None:
        """`flow` is the client's side of the connection."""
        self._client = client
        self._server = server
        self._watched = watched
        self._open: dict[int, tuple[int, int, Any]] = {}
        """Requests that wait for an answer: (API key, version, request) by correlation id; those
        to Fetch undecoded."""
        self._flow = flow
        self._fetches: FetchTalk | None = None
        self.asks = _Frames(self._asked)
        self.answers = _Frames(self._answered)

    def _asked(self, frame: memoryview) -> None:
        _, key, version, correlation = _REQUEST.unpack_from(frame)
        if key not in self._watched.keys:
            return
        request: Any
        if key == _FETCH:
            request = self._fetch_talk().asked(frame)
        else:
            request = _decode_request(frame, key, version)
        self._watched.flow = self._flow
        if listeners := self._watched.requests.get(key):
            first = key == _FETCH and _begins_session(frame, version)
            if first or key != _FETCH:
                whole = request.request if first else request
                for told in listeners:
                    told(self._client, self._server, whole)
        if key in self._watched.answers:
            self._open[correlation] = (key, version, request)

    def _answered(self, frame: memoryview) -> None:
        _, correlation = _RESPONSE.unpack_from(frame)
        found = self._open.pop(correlation, None)
        if found is None:
            return
        key, version, request = found
        _, response = codec.decode_response(REQUESTS[key].RESPONSE, version, frame[4:])
        if key == _FETCH:
            talk = self._fetch_talk()
            talk.answered(request, response)
            for listener in self._watched.fetches:
                listener.fetch_answered(talk, request, response)
            if not response.responses:
                return  # Most have no partition, and decoding them costs as much as others.
            request = request.request
        self._watched.flow = self._flow
        for told in self._watched.answers[key]:
            told(self._client, self._server, request, response)

    def _fetch_talk(self) -> FetchTalk:
        if self._fetches is None:
            self._fetches = FetchTalk(self._client, self._server, self._flow)
            for listener in self._watched.fetches:
                listener.fetches_begin(self._fetches)
        return self._fetches


def _begins_session(frame: memoryview, version: int) -> bool:
    """Whether a Fetch begins a session, as a follower's first does; without decoding it."""
    if version < _REPLICA_STATE_SINCE:
        return False
    (client_id_size,) = _SHORT.unpack_from(frame, _REQUEST.size)
    body = _REQUEST.size + _SHORT.size + max(0, client_id_size) + 1
    (session_epoch,) = _SIZE.unpack_from(frame, body + _SESSION_EPOCH_AT)
    return bool(session_epoch == 0)


def _decode_request(frame: memoryview, key: int, version: int) -> Any:
    header = codec.decode_request_header(frame[4:])
    return codec.decode(REQUESTS[key], version, frame, 4 + header.body_offset)


class _Frames:
    """Cuts one side's bytes into frames, which mostly come whole; ignores other protocols."""

    __slots__ = ("_rest", "_silent", "_told")

    def __init__(self, told: Callable[[memoryview], None]) -> None:
        self._told = told
        self._rest = b""
        self._silent = False

    def __call__(self, data: bytes) -> None:
        if self._silent:
            return
        if self._rest:
            data = self._rest + data
        view = memoryview(data)
        start, size = 0, len(data)
        while size - start >= _SIZE.size:
            (length,) = _SIZE.unpack_from(data, start)
            if not 0 <= length <= _FRAME_MAX:
                self._silent = True
                return
            end = start + _SIZE.size + length
            if end > size:
                break
            if length >= _RESPONSE.size - _SIZE.size:
                self._told(view[start:end])
            start = end
        self._rest = data[start:]
