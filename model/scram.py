"""Stored credentials for SCRAM (RFC 5802, RFC 7677, KIP-84): shared vocabulary.

A stolen credential is not sufficient to authenticate: the client proves that it knows the key whose
hash is `stored_key`, and the server that it has `server_key`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from raftka.model.named_tuple import NamedTuple

HASHES: Final[Mapping[str, str]] = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
"""The hash function of each mechanism."""
NUMBERS: Final[Mapping[int, str]] = {1: "SCRAM-SHA-256", 2: "SCRAM-SHA-512"}
"""Mechanisms by their numbers in requests and records (KIP-554)."""
MIN_ITERATIONS: Final = 4096
MAX_ITERATIONS: Final = 16384
"""Kafka's bounds: with more iterations, an administrator could keep clients busy with logins."""


class ScramCredential(NamedTuple):
    """A server's stored credential of a user for one mechanism."""

    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int

    def __repr__(self) -> str:
        return f"ScramCredential(iterations={self.iterations})"


def salted_password(mechanism: str, password: str, salt: bytes, iterations: int) -> bytes:
    """The secret from which both keys are derived (RFC 5802, Hi). Takes milliseconds by design."""
    # Lazy: a node without SCRAM starts faster.
    import hashlib

    return hashlib.pbkdf2_hmac(HASHES[mechanism], password.encode(), salt, iterations)


def credential_of(mechanism: str, salted: bytes, salt: bytes, iterations: int) -> ScramCredential:
    """The credential that a server stores for a salted password."""
    import hashlib
    import hmac

    name = HASHES[mechanism]
    client_key = hmac.digest(salted, b"Client Key", name)
    stored_key = hashlib.new(name, client_key).digest()
    return ScramCredential(salt, stored_key, hmac.digest(salted, b"Server Key", name), iterations)
