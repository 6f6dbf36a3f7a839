"""Delegation tokens (KIP-48): owner, renewers and lifetime.

A token's id is its user name for SCRAM, and its password is the base64 of an HMAC of the id with
delegation.token.secret.key, which all nodes have: so the metadata contains no secrets.
"""

from __future__ import annotations

from base64 import b64encode

from raftka.model.access import Principal
from raftka.model.named_tuple import NamedTuple


class DelegationToken(NamedTuple):
    """A token in the metadata. Times in ms since 1970."""

    owner: Principal
    """The principal that a login with it authenticates."""
    requester: Principal
    """The principal that created it."""
    renewers: tuple[Principal, ...]
    issued_ms: int
    expires_ms: int
    """When it expires, unless it is renewed before."""
    max_ms: int
    """Until when it can be renewed."""

    def may_change(self, principal: Principal) -> bool:
        """Whether a principal may renew and expire it."""
        return principal == self.owner or principal in self.renewers

    def concerns(self, principal: Principal) -> bool:
        """Whether a principal may describe it without a permission."""
        return principal == self.requester or self.may_change(principal)

    def has_expired(self, now_ms: int) -> bool:
        return self.max_ms < now_ms or self.expires_ms < now_ms


def token_hmac(secret: str, token_id: str) -> bytes:
    """The secret by which a holder of the token authenticates (SCRAM's password)."""
    import hmac  # Imports OpenSSL, which most nodes do without.

    return hmac.digest(secret.encode(), token_id.encode(), "sha512")


def token_password(secret: str, token_id: str) -> str:
    """The secret as a password."""
    return b64encode(token_hmac(secret, token_id)).decode()
