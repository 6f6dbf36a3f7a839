"""The client's side: a network that returns secured connections.

Components that connect (a node's channels and fetchers, the quorum's links, a client) get one of
these in place of the plain network, and need not know about TLS and SASL.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Any, Final, NamedTuple, Protocol, cast

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.errors import text as error_text
from raftka.model.ports import (
    AuthenticationFailed,
    BrokenConnection,
    Clock,
    Connection,
    Listener,
    Network,
    Piece,
    Poller,
)
from raftka.net.protocol import codec
from raftka.net.protocol.codec import MalformedMessage
from raftka.net.protocol.message import Request
from raftka.net.protocol.messages.sasl_authenticate import SaslAuthenticateRequest
from raftka.net.protocol.messages.sasl_handshake import SaslHandshakeRequest

_SIZE: Final = struct.Struct(">i")
_MAX_ANSWER: Final = 1024 * 1024
_MAX_STEPS: Final = 8
_RENEWED_AFTER: Final = 0.85
"""The fraction of a session's lifetime after which it is renewed; 0.85 to 0.95 in Kafka."""

Ask = Callable[[Request[Any], int], Awaitable[Any]]
"""Sends a request in a version to the other side, and returns its answer."""


class ClientMechanism(Protocol):
    """One authentication in progress, on the client's side."""

    @property
    def is_complete(self) -> bool: ...

    def first(self) -> bytes:
        """The first message."""
        ...

    def step(self, message: bytes) -> bytes:
        """The next message after a server's answer; empty if there is none. Raises KafkaError."""
        ...


class TokenSource(Protocol):
    """A source of tokens (net/security/token_source.py)."""

    async def prepare(self) -> None:
        """Get a token that is valid for a login. Raises BrokenConnection."""
        ...

    def token(self) -> str:
        """Raises AuthenticationFailed."""
        ...


class Login(NamedTuple):
    """How to authenticate."""

    mechanism: str
    begin: Callable[[], ClientMechanism]
    prepare: Callable[[], Awaitable[None]] | None = None
    """Get what `begin` needs first, such as a token. Raises BrokenConnection."""


class SecuredNetwork:
    """Connects by `network`, then secures the connection: first TLS, then SASL."""

    def __init__(
        self,
        network: Network,
        clock: Clock,
        client_id: str,
        *,
        login: Login | None = None,
        wrap: Callable[[Connection, str], Any] | None = None,
    ) -> None:
        """`wrap` starts TLS with a host on a connection."""
        self._network = network
        self._clock = clock
        self._client_id = client_id
        self._login = login
        self._wrap = wrap

    async def connect(self, host: str, port: int, *, timeout_s: float = 10.0) -> Connection:
        """Raises BrokenConnection; AuthenticationFailed if a retry would not help."""
        began = self._clock.monotonic()
        connection = await self._network.connect(host, port, timeout_s=timeout_s)
        secured = False
        try:
            left_s = timeout_s - (self._clock.monotonic() - began)
            with self._clock.within(left_s) as limit:
                if self._wrap is not None:
                    connection = cast(Connection, await self._wrap(connection, host))
                if self._login is not None:
                    connection = await log_in(connection, self._login, self._client_id, self._clock)
                secured = True
            if limit.cancelled_caught:
                raise BrokenConnection(f"{connection.peer}: not secured within {timeout_s:g} s")
        finally:
            if not secured:
                connection.close()
        return connection

    async def listen(self, host: str, port: int, *, backlog: int = 1024) -> Listener:
        return await self._network.listen(host, port, backlog=backlog)

    def poller(self) -> Poller | None:
        """None: secured connections are received by tasks of their own."""
        return None


class Renewal:
    """Reauthenticates one connection before its session expires (KIP-368)."""

    def __init__(self, login: Login, peer: str, clock: Clock) -> None:
        self._login = login
        self._peer = peer
        self._clock = clock
        self.due_s = inf
        """When `renew` must be called, by the clock; never if sessions do not expire."""

    async def renew(self, ask: Ask) -> None:
        """Authenticate, for the first time or again. Raises AuthenticationFailed, BrokenConnection.

        No other request may be sent between its requests.
        """
        began = self._clock.monotonic()
        lasts_ms = await _authenticate(ask, self._login, self._peer)
        self.due_s = began + lasts_ms / 1000 * _RENEWED_AFTER if lasts_ms > 0 else inf


