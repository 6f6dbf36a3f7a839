"""OAUTHBEARER (RFC 7628, KIP-255, KIP-768): both sides, without I/O.

client   n,,^Aauth=Bearer TOKEN^A^A
server   (nothing), or {"status":"invalid_token"}, which the client answers with ^A
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from raftka.model.errors import KafkaError
from raftka.net.security.scram import malformed
from raftka.net.security.tokens import Bearer

_FIRST: Final = re.compile(
    rb"n,(?:a=([\x21-\x2b\x2d-\x7e]+))?,\x01((?:[A-Za-z]+=[\x20-\x7e\t\r\n]*\x01)+)\x01"
)
_GO_ON: Final = b"\x01"
_REFUSED: Final = b'{"status":"invalid_token"}'
MECHANISM: Final = "OAUTHBEARER"


class FirstMessage(NamedTuple):
    """The contents of a client's first message."""

    authorization: str
    """The requested user; empty if the token determines it."""
    token: str


def parse_first(message: bytes) -> FirstMessage:
    """Raises KafkaError for a malformed first message."""
    found = _FIRST.fullmatch(message)
    if found is None:
        raise malformed("an OAUTHBEARER message that cannot be read")
    pairs = dict(
        pair.partition(b"=")[::2] for pair in found[2].rstrip(_GO_ON).split(_GO_ON) if pair
    )
    scheme, _, token = pairs.get(b"auth", b"").decode("ascii").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise malformed("an OAUTHBEARER message without a bearer token")
    return FirstMessage((found[1] or b"").decode("ascii"), token.strip())


class KeysOfIssuer(Protocol):
    """A source of the issuer's keys (net/security/issuer_keys.py)."""

    async def prepare(self, token: str) -> None:
        """Wait until the token's key is available, or cannot be fetched now."""
        ...


class OAuthServer:
    """One authentication. `check` returns the principal of a token, and raises KafkaError."""

    def __init__(self, check: Callable[[str], Bearer], keys: KeysOfIssuer) -> None:
        self._check = check
        self._keys = keys
        self._refusal: KafkaError | None = None
        self.name: str | None = None
        self.by_token = False
        self.ends_ms: int | None = None
        """When the token expires, and the session with it."""

    @property
    def is_complete(self) -> bool:
        return self.name is not None

    async def prepare(self, message: bytes) -> None:
        """Wait for external data that `step` needs."""
        if self._refusal is not None:
            return
        try:
            token = parse_first(message).token
        except KafkaError:
            return  # `step` refuses it with a message.
        await self._keys.prepare(token)

    def step(self, message: bytes) -> bytes:
        """The answer to a message. Raises KafkaError SASL_AUTHENTICATION_FAILED."""
        if self._refusal is not None:
            raise self._refusal
        first = parse_first(message)
        try:
            bearer = self._check(first.token)
            if first.authorization not in ("", bearer.name):
                raise malformed(
                    "Client requested an authorization id that is different from the token's"
                )
        except KafkaError as error:
            # The client learns of it in two steps: it answers this message with a lone ^A.
            self._refusal = error
            return _REFUSED
        self.name, self.ends_ms = bearer.name, bearer.ends_ms
        return b""


class OAuthClient:
    """One authentication by an available token."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.is_complete = False

    def first(self) -> bytes:
        return b"n,,\x01auth=Bearer " + self._token.encode() + b"\x01\x01"

    def step(self, message: bytes) -> bytes:
        """The next message after a server's answer."""
        if message:
            return _GO_ON
        self.is_complete = True
        return b""
