"""SCRAM credentials for logins by delegation tokens (KIP-48)."""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Final

from raftka.model.delegation import DelegationToken, token_password
from raftka.model.scram import (
    MIN_ITERATIONS,
    NUMBERS,
    ScramCredential,
    credential_of,
    salted_password,
)
from raftka.net.security.scram import Known

_SALT_BYTES: Final = 16
_KEPT: Final = 1000
"""The number of cached credentials: each costs 4096 hash iterations, some milliseconds."""


def look_up(
    secret: str | None, token_id: str, token: DelegationToken | None, mechanism: int, now_ms: int
) -> Known | None:
    """A token's credential, if it exists. `mechanism` is SCRAM's number."""
    if not secret or token is None or token.has_expired(now_ms):
        return None
    credential = _credential(secret, mechanism, token_id)
    return Known(token.owner.name, credential, by_token=True, ends_ms=token.expires_ms)


@lru_cache(_KEPT)
def _credential(secret: str, mechanism: int, token_id: str) -> ScramCredential:
    """Deterministic: the same on every node."""
    salt = hmac.digest(secret.encode(), b"salt of " + token_id.encode(), "sha512")[:_SALT_BYTES]
    name = NUMBERS[mechanism]
    salted = salted_password(name, token_password(secret, token_id), salt, MIN_ITERATIONS)
    return credential_of(name, salted, salt, MIN_ITERATIONS)
