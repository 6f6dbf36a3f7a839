"""PLAIN (RFC 4616): the client sends its password, so TLS or a trusted network must carry it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.security.scram import malformed


def passwords(options: Mapping[str, str]) -> dict[str, str]:
    """The passwords in a server's PlainLoginModule, by user: user_NAME="PASSWORD"."""
    return {
        name.removeprefix("user_"): value
        for name, value in options.items()
        if name.startswith("user_")
    }


class PlainServer:
    """One authentication; passwords are compared in constant time."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known
        self.name: str | None = None
        self.by_token = False
        self.ends_ms: int | None = None

    @property
    def is_complete(self) -> bool:
        return self.name is not None

    async def prepare(self, message: bytes) -> None:
        """Do nothing."""

    def step(self, message: bytes) -> bytes:
        """Raises KafkaError SASL_AUTHENTICATION_FAILED."""
        try:
            parts = message.decode().split("\0")
        except UnicodeDecodeError as error:
            raise malformed("a PLAIN message that is not UTF-8") from error
        if len(parts) != 3:
            raise malformed(
                "Invalid SASL/PLAIN response: expected 3 tokens, got " + str(len(parts))
            )
        authorization, user, password = parts
        if not user or not password:
            raise malformed(
                f"Invalid SASL/PLAIN response: {'password' if user else 'username'} not specified"
            )
        expected = self._known.get(user)
        # An unknown user takes as long as a wrong password.
        right = hmac.compare_digest(password.encode(), (expected or password + "?").encode())
        if expected is None or not right:
            raise malformed("Invalid username or password")
        if authorization not in ("", user):
            raise malformed("Client requested an authorization id that is different from username")
        self.name = user
        return b""


class PlainClient:
    """One authentication, which consists of one message."""

    is_complete = True

    def __init__(self, user: str, password: str) -> None:
        self._message = f"\0{user}\0{password}".encode()

    def first(self) -> bytes:
        return self._message

    def step(self, message: bytes) -> bytes:
        if message:
            raise KafkaError(
                ErrorCode.SASL_AUTHENTICATION_FAILED, "the server answered PLAIN with a challenge"
            )
        return b""
