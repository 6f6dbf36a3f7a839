"""Asks a node from a thread: one request, one answer, over a connection of its own."""

from __future__ import annotations

import itertools
import socket
import struct
from typing import Any, Final

from raftka.model.ports import bytes_of
from raftka.net.protocol import codec

_CORRELATION_IDS = itertools.count(1)
_ANSWER_BYTES_MAX: Final = 100 << 20


class Wire:
    """One connection to 127.0.0.1:`port`. Raises OSError, also when an answer is late."""

    def __init__(self, port: int, timeout_s: float = 20.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)

    def send(self, request: Any, version: int, client_id: str = "test") -> None:
        """Send without waiting for the answer."""
        pieces = codec.encode_request(request, version, next(_CORRELATION_IDS), client_id)
        self._socket.sendall(b"".join(map(bytes_of, pieces)))

    def receive(self, response: type[Any], version: int) -> Any:
        """The answer to the request that was sent first."""
        (size,) = struct.unpack(">i", self._read(4))
        if not 0 <= size <= _ANSWER_BYTES_MAX:
            raise OSError(f"the node announced an answer of {size} bytes")
        return codec.decode_response(response, version, memoryview(self._read(size)))[1]

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise ConnectionError("the node closed the connection")
            data += more
        return bytes(data)


def ask(port: int, request: Any, version: int, client_id: str = "test") -> Any:
    """The answer of the node on this port. Raises OSError when there is none in 20 s."""
    wire = Wire(port)
    try:
        wire.send(request, version, client_id)
        return wire.receive(type(request).RESPONSE, version)
    finally:
        wire.close()
