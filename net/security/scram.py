"""SCRAM (RFC 5802, RFC 7677) as Kafka uses it (KIP-84): both sides, without I/O.

A server's stored credential is not sufficient to log in, and the client verifies that the server
knows it. There is no channel binding: Kafka's clients do not use it.

    client-first  n,,n=USER,r=NONCE
    server-first  r=NONCE+OWN,s=SALT,i=ITERATIONS
    client-final  c=biws,r=NONCE+OWN,p=PROOF
    server-final  v=SIGNATURE
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.scram import HASHES, MIN_ITERATIONS, ScramCredential, salted_password

_MAX_MESSAGE: Final = 4096
_NO_BINDING: Final = "n,,"


def parse(message: bytes) -> dict[str, str]:
    """The attributes of a message, by letter. Raises KafkaError for a malformed message."""
    if len(message) > _MAX_MESSAGE:
        raise malformed(f"a SCRAM message of {len(message)} bytes")
    found: dict[str, str] = {}
    try:
        for part in message.decode().split(","):
            name, equals, value = part.partition("=")
            if not equals or not name or name in found:
                raise malformed("a SCRAM message that is not a list of attributes")
            found[name] = value
    except UnicodeDecodeError as error:
        raise malformed("a SCRAM message that is not UTF-8") from error
    return found


def malformed(what: str) -> KafkaError:
    return KafkaError(ErrorCode.SASL_AUTHENTICATION_FAILED, f"Authentication failed: {what}")


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError) as error:
        raise malformed("a SCRAM attribute that is not base64") from error


def escaped(name: str) -> str:
    """A user's name as encoded in a message (saslname)."""
    return name.replace("=", "=3D").replace(",", "=2C")


def unescaped(name: str) -> str:
    """Decode the output of `escaped`. Raises KafkaError."""
    if "=" in name.replace("=3D", "").replace("=2C", ""):
        raise malformed("a user's name with an = of its own")
    return name.replace("=2C", ",").replace("=3D", "=")


class Known(NamedTuple):
    """The credential that a server looks up for the user that a client names."""

    user: str
    """The principal's name."""
    credential: ScramCredential
    by_token: bool = False
    """Whether the client authenticates by a delegation token."""
    ends_ms: int | None = None
    """When the token expires, in ms since 1970."""


class ScramServer:
    """One authentication. `step` is called with each message of the client."""

    def __init__(
        self,
        mechanism: str,
        look_up: Callable[[str, Mapping[str, str]], Known | None],
        nonce: str,
        disguise: Callable[[str], ScramCredential],
        *,
        asks_for_proof: bool = True,
    ) -> None:
        """`look_up` finds a user by name and by the extensions of the first message. `disguise`
        returns the answer for an unknown user, which looks like any other."""
        self._hash = HASHES[mechanism]
        self._look_up = look_up
        self._nonce = nonce
        self._disguise = disguise
        self._asks_for_proof = asks_for_proof
        self._known: Known | None = None
        self._credential: ScramCredential | None = None
        self._first = b""
        self.name: str | None = None
        """The user's name, once proved."""
        self.by_token = False
        self.ends_ms: int | None = None

    @property
    def is_complete(self) -> bool:
        return self.name is not None

    async def prepare(self, message: bytes) -> None:
        """Do nothing."""

    def step(self, message: bytes) -> bytes:
        """The answer to a message. Raises KafkaError SASL_AUTHENTICATION_FAILED."""
        return self._begin(message) if self._credential is None else self._prove(message)

    def _begin(self, message: bytes) -> bytes:
        binding, authorization, bare = _gs2(message)
        if binding != "n" and binding != "y":
            raise malformed("channel binding is not supported")
        fields = parse(bare)
        if not fields.get("r") or "n" not in fields or "m" in fields:
            raise malformed("a first SCRAM message without user or nonce")
        user = unescaped(fields["n"])
        if authorization not in ("", user):
            raise malformed("Client requested an authorization id that is different from username")
        extensions = {name: value for name, value in fields.items() if len(name) > 1}
        self._known = self._look_up(user, extensions)
        credential = self._disguise(user) if self._known is None else self._known.credential
        self._credential = credential
        salt = b64encode(credential.salt).decode()
        answer = f"r={fields['r']}{self._nonce},s={salt},i={credential.iterations}".encode()
        self._first = bare + b"," + answer
        return answer

    def _prove(self, message: bytes) -> bytes:
        credential = self._credential
        assert credential is not None
        fields = parse(message)
        proof = _bytes(fields.get("p", ""))
        without, found, _ = message.rpartition(b",p=")
        binding = _bytes(fields.get("c", ""))[:1]
        # Older releases of librdkafka send their own nonce twice; only the server's matters.
        same = fields.get("r", "").endswith(self._nonce)
        if not found or not same or binding not in (b"n", b"y"):
            raise malformed("a final SCRAM message that does not go with the first")
        signed = self._first + b"," + without
        signature = hmac.digest(credential.stored_key, signed, self._hash)
        key = bytes(a ^ b for a, b in zip(proof, signature, strict=False))
        stored = hashlib.new(self._hash, key).digest()
        proved = hmac.compare_digest(stored, credential.stored_key) & (len(proof) == len(signature))
        if self._known is None or not (proved or not self._asks_for_proof):
            raise KafkaError(
                ErrorCode.SASL_AUTHENTICATION_FAILED,
                "Authentication failed during authentication due to invalid credentials with SASL"
                f" mechanism SCRAM-{self._hash.upper().replace('SHA', 'SHA-')}",
            )
        self.name, self.by_token = self._known.user, self._known.by_token
        self.ends_ms = self._known.ends_ms
        verifier = hmac.digest(credential.server_key, signed, self._hash)
        return b"v=" + b64encode(verifier)


