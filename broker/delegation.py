"""Delegation tokens at a broker: checks of requesters, and lookup by HMAC (KIP-48)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from raftka.kraft.controller.delegation_tokens import TokenRules
from raftka.model.access import ANONYMOUS
from raftka.model.delegation import DelegationToken, token_hmac
from raftka.model.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from raftka.broker.node import Node
    from raftka.broker.request import Context

_SECRET: Final = "delegation.token.secret.key"


def check_may_ask(context: Context) -> None:
    """Raise KafkaError DELEGATION_TOKEN_REQUEST_NOT_ALLOWED for an unauthenticated client, and for
    one that was authenticated by a token, since it could extend its access for ever with new
    tokens.

    Forwarded requests were checked by the broker.
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
    """The secret from which token passwords are derived. Raises KafkaError
    DELEGATION_TOKEN_AUTH_DISABLED."""
    secret = node.config.optional_text(_SECRET)
    if not secret:
        words = f"Delegation tokens are off: {_SECRET} is not set on every node."
        raise KafkaError(ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED, words)
    return secret


def rules_of(node: Node) -> TokenRules:
    """The lifetimes of tokens in the settings."""
    config = node.config
    return TokenRules(
        config.int("delegation.token.expiry.time.ms"),
        config.int("delegation.token.max.lifetime.ms"),
    )


def token_id_of(tokens: Mapping[str, DelegationToken], secret: str, known: bytes) -> str | None:
    """The id of the token with the HMAC `known`; None if there is none."""
    found = None
    for token_id in tokens:
        if hmac.compare_digest(token_hmac(secret, token_id), known):
            found = token_id
    return found