class RenewableConnection:
    """A connection whose session expires; `net.channel` renews it in time."""

    def __init__(self, inner: Connection, renewal: Renewal) -> None:
        self._inner = inner
        self.renewal = renewal
        self.peer = inner.peer

    async def receive_into(self, buffer: bytearray | memoryview, at_least: int = 1) -> int:
        return await self._inner.receive_into(buffer, at_least)

    def receive_now(self, buffer: bytearray | memoryview) -> int | None:
        return self._inner.receive_now(buffer)

    async def send(self, pieces: Sequence[Piece]) -> None:
        await self._inner.send(pieces)

    def send_now(self, pieces: list[Piece]) -> list[Piece]:
        return self._inner.send_now(pieces)

    def close(self) -> None:
        self._inner.close()


async def log_in(connection: Connection, login: Login, client_id: str, clock: Clock) -> Connection:
    """Authenticate on a new connection; return the connection to use from then on.

    Raises AuthenticationFailed, BrokenConnection.
    """
    renewal = Renewal(login, connection.peer, clock)
    await renewal.renew(_Asking(connection, client_id).ask)
    return connection if renewal.due_s == inf else RenewableConnection(connection, renewal)


async def _authenticate(ask: Ask, login: Login, peer: str) -> int:
    """The lifetime of the session in ms; 0 for no limit. Raises AuthenticationFailed."""
    if login.prepare is not None:
        await login.prepare()
    mechanism = login.begin()
    chosen = await ask(SaslHandshakeRequest(mechanism=login.mechanism), 1)
    if chosen.error_code:
        offered = ", ".join(chosen.mechanisms) or "none"
        raise AuthenticationFailed(
            f"{peer}: {_words(chosen.error_code)}; this side wants {login.mechanism}, the other"
            f" offers {offered}"
        )
    token = mechanism.first()
    for _ in range(_MAX_STEPS):
        answer = await ask(SaslAuthenticateRequest(auth_bytes=token), 1)
        if answer.error_code:
            why = answer.error_message or _words(answer.error_code)
            raise AuthenticationFailed(f"{peer}: {why}")
        try:
            token = mechanism.step(bytes(answer.auth_bytes))
        except KafkaError as error:
            raise AuthenticationFailed(f"{peer}: {error.message}") from error
        if mechanism.is_complete:
            return int(answer.session_lifetime)
    raise AuthenticationFailed(f"{peer}: {login.mechanism} comes to no end")


def _words(code: int) -> str:
    return error_text(code) if code in list(ErrorCode) else f"error {code}"


class _Asking:
    """Requests and their answers, one at a time, before a channel takes over the connection."""

    def __init__(self, connection: Connection, client_id: str) -> None:
        self._connection = connection
        self._client_id = client_id
        self._next = 0

    async def ask(self, request: Request[Any], version: int) -> Any:
        pieces = codec.encode_request(request, version, self._next, self._client_id)
        await self._connection.send(pieces)
        (size,) = _SIZE.unpack(await self._receive(4))
        peer = self._connection.peer
        if not 4 <= size <= _MAX_ANSWER:
            raise AuthenticationFailed(f"{peer}: its answer to {request.API_NAME} is no answer")
        try:
            number, answer = codec.decode_response(
                request.RESPONSE, version, await self._receive(size)
            )
        except MalformedMessage as error:
            raise AuthenticationFailed(f"{peer}: {error}") from error
        if number != self._next:
            raise AuthenticationFailed(f"{peer}: it answers another request than was asked")
        self._next += 1
        return answer

    async def _receive(self, size: int) -> bytes:
        buffer = bytearray(size)
        view, at = memoryview(buffer), 0
        while at < size:
            received = await self._connection.receive_into(view[at:])
            if not received:
                raise BrokenConnection(
                    f"{self._connection.peer}: the other side closed the connection while this"
                    " one logged in"
                )
            at += received
        return bytes(buffer)


def login_of(
    mechanism: str,
    user: str,
    password: str,
    nonce: Callable[[], str],
    *,
    by_token: bool = False,
) -> Login:
    """A login by name and password. Raises ValueError for another mechanism.

    `by_token`: these are the id and the HMAC of a delegation token, for SCRAM (KIP-48).
    """
    from raftka.model.scram import HASHES
    from raftka.net.security.plain import PlainClient
    from raftka.net.security.scram import ScramClient

    if mechanism == "PLAIN":
        return Login(mechanism, lambda: PlainClient(user, password))
    if mechanism in HASHES:
        extensions = {"tokenauth": "true"} if by_token else {}
        return Login(mechanism, lambda: ScramClient(mechanism, user, password, nonce(), extensions))
    raise ValueError(f"the SASL mechanism {mechanism} is not known; PLAIN, {', '.join(HASHES)} are")


def token_login(source: TokenSource) -> Login:
    """A login by tokens (OAUTHBEARER)."""
    from raftka.net.security.oauth import MECHANISM, OAuthClient

    return Login(MECHANISM, lambda: OAuthClient(source.token()), source.prepare)
