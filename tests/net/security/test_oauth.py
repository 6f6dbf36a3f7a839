"""OAUTHBEARER: the accepted tokens, and both sides' messages."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import jwt
import pytest
import trio

from raftka.model.errors import KafkaError
from raftka.model.ports import BrokenConnection
from raftka.net.security.authentication import Authentication, Offer, Rules
from raftka.net.security.http import Http
from raftka.net.security.issuer_keys import FileKeys, UrlKeys
from raftka.net.security.oauth import OAuthClient, OAuthServer
from raftka.net.security.token_source import Credentials, source_of
from raftka.net.security.tokens import Bearer, KeySet, TokenRules, accepted
from tests.support.issuer import ISSUER, Issuer
from tests.support.memory_network import VirtualClock

RULES = TokenRules(("kafka", "other"), ISSUER)
NOW_S = 1_700_000_000


@pytest.fixture(scope="module", params=["RSA", "EC"])
def issuer(request: pytest.FixtureRequest) -> Issuer:
    return Issuer(request.param)


class Clock(VirtualClock):
    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def wall_ms(self) -> int:
        return int((NOW_S + self.now_s) * 1000)


class Ready:
    async def prepare(self, token: str) -> None:
        pass


def check(issuer: Issuer, token: str, rules: TokenRules = RULES, at_s: float = NOW_S) -> Bearer:
    return accepted(KeySet(issuer.jwks).verified(token), rules, at_s)


def token(issuer: Issuer, **changes: object) -> str:
    return issuer.token(**{"iat": NOW_S, "exp": NOW_S + 60, **changes})


def test_a_token_proves_who_one_is(issuer: Issuer) -> None:
    found = check(issuer, token(issuer, scope="read write"))
    assert found == Bearer("alice", (NOW_S + 60) * 1000, ("read", "write"))
    renamed = RULES._replace(subject_claim="email", scope_claim="scp")
    found = check(issuer, token(issuer, email="a@b", scp=["x"]), renamed)
    assert (found.name, found.scopes) == ("a@b", ("x",))
    assert check(issuer, token(issuer, aud=["x", "other"])).name == "alice"
    assert check(issuer, token(issuer, aud=None, iss="x"), TokenRules()).name == "alice"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exp": NOW_S - 31}, "expired"),
        ({"exp": None}, "exp is no time"),
        ({"exp": True}, "exp is no time"),
        ({"iat": None}, "iat is no time"),
        ({"nbf": NOW_S + 31}, "not valid yet"),
        ({"aud": "somebody"}, "for others"),
        ({"aud": None}, "for others"),
        ({"iss": "https://else"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"sub": "  "}, "names no user"),
        ({"sub": None}, "names no user"),
    ],
)
def test_tokens_for_others_or_another_time_are_refused(
    issuer: Issuer, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(KafkaError, match=words):
        check(issuer, token(issuer, **changes))


def test_clocks_may_be_a_little_apart(issuer: Issuer) -> None:
    assert check(issuer, token(issuer, exp=NOW_S - 29)).name == "alice"
    assert check(issuer, token(issuer, nbf=NOW_S + 29)).name == "alice"
    with pytest.raises(KafkaError, match="expired"):
        check(issuer, token(issuer, exp=NOW_S - 29), RULES._replace(skew_s=10))


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_signatures_that_prove_nothing_are_refused(issuer: Issuer) -> None:
    claims = issuer.claims(iat=NOW_S, exp=NOW_S + 60)
    for algorithm in ("none", "None", "NONE"):
        forged = f"{encoded({'alg': algorithm, 'kid': 'one'})}.{encoded(claims)}."
        with pytest.raises(KafkaError, match="not accepted"):
            check(issuer, forged)
    # The classic attack: the public key as the shared secret.
    shared = jwt.encode(claims, "public" * 8, "HS256", headers={"kid": "one"})
    with pytest.raises(KafkaError, match="HS256, which proves nothing"):
        check(issuer, shared)
    with pytest.raises(KafkaError, match="signature is not by a key of the issuer"):
        check(issuer, Issuer(issuer.kind).sign(claims))
    with pytest.raises(KafkaError, match="key is not among the issuer's"):
        check(issuer, Issuer(issuer.kind, "two").sign(claims))
    head, body, signature = token(issuer).split(".")
    changed = encoded({**claims, "sub": "admin"})
    with pytest.raises(KafkaError, match="signature"):
        check(issuer, f"{head}.{changed}.{signature}")
    for broken in ("", "x", "a.b.c", f"{head}.{body}", f"{head}.{body}."):
        with pytest.raises(KafkaError, match="not accepted"):
            check(issuer, broken)


def test_a_key_of_its_own_in_the_token_is_not_used(issuer: Issuer) -> None:
    stranger = Issuer(issuer.kind)
    claims = issuer.claims(iat=NOW_S, exp=NOW_S + 60)
    forged = stranger.sign(claims, jwk=stranger.jwk, jku="https://evil.test/keys")
    with pytest.raises(KafkaError, match="signature"):
        check(issuer, forged)


def test_keys_that_are_no_keys_are_passed_over(issuer: Issuer) -> None:
    for text in (b"", b"[]", b"{}", b'{"keys": 1}', b"\xff"):
        with pytest.raises(ValueError, match="JWKS"):
            KeySet(text)
    odd = [1, {}, {"kty": "RSA", "kid": "one"}, {**issuer.jwk, "use": "enc"}]
    keys = KeySet(json.dumps({"keys": [*odd, issuer.jwk]}).encode())
    assert keys.verified(token(issuer))["sub"] == "alice"
    only_others = KeySet(json.dumps({"keys": odd}).encode())
    with pytest.raises(KafkaError):
        only_others.verified(token(issuer))


def authentication(issuer: Issuer, clock: Clock, max_session_s: float = 0.0) -> Authentication:
    def prove(text: str) -> Bearer:
        return check(issuer, text, at_s=clock.wall_ms() / 1000)

    offer = Offer(lambda: OAuthServer(prove, Ready()), max_session_s)
    state = Authentication(Rules({"OAUTHBEARER": offer}, 0.1, 10_000), clock)
    state.handshake("OAUTHBEARER", raw=False)
    return state


def test_a_session_ends_with_its_token(issuer: Issuer) -> None:
    clock = Clock()
    client = OAuthClient(token(issuer))
    state = authentication(issuer, clock)
    answer, lasts_ms = state.authenticate(client.first())
    assert (answer, lasts_ms) == (b"", 60_000)
    assert client.step(answer) == b"" and client.is_complete
    assert str(state.principal) == "User:alice"
    shorter = authentication(issuer, clock, max_session_s=20)
    assert shorter.authenticate(OAuthClient(token(issuer)).first())[1] == 20_000
    longer = authentication(issuer, clock, max_session_s=200)
    assert longer.authenticate(OAuthClient(token(issuer)).first())[1] == 60_000


def test_a_refusal_takes_two_steps(issuer: Issuer) -> None:
    state = authentication(issuer, Clock())
    client = OAuthClient(token(issuer, aud="others"))
    answer, _ = state.authenticate(client.first())
    assert json.loads(answer) == {"status": "invalid_token"} and not state.is_complete
    with pytest.raises(KafkaError, match="for others"):
        state.authenticate(client.step(answer))
    assert state.principal is None and not client.is_complete


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x01",
        b"n,,",
        b"n,,\x01auth=Bearer \x01\x01",
        b"n,,\x01auth=Basic abc\x01\x01",
        b"n,,\x01other=Bearer abc\x01\x01",
        b"y,,\x01auth=Bearer abc\x01\x01",
        b"n,,\x01auth=Bearer abc\x01",
        b"n,,\x01auth=Bearer \xff\x01\x01",
    ],
)
async def test_a_message_that_is_none_is_refused(issuer: Issuer, message: bytes) -> None:
    state = authentication(issuer, Clock())
    await state.prepare(message)
    with pytest.raises(KafkaError, match="Authentication failed"):
        state.authenticate(message)


def test_one_cannot_be_another_than_the_token_says(issuer: Issuer) -> None:
    state = authentication(issuer, Clock())
    state.authenticate(b"n,a=admin,\x01auth=Bearer " + token(issuer).encode() + b"\x01\x01")
    with pytest.raises(KafkaError, match="different from the token's"):
        state.authenticate(b"\x01")
    same = authentication(issuer, Clock())
    same.authenticate(
        b"n,a=alice,\x01auth=Bearer " + token(issuer).encode() + b"\x01traceId=1\x01\x01"
    )
    assert same.is_complete


def test_a_file_of_keys_is_read_again_when_it_changes(tmp_path: Path) -> None:
    first, second = Issuer("EC", "one"), Issuer("EC", "two")
    path = tmp_path / "keys.json"
    path.write_bytes(first.jwks)
    clock = Clock()
    keys = FileKeys(str(path), clock.monotonic)
    assert keys.keys().has("one")
    path.write_bytes(b"half a fi")
    os.utime(path, ns=(1, 1))
    clock.now_s = 2
    assert keys.keys().has("one"), "what was good stays in use"
    path.write_bytes(second.jwks)
    os.utime(path, ns=(2, 2))
    clock.now_s = 4
    assert keys.keys().has("two") and not keys.keys().has("one")


class Server:
    """Answers with keys, or with an error."""

    def __init__(self, *issuers: Issuer) -> None:
        self.issuers = issuers
        self.asked = 0
        self.silent: trio.Event | None = None
        """While it is there and not set, no answer comes."""

    async def fetch(self, url: str) -> bytes:
        self.asked += 1
        if self.silent is not None:
            await self.silent.wait()
        if not self.issuers:
            raise BrokenConnection("refused")
        return json.dumps({"keys": [each.jwk for each in self.issuers]}).encode()


async def test_keys_at_a_url_are_asked_for_when_they_are_needed() -> None:
    one, two, stranger = (Issuer("EC", name) for name in ("one", "two", "stranger"))
    server, clock = Server(), Clock()
    keys = UrlKeys("u", server.fetch, clock, refresh_s=3600, pause_s=0.1, longest_pause_s=10)
    await keys.prepare(one.token())
    with pytest.raises(KafkaError, match="could not be fetched"):
        keys.keys()
    server.issuers = (one,)
    await keys.prepare(one.token())
    assert server.asked == 1, "there is a pause after a failure"
    clock.now_s = 0.2
    await keys.prepare(one.token())
    assert keys.keys().has("one") and server.asked == 2
    server.issuers = (one, two)
    await keys.prepare(two.token())
    assert keys.keys().has("two") and server.asked == 3, "a key that is replaced counts at once"
    for _ in range(5):
        await keys.prepare(one.token())
        await keys.prepare(stranger.token())
    assert server.asked == 4, "a stranger's token does not have the issuer asked each time"
    clock.now_s = 20
    await keys.prepare(stranger.token())
    assert server.asked == 5
    server.issuers = ()
    clock.now_s = 4000
    await keys.prepare(two.token())
    assert server.asked == 6 and keys.keys().has("two"), "old keys stay while nobody answers"


async def test_logins_by_known_keys_do_not_wait_for_a_silent_issuer(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    one, two = Issuer("EC", "one"), Issuer("EC", "two")
    server, clock = Server(one), Clock()
    keys = UrlKeys("u", server.fetch, clock, refresh_s=3600, pause_s=0.1, longest_pause_s=10)
    await keys.prepare(one.token())
    server.silent = trio.Event()
    clock.now_s = 4000
    nursery.start_soon(keys.prepare, two.token())
    await trio.testing.wait_all_tasks_blocked()
    with trio.fail_after(1):
        await keys.prepare(one.token())
    assert keys.keys().has("one") and server.asked == 2
    server.silent.set()


@pytest.mark.parametrize("url", ["issuer/token", "ftp://issuer/token", "https://issuer/t\u00f6ken"])
def test_an_endpoint_that_cannot_be_asked_is_named_before_it_is(url: str) -> None:
    """Otherwise the first connection would end its node with a ValueError."""

    def no_http() -> Http:
        raise AssertionError

    with pytest.raises(ValueError, match=r"^sasl\.oauthbearer\.token\.endpoint\.url=.* must be"):
        source_of(url, Credentials("me", "secret"), no_http, VirtualClock())
