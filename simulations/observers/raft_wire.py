"""The messages of the metadata quorum, read from the wire as they are sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack

from raftka.kraft.raft.codec import SIZE
from raftka.kraft.raft.link import PREAMBLE

OnMessage = Callable[[str, str, dict[str, Any]], None]
"""(sender, receiver, message)"""


class RaftTap:
    """One direction of one connection; silent when it turns out to carry another protocol."""

    def __init__(self, sender: str, receiver: str, dialed: bool, on_message: OnMessage) -> None:
        self._sender = sender
        self._receiver = receiver
        self._on_message = on_message
        self._data = bytearray()
        self._preamble = dialed
        self._greeted = False
        self._silent = False

    def __call__(self, data: bytes) -> None:
        if self._silent:
            return
        self._data += data
        if self._preamble:
            if len(self._data) < len(PREAMBLE):
                return
            if self._data[: len(PREAMBLE)] != PREAMBLE:
                self._silent = True
                return
            del self._data[: len(PREAMBLE)]
            self._preamble = False
        while len(self._data) >= SIZE.size:
            (size,) = SIZE.unpack_from(self._data)
            end = SIZE.size + size
            if len(self._data) < end:
                return
            body = bytes(self._data[SIZE.size : end])
            del self._data[:end]
            if not self._greeted:
                self._greeted = True  # The greeting, or a refusal that ends the connection.
                continue
            try:
                message = msgpack.unpackb(body, use_list=False)
            except (ValueError, msgpack.UnpackException):
                message = None
            if not isinstance(message, dict):  # Its fields are for the receiver to check.
                self._silent = True
                return
            self._on_message(self._sender, self._receiver, message)


class AnswerTap:
    """The server's side of a connection to a controller, which is Kafka's protocol unless the
    client is a replica.
    """

    def __init__(self, client: RaftTap, server: RaftTap) -> None:
        self._client = client
        self._server = server

    def __call__(self, data: bytes) -> None:
        if not self._client._silent:
            self._server(data)
