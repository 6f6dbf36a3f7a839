"""The server's side of SASL: the permitted requests in each state, and the resulting principal."""

from __future__ import annotations

import pytest

from raftka.model.access import Principal
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.router import CloseConnection
from raftka.net.security.authentication import Authentication, Offer, Rules
from raftka.net.security.plain import PlainServer, passwords
from tests.support.memory_network import VirtualClock

API_VERSIONS, HANDSHAKE, AUTHENTICATE, METADATA = 18, 17, 36, 3
USERS = {"alice": "alice-secret", "bob": "bob-secret"}
ALICE, BOB = b"\0alice\0alice-secret", b"\0bob\0bob-secret"


class Clock(VirtualClock):
    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


def made(clock: Clock | None = None, max_session_s: float = 0.0) -> Authentication:
    offers = {
        "PLAIN": Offer(lambda: PlainServer(USERS), max_session_s),
        "OTHER": Offer(lambda: PlainServer({"eve": "x"}), max_session_s),
    }
    return Authentication(Rules(offers, 0.1, 1000), clock or Clock())


def logged_in(clock: Clock | None = None, max_session_s: float = 0.0) -> Authentication:
    state = made(clock, max_session_s)
    state.handshake("PLAIN", raw=False)
    state.authenticate(ALICE)
    return state


def test_nothing_is_answered_before_somebody_is_authenticated() -> None:
    state = made()
    state.check(API_VERSIONS)
    state.check(HANDSHAKE)
    for key in (METADATA, AUTHENTICATE, 0, 1, 30, 58):
        with pytest.raises(CloseConnection, match="before authentication"):
            state.check(key)
    state.handshake("PLAIN", raw=False)
    state.check(AUTHENTICATE)
    for key in (METADATA, API_VERSIONS, HANDSHAKE):
        with pytest.raises(CloseConnection, match="before authentication"):
            state.check(key)
    assert not state.is_complete
    assert state.authenticate(ALICE) == (b"", 0)
    assert state.principal == Principal("User", "alice")
    state.check(METADATA)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (b"\0alice\0wrong", "Invalid username or password"),
        (b"\0nobody\0alice-secret", "Invalid username or password"),
        (b"root\0alice\0alice-secret", "authorization id that is different"),
        (b"\0alice", "expected 3 tokens, got 2"),
        (b"\0\0x", "username not specified"),
        (b"\0alice\0", "password not specified"),
        (b"\xff\0a\0b", "not UTF-8"),
    ],
)
def test_a_failed_attempt_is_the_last_one(token: bytes, words: str) -> None:
    state = made()
    state.handshake("PLAIN", raw=False)
    with pytest.raises(KafkaError, match=words) as caught:
        state.authenticate(token)
    assert caught.value.code is ErrorCode.SASL_AUTHENTICATION_FAILED
    assert state.principal is None and not state.is_complete
    for key in (API_VERSIONS, HANDSHAKE, AUTHENTICATE, METADATA):
        with pytest.raises(CloseConnection, match="had failed"):
            state.check(key)


def test_only_what_the_listener_offers_can_be_chosen() -> None:
    state = made()
    with pytest.raises(KafkaError) as caught:
        state.handshake("GSSAPI", raw=False)
    assert caught.value.code is ErrorCode.UNSUPPORTED_SASL_MECHANISM
    assert state.mechanisms == ["PLAIN", "OTHER"]
    with pytest.raises(CloseConnection):
        state.check(HANDSHAKE)


def test_tokens_come_as_they_are_after_the_first_version_of_the_handshake() -> None:
    state = made()
    assert not state.takes_raw_token
    state.handshake("PLAIN", raw=True)
    assert state.takes_raw_token
    state.authenticate(ALICE)
    assert not state.takes_raw_token


def test_a_session_ends_unless_it_is_renewed() -> None:
    clock = Clock()
    state = made(clock, max_session_s=10)
    state.handshake("PLAIN", raw=False)
    assert state.authenticate(ALICE) == (b"", 10_000)
    clock.now_s = 9
    state.check(METADATA)
    state.check(HANDSHAKE)
    state.handshake("PLAIN", raw=False)
    with pytest.raises(CloseConnection):
        state.check(METADATA)
    state.authenticate(ALICE)
    clock.now_s = 18
    state.check(METADATA)
    clock.now_s = 20
    with pytest.raises(CloseConnection, match="session of User:alice is over"):
        state.check(METADATA)
    state.check(HANDSHAKE)


def test_a_session_is_renewed_under_the_same_name_and_mechanism() -> None:
    state = logged_in(max_session_s=10)
    state.handshake("PLAIN", raw=False)
    with pytest.raises(KafkaError, match="Cannot change principals"):
        state.authenticate(BOB)
    other = logged_in(max_session_s=10)
    with pytest.raises(KafkaError) as caught:
        other.handshake("OTHER", raw=False)
    assert caught.value.code is ErrorCode.UNSUPPORTED_SASL_MECHANISM


def test_a_token_without_a_mechanism_is_refused() -> None:
    with pytest.raises(KafkaError) as caught:
        made().authenticate(ALICE)
    assert caught.value.code is ErrorCode.ILLEGAL_SASL_STATE


def test_passwords_of_users_are_options_of_the_login_module() -> None:
    assert passwords({"user_a": "x", "username": "b", "password": "y"}) == {"a": "x"}
