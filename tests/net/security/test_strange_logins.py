"""Hostile SASL logins: none succeeds, and other clients are undisturbed."""

from __future__ import annotations

import random
import struct

from raftka.net.protocol.messages.api_versions import ApiVersionsRequest
from raftka.net.protocol.messages.heartbeat import HeartbeatRequest
from raftka.net.protocol.messages.sasl_authenticate import SaslAuthenticateRequest
from raftka.net.protocol.messages.sasl_handshake import SaslHandshakeRequest
from tests.support.hostile_logins import (
    AT_THE_END,
    MAX_TOKEN_BYTES,
    SCRAM,
    attack,
    framed,
    place,
    request,
)

ROUNDS = 150


FIRST = {
    "PLAIN": [b"\0alice\0wrong", b"alice\0alice\0wrong", b"\0\0", b"\0" * 2000],
    SCRAM: [
        b"n,,n=alice,r=mine",
        b"n,a=bob,n=alice,r=mine",
        b"y,,n=alice,r=mine,tokenauth=true",
        b"p=tls-unique,,n=alice,r=mine",
        b"n,,n==2C=3D=00,r=mine",
        b"n,,m=x,n=alice,r=mine",
        b"n,,n=alice,r=" + b"r" * 3000,
    ],
    "OAUTHBEARER": [
        b"n,,\x01auth=Bearer a.b.c\x01\x01",
        b"n,a=bob,\x01auth=Bearer \x01\x01",
        b"\x01",
        b"n,,\x01auth=Basic x\x01a=b\x01\x01",
    ],
}
NEXT = [
    b"",
    b"\x01",
    b"c=biws,r=minenonce,p=" + b"QUFB" * 11,
    b"c=biws,r=minenonce,p=%%%",
    b"c=biws,r=other,p=AAAA",
    b"c=,r=minenonce,p=",
    b"p=AAAA",
    b"r=minenonce,c=biws,p=AAAA,p=BBBB",
]


def spoiled(dice: random.Random, data: bytes) -> bytes:
    """The bytes, perhaps slightly changed."""
    kind = dice.randrange(6)
    if kind == 0 and data:
        return data[: dice.randrange(len(data))]
    if kind == 1 and data:
        changed = bytearray(data)
        changed[dice.randrange(len(data))] = dice.getrandbits(8)
        return bytes(changed)
    if kind == 2:
        return data + dice.randbytes(dice.choice((1, 50, 900)))
    if kind == 3:
        return dice.randbytes(dice.choice((0, 1, 100)))
    return data


def login_attempt(dice: random.Random) -> list[bytes]:
    """Frames of a login that must fail, in some order; then a request."""
    mechanism = dice.choice((*FIRST, *FIRST, "GSSAPI", "", "x" * 300))
    version = dice.choice((0, 1, 1))
    tokens = [dice.choice(FIRST.get(mechanism, NEXT)), dice.choice(NEXT), dice.choice(NEXT)]
    tokens = [spoiled(dice, token) for token in tokens[: dice.randint(0, 3)]]
    frames = [request(SaslHandshakeRequest(mechanism=mechanism), version)]
    for token in tokens:
        wrapped = request(SaslAuthenticateRequest(auth_bytes=token), dice.choice((0, 1, 2)))
        frames.append(framed(token) if version == 0 else wrapped)
    kind = dice.randrange(8)
    if kind == 0:
        dice.shuffle(frames)
    elif kind == 1:
        frames += frames
    elif kind == 2:
        frames.insert(dice.randint(0, len(frames)), request(ApiVersionsRequest(), 0))
    elif kind == 3:
        frames[-1] = spoiled(dice, frames[-1])
    elif kind == 4:
        size = dice.choice((MAX_TOKEN_BYTES + 1, 100_000, (1 << 31) - 1, -1))
        frames.append(struct.pack(">i", size) + bytes(100))
    return [*frames, request(HeartbeatRequest(), 4, AT_THE_END)]


async def test_nobody_gets_in_by_a_strange_login(autojump_clock: object) -> None:
    dice = random.Random(1)
    closed = 0
    async with place(None, None) as found:
        for number in range(ROUNDS):
            closed += await attack(found.fabric, login_attempt(dice))
            if number % 50 == 0:
                await found.ping()
    assert closed == ROUNDS, "each was refused, or was not through in time"
