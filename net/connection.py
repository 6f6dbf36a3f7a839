"""Kafka's framing without I/O: bytes in, whole frames out.

A frame is a 4-byte size and that many bytes (protocol guide, "Network"). The buffer grows with the
bytes that really came, never with the size that a peer declared, so a lying size costs its sender
as much memory as it costs us.
"""

from __future__ import annotations

import struct

_SIZE = struct.Struct(">i")
_FIRST_CAPACITY = 4 * 1024
_ROOMY_CAPACITY = 128 * 1024
"""Up to here a buffer that a receive has filled doubles, though every frame may fit: one receive
then takes all that a busy peer has sent, and its frames share a turn, a wake and a send."""
_KEEP_CAPACITY = 4 * 1024 * 1024
"""An empty buffer above this size is released: one large request must not pin its memory."""
_WAIT_FOR_REST = 16 * 1024
"""From this size on the kernel learns how much of a frame is missing (SO_RCVLOWAT); on loopback
it would otherwise wake the connection's task for each 64 KB."""
_MAX_WAIT_FOR = 256 * 1024
"""But not for more than this at a time: the kernel would make its own buffers larger."""
_LARGE_FRAME = 192 * 1024
"""A frame from this size on is received to its end and no further: what follows it would only
have to be moved to the front, which costs more than the system call that it saves."""


class FrameTooLarge(ValueError):
    """A declared size that is negative or above the limit; the connection cannot go on."""


class FrameReader:
    """The receive side of one connection.

        size = await connection.receive_into(reader.space(), reader.missing)
        for frame in reader.frames(size): ...

    A frame is a view into the buffer, without its size field, and is valid until the next call of
    `space`: a caller that keeps bytes for longer copies them.
    """

    def __init__(self, max_frame_bytes: int) -> None:
        self.limit = max_frame_bytes
        """The largest frame that is taken."""
        self._buffer = bytearray()
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._wanted = 4
        """Bytes of the frame that has begun to come, with its size field."""

    def space(self) -> memoryview:
        """Where to receive next; never empty."""
        pending = self._end - self._start
        capacity = len(self._buffer)
        is_full = self._end == capacity
        if not pending:
            self._start = self._end = 0
            if capacity > _KEEP_CAPACITY:
                self._resize(_FIRST_CAPACITY)
            elif is_full and capacity < _ROOMY_CAPACITY:
                self._resize(max(_FIRST_CAPACITY, 2 * capacity))
            return self._view
        if is_full and (capacity < _ROOMY_CAPACITY or 2 * pending > capacity):
            self._resize(2 * capacity)
        elif self._start and self._start + self._wanted > capacity:
            # It does not fit where it is: to the front, as long as little of it has come. Slices
            # of one memoryview may overlap: the copy is a memmove.
            self._view[:pending] = self._view[self._start : self._end]
            self._start, self._end = 0, pending
        if self._wanted >= _LARGE_FRAME:
            return self._view[self._end : self._start + self._wanted]
        return self._view[self._end :]

    def frames(self, received: int) -> list[memoryview]:
        """The frames that are complete now that `received` more bytes are in `space`.

        Raises FrameTooLarge.
        """
        self._end += received
        found: list[memoryview] = []
        view, start, end = self._view, self._start, self._end
        self._wanted = 4
        while end - start >= 4:
            (size,) = _SIZE.unpack_from(view, start)
            if not 0 <= size <= self.limit:
                raise FrameTooLarge(
                    f"a frame of {size} bytes was announced; 0 to {self.limit} are allowed"
                    " (socket.request.max.bytes)"
                )
            stop = start + 4 + size
            if stop > end:
                self._wanted = 4 + size
                break
            found.append(view[start + 4 : stop])
            start = stop
        self._start = start
        return found

    @property
    def missing(self) -> int:
        """How many bytes to wait for before waking up: those that a longer frame misses."""
        if self._wanted < _WAIT_FOR_REST:
            return 1
        return min(self._start + self._wanted - self._end, _MAX_WAIT_FOR)

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
