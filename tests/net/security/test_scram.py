"""SCRAM: the exchange of RFC 7677, and messages that either side must refuse."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping

import pytest

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.scram import HASHES, ScramCredential, credential_of, salted_password
from raftka.net.security.scram import Known, ScramClient, ScramServer, disguise, escaped, unescaped

SALT = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
RFC_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
RFC_CHALLENGE = (
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)
RFC_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
RFC_VERIFIER = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def kept(mechanism: str, password: str) -> ScramCredential:
    return credential_of(mechanism, salted_password(mechanism, password, SALT, 4096), SALT, 4096)


def server(
    mechanism: str = "SCRAM-SHA-256",
    users: Mapping[str, str] = {"user": "pencil"},
    nonce: str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
) -> ScramServer:
    def look_up(user: str, extensions: Mapping[str, str]) -> Known | None:
        password = users.get(user)
        return None if password is None else Known(user, kept(mechanism, password))

    return ScramServer(
        mechanism, look_up, nonce, lambda user: disguise(mechanism, b"secret", user, 4096)
    )


def client(
    password: str = "pencil", mechanism: str = "SCRAM-SHA-256", user: str = "user"
) -> ScramClient:
    return ScramClient(mechanism, user, password, "rOprNGfwEbeRWgbNEkqO")


def test_both_sides_say_what_the_rfc_says() -> None:
    asks, answers = client(), server()
    assert asks.first() == RFC_FIRST
    assert answers.step(RFC_FIRST) == RFC_CHALLENGE
    assert asks.step(RFC_CHALLENGE) == RFC_FINAL
    assert not answers.is_complete
    assert answers.step(RFC_FINAL) == RFC_VERIFIER
    assert answers.is_complete and answers.name == "user"
    assert asks.step(RFC_VERIFIER) == b""
    assert asks.is_complete


@pytest.mark.parametrize("mechanism", HASHES)
@pytest.mark.parametrize("user", ["user", "a,b=c", "=2C", "ü"])
def test_users_of_any_name_log_in(mechanism: str, user: str) -> None:
    answers = server(mechanism, {user: "pencil"})
    asks = client("pencil", mechanism, user)
    final = asks.step(answers.step(asks.first()))
    asks.step(answers.step(final))
    assert answers.name == user
    assert unescaped(escaped(user)) == user


@pytest.mark.parametrize(("user", "password"), [("user", "wrong"), ("nobody", "pencil")])
def test_a_wrong_password_and_an_unknown_user_are_answered_alike(user: str, password: str) -> None:
    asks, answers = client(password, user=user), server()
    challenge = answers.step(asks.first())
    assert b",i=4096" in challenge
    with pytest.raises(KafkaError, match="invalid credentials with SASL mechanism SCRAM-SHA-256"):
        answers.step(asks.step(challenge))
    assert answers.name is None


def test_an_unknown_user_gets_the_same_salt_each_time() -> None:
    first = [server().step(client(user="nobody").first()) for _ in range(2)]
    assert first[0] == first[1] != server().step(client(user="other").first())


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"n",
        b"n,,",
        b"n,,n=user",
        b"n,,r=nonce",
        b"p=tls-unique,,n=user,r=x",
        b"n,a=root,n=user,r=x",
        b"n,,m=1,n=user,r=x",
        b"n,,n=us=er,r=x",
        b"n,,n=user,r=x,r=y",
        b"\xff,,n=user,r=x",
        b"n,,n=user,r=" + b"x" * 5000,
    ],
)
def test_a_malformed_first_message_is_refused(message: bytes) -> None:
    with pytest.raises(KafkaError) as caught:
        server().step(message)
    assert caught.value.code is ErrorCode.SASL_AUTHENTICATION_FAILED


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"c=biws",
        RFC_FINAL.replace(b"k0,p", b"k1,p"),
        RFC_FINAL.replace(b"biws", b"cD10bHM="),
        RFC_FINAL.replace(b"c=biws", b"c=!!!"),
        RFC_FINAL[:-4],
        RFC_FINAL.partition(b",p=")[0] + b",p=",
    ],
)
def test_a_final_message_that_proves_nothing_is_refused(message: bytes) -> None:
    answers = server()
    answers.step(RFC_FIRST)
    with pytest.raises(KafkaError) as caught:
        answers.step(message)
    assert caught.value.code is ErrorCode.SASL_AUTHENTICATION_FAILED
    assert not answers.is_complete


@pytest.mark.parametrize(
    "challenge",
    [
        RFC_CHALLENGE.replace(b"r=rOpr", b"r=xOpr"),
        RFC_CHALLENGE.replace(b"i=4096", b"i=1"),
        RFC_CHALLENGE.replace(b"i=4096", b"i=99999999"),
        b"e=other-error",
    ],
)
def test_a_client_does_not_answer_a_challenge_that_is_none(challenge: bytes) -> None:
    with pytest.raises(KafkaError):
        client().step(challenge)


def test_a_client_wants_the_server_to_know_the_password_too() -> None:
    asks = client()
    asks.step(RFC_CHALLENGE)
    with pytest.raises(KafkaError, match="does not know this user's password itself"):
        asks.step(RFC_VERIFIER.replace(b"v=6r", b"v=7r"))
    assert not asks.is_complete


def test_what_is_kept_shows_no_secret() -> None:
    assert repr(kept("SCRAM-SHA-256", "pencil")) == "ScramCredential(iterations=4096)"
