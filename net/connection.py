"""Kafka's framing without I/O: bytes in, whole frames out.

A frame is a 4-byte size and that many bytes (protocol guide, "Network"). The buffer grows with the
bytes that really came, never with the size that a peer declared, so a lying size costs its sender
as much memory as it costs us.
"""

from __future__ import annotations

import struct

_SIZE = struct.Struct(">i")
_FIRST_CAPACITY = 4 * 1024
_KEEP_CAPACITY = 4 * 1024 * 1024
"""An emptied buffer above this is let go: one large request must not pin its memory for ever."""


class FrameTooLarge(ValueError):
    """A declared size that is negative or above the limit; the connection cannot go on."""


class FrameReader:
    """The receive side of one connection.

        size = await connection.receive_into(reader.space())
        for frame in reader.frames(size): ...

    A frame is a view into the buffer, without its size field, and is valid until the next call of
    `space`: whoever keeps bytes for longer copies them.
    """

    def __init__(self, max_frame_bytes: int) -> None:
        self._limit = max_frame_bytes
        self._buffer = bytearray()
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0

    def space(self) -> memoryview:
        """Where to receive next; never empty."""
        if self._start == self._end:
            self._start = self._end = 0
            if len(self._buffer) > _KEEP_CAPACITY:
                self._resize(_FIRST_CAPACITY)
        if self._end == len(self._buffer):
            pending = self._end - self._start
            if pending * 2 <= len(self._buffer) and pending:
                # Slices of one memoryview may overlap: the copy is a memmove.
                self._view[:pending] = self._view[self._start : self._end]
                self._start, self._end = 0, pending
            else:
                self._resize(max(_FIRST_CAPACITY, 2 * len(self._buffer)))
        return self._view[self._end :]

    def frames(self, received: int) -> list[memoryview]:
        """The frames that are complete now that `received` more bytes are in `space`.

        Raises FrameTooLarge.
        """
        self._end += received
        found: list[memoryview] = []
        view, start, end = self._view, self._start, self._end
        while end - start >= 4:
            (size,) = _SIZE.unpack_from(view, start)
            if not 0 <= size <= self._limit:
                raise FrameTooLarge(
                    f"a frame of {size} bytes was announced; 0 to {self._limit} are allowed"
                    " (socket.request.max.bytes)"
                )
            stop = start + 4 + size
            if stop > end:
                break
            found.append(view[start + 4 : stop])
            start = stop
        self._start = start
        return found

    def head(self) -> bytes:
        """The first four bytes, or as many as came; for ports that more than Kafka speaks on."""
        return bytes(self._view[self._start : min(self._start + 4, self._end)])

    def take(self, received: int) -> None:
        """`received` more bytes are in `space`; look for no frames yet."""
        self._end += received

    def rest(self) -> bytes:
        """All bytes that came so far, when another protocol takes the connection over."""
        return bytes(self._view[self._start : self._end])

    @property
    def partial(self) -> bool:
        """Whether the bytes so far end inside a frame."""
        return self._end > self._start

    def _resize(self, capacity: int) -> None:
        pending = self._view[self._start : self._end]
        buffer = bytearray(capacity)
        buffer[: len(pending)] = pending
        self._buffer = buffer
        self._view = memoryview(buffer)
        self._end -= self._start
        self._start = 0
