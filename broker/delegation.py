"""Delegation tokens at a broker: who may ask for them, and logging in by one (KIP-48)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from raftka.kraft.controller.delegation_tokens import TokenRules
from raftka.model.access import ANONYMOUS
from raftka.model.delegation import DelegationToken, token_hmac, token_password
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.scram import MIN_ITERATIONS, ScramCredential, credential_of, salted_password
from raftka.net.security.scram import Known

if TYPE_CHECKING:
    from raftka.broker.node import Node
    from raftka.broker.request import Context

_SECRET: Final = "delegation.token.secret.key"
_SALT_BYTES: Final = 16
_KEPT: Final = 1000
"""Credentials that are kept: each costs the hashing of 4096 iterations, some milliseconds."""


def check_may_ask(context: Context) -> None:
    """Raise KafkaError DELEGATION_TOKEN_REQUEST_NOT_ALLOWED for a client that has not proved who it
    is, or has by a token: nobody shall live on by a token that would expire.

    What a broker has passed on, it has checked.
    """
    listener = context.node.listeners[context.listener]
    unproved = listener.protocol == "PLAINTEXT" or (
        listener.protocol == "SSL" and context.principal == ANONYMOUS
    )
    if context.session.by_token or (unproved and listener.kind == "broker"):
        words = (
            "Delegation tokens are for clients that have authenticated themselves by SASL or a"
            " certificate, and not by a token."
        )
        raise KafkaError(ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, words)


def secret_of(node: Node) -> str:
    """What makes passwords of tokens' ids. Raises KafkaError DELEGATION_TOKEN_AUTH_DISABLED."""
    secret = node.config.optional_text(_SECRET)
    if not secret:
        words = f"Delegation tokens are off: {_SECRET} is not set on every node."
        raise KafkaError(ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED, words)
    return secret


def rules_of(node: Node) -> TokenRules:
    """How long tokens last here."""
    config = node.config
    return TokenRules(
        config.int("delegation.token.expiry.time.ms"),
        config.int("delegation.token.max.lifetime.ms"),
    )


def token_id_of(tokens: Mapping[str, DelegationToken], secret: str, known: bytes) -> str | None:
    """The token of which somebody knows the HMAC."""
    found = None
    for token_id in tokens:
        if hmac.compare_digest(token_hmac(secret, token_id), known):
            found = token_id
    return found


def look_up(node: Node, mechanism: int, token_id: str) -> Known | None:
    """What a SCRAM login by a token is checked against; None without such a token."""
    secret = node.config.optional_text(_SECRET)
    token = node.image.tokens.get(token_id)
    if not secret or token is None or token.has_expired(node.clock.wall_ms()):
        return None
    credential = _credential(secret, mechanism, token_id)
    return Known(token.owner.name, credential, by_token=True, ends_ms=token.expires_ms)


@lru_cache(_KEPT)
def _credential(secret: str, mechanism: int, token_id: str) -> ScramCredential:
    """The same on every node, and every time."""
    from raftka.model.scram import NUMBERS

    salt = hmac.digest(secret.encode(), b"salt of " + token_id.encode(), "sha512")[:_SALT_BYTES]
    name = NUMBERS[mechanism]
    salted = salted_password(name, token_password(secret, token_id), salt, MIN_ITERATIONS)
    return credential_of(name, salted, salt, MIN_ITERATIONS)
