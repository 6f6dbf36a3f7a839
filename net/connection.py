"""Kafka's framing without I/O: bytes in, whole frames out.

A frame is a 4-byte size and that many bytes (protocol guide, "Network"). The buffer grows with the
received bytes, never with the size that a peer declared, so a peer must send as many bytes as it
makes us allocate.
"""

from __future__ import annotations

import struct

_SIZE = struct.Struct(">i")
_FIRST_CAPACITY = 4 * 1024
_ROOMY_CAPACITY = 128 * 1024
"""Up to this size a buffer that a receive has filled is doubled, even if every frame fits: one
receive then takes everything that a busy peer has sent, and its frames share a turn, a wakeup and a
send."""
_KEEP_CAPACITY = 4 * 1024 * 1024
"""Larger empty buffers are released, so that one large request does not pin its memory."""
_WAIT_FOR_REST = 16 * 1024
"""From this size on the kernel is told how much of a frame is missing (SO_RCVLOWAT); on loopback it
would otherwise wake the connection's task for every 64 KB."""
_MAX_WAIT_FOR = 256 * 1024
"""The upper bound of that: with more the kernel would enlarge its own buffers."""
_LARGE_FRAME = 192 * 1024
"""A frame of at least this size is received exactly to its end: bytes of the next frame would have
to be moved to the front, which costs more than the saved system call."""


class FrameTooLarge(ValueError):
    """A frame size that is negative or above the limit; the connection must be closed."""


class FrameReader:
    """The receive side of one connection.

    size = await connection.receive_into(reader.space(), reader.missing) for frame in
    reader.frames(size): ...

    A frame is a view into the buffer, without its size field, and is valid until the next call of
    `space`: a caller must copy bytes that it keeps for longer.
    """

    def __init__(self, max_frame_bytes: int) -> None:
        self.limit = max_frame_bytes
        """The maximal frame size."""
        self._buffer = bytearray()
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._wanted = 4
        """The bytes of the current partial frame, including its size field."""

    def space(self) -> memoryview:
        """The buffer to receive into; never empty."""
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
            # It does not fit at its position: move it to the front, while few bytes have arrived.
            # Slices of one memoryview may overlap: the copy is a memmove.
            self._view[:pending] = self._view[self._start : self._end]
            self._start, self._end = 0, pending
        if self._wanted >= _LARGE_FRAME:
            return self._view[self._end : self._start + self._wanted]
        return self._view[self._end :]

    def frames(self, received: int) -> list[memoryview]:
        """The complete frames after `received` more bytes in `space`.

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
        """How many bytes to wait for before waking up: the missing bytes of a long frame."""
        if self._wanted < _WAIT_FOR_REST:
            return 1
        return min(self._start + self._wanted - self._end, _MAX_WAIT_FOR)

    def head(self) -> bytes:
        """The first four bytes, or those that have arrived; for ports with several protocols."""
        return bytes(self._view[self._start : min(self._start + 4, self._end)])

    def take(self, received: int) -> None:
        """`received` more bytes are in `space`; do not look for frames yet."""
        self._end += received

    def rest(self) -> bytes:
        """All bytes received so far, when another protocol takes over the connection."""
        return bytes(self._view[self._start : self._end])

    @property
    def partial(self) -> bool:
        """Whether the received bytes end inside a frame."""
        return self._end > self._start

    def _resize(self, capacity: int) -> None:
        pending = self._view[self._start : self._end]
        buffer = bytearray(capacity)
        buffer[: len(pending)] = pending
        self._buffer = buffer
        self._view = memoryview(buffer)
        self._end -= self._start
        self._start = 0
