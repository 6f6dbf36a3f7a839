"""Encoded messages as one byte string."""

from __future__ import annotations

from collections.abc import Sequence

from raftka.model.ports import Piece, bytes_of
from raftka.net.protocol.codec import encode
from raftka.net.protocol.message import Message


def joined(pieces: Sequence[Piece]) -> bytes:
    """The bytes of the pieces on the wire; regions of files are read."""
    return b"".join(map(bytes_of, pieces))


def encoded(message: Message, version: int) -> bytes:
    """The message without header and size."""
    return joined(encode(message, version))
