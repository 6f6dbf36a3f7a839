"""The server's side of SASL on one connection: from nothing to a principal (KIP-43, KIP-152).

    Handshake(mechanism) -> Authenticate(token)... -> requests, until the session is over -> again

Before it is through, a connection asks ApiVersions, SaslHandshake and SaslAuthenticate, and nothing
else. A session with an end is renewed by the same two requests, under the same principal and
mechanism (KIP-368); a client that sends requests past the end is disconnected. After version 0 of
SaslHandshake tokens come without a request around them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from raftka.model.access import Principal
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Clock
from raftka.net.router import CloseConnection

_API_VERSIONS: Final = 18
_HANDSHAKE: Final = 17
_AUTHENTICATE: Final = 36


class Mechanism(Protocol):
    """One authentication in progress, on the server's side."""

    name: str | None
    """The user, once proved."""
    by_token: bool
    """Whether the user was authenticated by a delegation token."""
    ends_ms: int | None
    """When the credential expires, in ms since 1970, and the session with it; None for never."""

    @property
    def is_complete(self) -> bool: ...

    async def prepare(self, message: bytes) -> None:
        """Wait for external data that `step` needs, such as an issuer's keys."""
        ...

    def step(self, message: bytes) -> bytes:
        """The answer to a message. Raises KafkaError SASL_AUTHENTICATION_FAILED."""
        ...


class Offer(NamedTuple):
    """One mechanism of a listener."""

    begin: Callable[[], Mechanism]
    max_session_s: float = 0.0
    """The maximal lifetime of a session (connections.max.reauth.ms); 0 for no limit."""


class Rules(NamedTuple):
    """A listener's requirements for its clients."""

    offers: Mapping[str, Offer]
    failure_delay_s: float
    """How long the answer to a failed attempt is delayed."""
    max_token_bytes: int
    """The largest frame before a client is authenticated."""
    login_comes_first: bool = True


class _State(enum.Enum):
    HANDSHAKE = "a mechanism has to be chosen"
    TOKENS = "tokens come in SaslAuthenticate"
    RAW_TOKENS = "tokens come as they are"
    DONE = "authenticated"
    FAILED = "refused"


class Authentication:
    """The authentication state of one connection; `check` is called for each of its requests."""

    def __init__(self, rules: Rules, clock: Clock) -> None:
        self.rules = rules
        self.principal: Principal | None = None
        """The client's principal, once it has authenticated."""
        self.by_token = False
        """Whether it was authenticated by a delegation token."""
        self._clock = clock
        self._state = _State.HANDSHAKE
        self._chosen: str | None = None
        self._mechanism: Mechanism | None = None
        self._ends_s: float | None = None

    @property
    def is_complete(self) -> bool:
        return self.principal is not None

    @property
    def takes_raw_token(self) -> bool:
        """Whether the next frame is a token instead of a request."""
        return self._state is _State.RAW_TOKENS

    @property
    def mechanisms(self) -> list[str]:
        return list(self.rules.offers)

    async def pause(self) -> None:
        await self._clock.sleep(self.rules.failure_delay_s)

    def check(self, api_key: int) -> None:
        """Raise CloseConnection for a request that is not allowed in this state."""
        state = self._state
        if not self.rules.login_comes_first:
            return
        if state is _State.DONE:
            if api_key in (_HANDSHAKE, _AUTHENTICATE):
                return
            if self._ends_s is not None and self._clock.monotonic() > self._ends_s:
                raise CloseConnection(
                    f"the session of {self.principal} is over, and was not renewed"
                    " (connections.max.reauth.ms)"
                )
            return
        if state is _State.HANDSHAKE and api_key in (_API_VERSIONS, _HANDSHAKE):
            return
        if state is _State.TOKENS and api_key == _AUTHENTICATE:
            return
        if state is _State.FAILED:
            raise CloseConnection("a request came after the authentication had failed")
        raise CloseConnection(
            f"API key {api_key} was asked before authentication ({state.value}); the listener"
            f" offers {', '.join(self.rules.offers)}"
        )

    def handshake(self, mechanism: str, *, raw: bool) -> None:
        """Choose a mechanism. Raises KafkaError; the connection must then be closed."""
        if self._state not in (_State.HANDSHAKE, _State.DONE):
            raise self._failed(ErrorCode.ILLEGAL_SASL_STATE, "a mechanism was chosen already")
        offer = self.rules.offers.get(mechanism)
        if offer is None or (self._state is _State.DONE and mechanism != self._chosen):
            raise self._failed(
                ErrorCode.UNSUPPORTED_SASL_MECHANISM, f"SASL mechanism {mechanism} is not offered"
            )
        self._chosen = mechanism
        self._mechanism = offer.begin()
        self._state = _State.RAW_TOKENS if raw else _State.TOKENS

    async def prepare(self, token: bytes) -> None:
        """Wait for external data that `authenticate` needs, such as an issuer's keys."""
        if self._mechanism is not None:
            await self._mechanism.prepare(token)

    def authenticate(self, token: bytes) -> tuple[bytes, int]:
        """(the answer to a token, the session's lifetime in ms or 0).

        Raises KafkaError; the connection must then be closed.
        """
        mechanism, chosen = self._mechanism, self._chosen
        if mechanism is None or chosen is None:
            raise self._failed(ErrorCode.ILLEGAL_SASL_STATE, "no mechanism was chosen")
        try:
            answer = mechanism.step(token)
        except KafkaError as error:
            raise self._failed(error.code, error.message) from error
        if not mechanism.is_complete:
            return answer, 0
        found = Principal("User", mechanism.name or "")
        if self.principal is not None and found != self.principal:
            words = (
                f"Cannot change principals during re-authentication from {self.principal}: {found}"
            )
            raise self._failed(ErrorCode.SASL_AUTHENTICATION_FAILED, words)
        self.principal, self.by_token = found, mechanism.by_token
        self._mechanism = None
        self._state = _State.DONE
        lasts_s = self.rules.offers[chosen].max_session_s
        if mechanism.ends_ms is not None:
            left_s = max(0.001, (mechanism.ends_ms - self._clock.wall_ms()) / 1000)
            lasts_s = min(lasts_s, left_s) if lasts_s > 0 else left_s
        self._ends_s = self._clock.monotonic() + lasts_s if lasts_s > 0 else None
        return answer, int(lasts_s * 1000)

    def _failed(self, code: ErrorCode, words: str) -> KafkaError:
        self._state = _State.FAILED
        self._mechanism = None
        return KafkaError(code, words)