def _gs2(message: bytes) -> tuple[str, str, bytes]:
    """(channel binding, authorization id, the rest) of a first message. Raises KafkaError."""
    binding, comma, rest = message.partition(b",")
    authorization, other, bare = rest.partition(b",")
    if not comma or not other:
        raise malformed("a first SCRAM message without its header")
    try:
        name = authorization.decode()
    except UnicodeDecodeError as error:
        raise malformed("a SCRAM message that is not UTF-8") from error
    return binding.decode("latin-1"), unescaped(name.removeprefix("a=")), bare


class ScramClient:
    """One authentication: `first`, then `step` with each answer until `is_complete`."""

    def __init__(
        self,
        mechanism: str,
        user: str,
        password: str,
        nonce: str,
        extensions: Mapping[str, str] | None = None,
    ) -> None:
        self._mechanism = mechanism
        self._hash = HASHES[mechanism]
        self._password = password
        self._nonce = nonce
        more = "".join(f",{name}={value}" for name, value in (extensions or {}).items())
        self._bare = f"n={escaped(user)},r={nonce}{more}"
        self._verifier: bytes | None = None
        self.is_complete = False

    def first(self) -> bytes:
        return (_NO_BINDING + self._bare).encode()

    def step(self, message: bytes) -> bytes:
        """The next message after a server's answer; empty if there is none.

        Raises KafkaError if the server does not know the password.
        """
        fields = parse(message)
        if "e" in fields:
            raise malformed(fields["e"])
        if self._verifier is not None:
            if not hmac.compare_digest(_bytes(fields.get("v", "")), self._verifier):
                raise malformed("the server does not know this user's password itself")
            self.is_complete = True
            return b""
        nonce, iterations = fields.get("r", ""), fields.get("i", "")
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise malformed("the server's nonce does not begin with this client's")
        if not iterations.isdecimal() or not MIN_ITERATIONS <= int(iterations) <= 1_000_000:
            raise malformed(f"the server asks for {iterations} iterations; 4096 are the least")
        salted = salted_password(
            self._mechanism, self._password, _bytes(fields.get("s", "")), int(iterations)
        )
        without = f"c={b64encode(_NO_BINDING.encode()).decode()},r={nonce}"
        signed = b",".join((self._bare.encode(), message, without.encode()))
        client_key = hmac.digest(salted, b"Client Key", self._hash)
        stored_key = hashlib.new(self._hash, client_key).digest()
        signature = hmac.digest(stored_key, signed, self._hash)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        server_key = hmac.digest(salted, b"Server Key", self._hash)
        self._verifier = hmac.digest(server_key, signed, self._hash)
        return f"{without},p={b64encode(proof).decode()}".encode()


def disguise(mechanism: str, secret: bytes, user: str, iterations: int) -> ScramCredential:
    """The answer for an unknown user: always the same for a name, and like any other."""
    name = HASHES[mechanism]

    def made(what: bytes) -> bytes:
        return hmac.digest(secret, what + user.encode(), name)

    return ScramCredential(made(b"salt")[:16], made(b"stored"), made(b"server"), iterations)
