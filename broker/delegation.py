"""Delegation tokens at a broker: their requesters, and which token a request means (KIP-48)."""

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
    """Raise KafkaError DELEGATION_TOKEN_REQUEST_NOT_ALLOWED for a client that has not proved who it
    is, or has by a token: it could go on for ever by getting new tokens.

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
    """The token whose HMAC is `known`; None when there is none."""
    found = None
    for token_id in tokens:
        if hmac.compare_digest(token_hmac(secret, token_id), known):
            found = token_id
    return found
