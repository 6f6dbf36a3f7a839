"""Hostile frames for every API: what a broken, careless or malicious peer may send.

    for frame in hostile_frames(random.Random(seed), 100):
        socket.sendall(frame.data)

All are seeded, and all begin with a size field, so that they can go to a raw socket as they are.
Some are well framed and end by themselves; `open_ended` ones announce more bytes than they have,
so the peer waits for the rest until the connection is closed.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from raftka.net.protocol import codec
from raftka.net.protocol.codec import REQUESTS
from tests.support.messages import random_message, versions


@dataclass(frozen=True, slots=True)
class HostileFrame:
    """The bytes for the socket, and what is wrong with them."""

    kind: str
    api_key: int
    """-1 when no API is meant."""
    api_version: int
    data: bytes
    open_ended: bool = False

    @property
    def body(self) -> bytes:
        """The frame without its size field."""
        return self.data[4:]


def valid_frame(dice: random.Random, api_key: int, version: int) -> bytes:
    """A well-formed request with random contents."""
    message = random_message(REQUESTS[api_key], version, dice)
    client_id = dice.choice((None, "", "fuzz"))
    pieces = codec.encode_request(message, version, dice.getrandbits(31), client_id)
    return b"".join(pieces)  # type: ignore[arg-type]


def _framed(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


def random_bytes(dice: random.Random, frame: bytes) -> bytes:
    return _framed(dice.randbytes(dice.choice((0, 1, 4, 7, 8, 10, 13, 100, 5000))))


def random_body(dice: random.Random, frame: bytes) -> bytes:
    """A proper header, then noise."""
    return _framed(frame[4:12] + b"\xff\xff" + dice.randbytes(dice.choice((0, 1, 16, 300))))


def truncated(dice: random.Random, frame: bytes) -> bytes:
    """Bytes are missing at the end, and the size field agrees with that."""
    return _framed(frame[4 : dice.randrange(4, len(frame))])


def trailing(dice: random.Random, frame: bytes) -> bytes:
    """Bytes follow after the message's end."""
    return _framed(frame[4:] + dice.randbytes(dice.choice((1, 2, 50))))


def flipped(dice: random.Random, frame: bytes) -> bytes:
    """Some bytes behind the API key and version are others."""
    data = bytearray(frame)
    for _ in range(dice.choice((1, 1, 2, 8))):
        data[dice.randrange(8, len(data))] = dice.getrandbits(8)
    return bytes(data)


_LIES = (
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\xff\xff\xff\xfe",
    b"\x00\xff\xff\xff",
    b"\x7f\xff",
    b"\x80\x00",
    b"\xff\xff\xff\xff\x07",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff",
    b"\xff",
    b"\x00",
)


def lying(dice: random.Random, frame: bytes) -> bytes:
    """A length or count somewhere is as large as it can be, negative, or null."""
    at = dice.randrange(12, len(frame)) if len(frame) > 12 else len(frame)
    lie = dice.choice(_LIES)
    return _framed(frame[4:at] + lie + frame[at + len(lie) :])


def unknown_api(dice: random.Random, frame: bytes) -> bytes:
    return _framed(struct.pack(">h", dice.choice((-1, 999, 5, 32767, -32768))) + frame[6:])


def unknown_version(dice: random.Random, frame: bytes) -> bytes:
    return _framed(frame[4:6] + struct.pack(">h", dice.choice((-1, 99, 32767))) + frame[8:])


def oversized(dice: random.Random, frame: bytes) -> bytes:
    """Announces gigabytes, or less than nothing."""
    return struct.pack(">i", dice.choice((2**31 - 1, 2**30, -1, -(2**31)))) + frame[4:]


def cut_off(dice: random.Random, frame: bytes) -> bytes:
    """The size field is right, but the rest never comes."""
    return frame[: dice.randrange(1, len(frame))]


KINDS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    function.__name__: function
    for function in (
        random_bytes,
        random_body,
        truncated,
        trailing,
        flipped,
        lying,
        unknown_api,
        unknown_version,
        oversized,
        cut_off,
    )
}
"""Every way to spoil a valid frame."""

_OPEN_ENDED = ("oversized", "cut_off")
_OF_NO_API = ("random_bytes", "unknown_api")


def hostile_frame(dice: random.Random, api_key: int, version: int, kind: str) -> HostileFrame:
    """A frame for one API that is spoiled in one way."""
    data = KINDS[kind](dice, valid_frame(dice, api_key, version))
    key = -1 if kind in _OF_NO_API else api_key
    return HostileFrame(kind, key, version, data, kind in _OPEN_ENDED)


def hostile_frames(dice: random.Random, each: int) -> Iterator[HostileFrame]:
    """`each` frames for every API, in random versions and of random kinds."""
    kinds = sorted(KINDS)
    for api_key in REQUESTS:
        for _ in range(each):
            version = dice.choice(versions(REQUESTS[api_key]))
            yield hostile_frame(dice, api_key, version, dice.choice(kinds))
