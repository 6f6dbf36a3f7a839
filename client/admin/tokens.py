"""Delegation tokens (KIP-48): with one, a client logs in as the token's owner for a while.

A token's id is the user and its `password` the password of a SCRAM login whose sasl.jaas.config has
tokenauth="true". The requester must be authenticated, and not by a token.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple

from raftka.client.admin.calls import Calls
from raftka.client.admin.outcomes import raise_for
from raftka.model.access import Principal
from raftka.net.protocol.messages.create_delegation_token import (
    CreatableRenewers,
    CreateDelegationTokenRequest,
)
from raftka.net.protocol.messages.describe_delegation_token import (
    DescribeDelegationTokenOwner,
    DescribeDelegationTokenRequest,
)
from raftka.net.protocol.messages.expire_delegation_token import ExpireDelegationTokenRequest
from raftka.net.protocol.messages.renew_delegation_token import RenewDelegationTokenRequest


class Token(NamedTuple):
    """A delegation token. Times in ms since 1970."""

    token_id: str
    hmac: bytes
    owner: Principal
    requester: Principal
    """The requester; the owner, with brokers before KIP-373, which do not report it."""
    renewers: tuple[Principal, ...]
    issued_ms: int
    expires_ms: int
    max_ms: int

    @property
    def password(self) -> str:
        """The password of a SCRAM login whose user is the token's id."""
        return b64encode(self.hmac).decode()

    def __repr__(self) -> str:
        return f"Token({self.token_id!r}, owner={self.owner}, expires_ms={self.expires_ms})"


async def create_delegation_token(
    admin: Calls,
    *,
    owner: Principal | None = None,
    renewers: Sequence[Principal] = (),
    max_lifetime_ms: int = -1,
) -> Token:
    """Create a token for `owner`, by default the caller; -1 lasts as long as the cluster allows.
    Raises KafkaError.
    """
    answer = await admin.ask(
        CreateDelegationTokenRequest(
            owner_principal_type=None if owner is None else owner.type,
            owner_principal_name=None if owner is None else owner.name,
            renewers=[
                CreatableRenewers(principal_type=each.type, principal_name=each.name)
                for each in renewers
            ],
            max_lifetime=max_lifetime_ms,
        )
    )
    raise_for(answer.error_code)
    found = Principal(answer.principal_type, answer.principal_name)
    return Token(
        answer.token_id,
        bytes(answer.hmac),
        found,
        _requester(answer, found),
        tuple(renewers),
        answer.issue_timestamp,
        answer.expiry_timestamp,
        answer.max_timestamp,
    )


async def renew_delegation_token(admin: Calls, hmac: bytes, period_ms: int = -1) -> int:
    """Renew a token, with -1 for the longest period that the cluster allows; returns its expiry, ms
    since 1970. Raises KafkaError.
    """
    request = RenewDelegationTokenRequest(hmac=hmac, renew_period=period_ms)
    answer = await admin.ask(request)
    raise_for(answer.error_code)
    return answer.expiry_timestamp


async def expire_delegation_token(admin: Calls, hmac: bytes, period_ms: int = -1) -> int:
    """Make a token expire after `period_ms`, or at once for -1; returns its expiry, ms since 1970,
    or -1. Raises KafkaError.
    """
    request = ExpireDelegationTokenRequest(hmac=hmac, expiry_time_period=period_ms)
    answer = await admin.ask(request)
    raise_for(answer.error_code)
    return answer.expiry_timestamp


async def describe_delegation_tokens(
    admin: Calls, owners: Sequence[Principal] | None = None
) -> list[Token]:
    """The tokens of these users, or all, as far as the caller may see them. Raises KafkaError."""
    wanted = None
    if owners is not None:
        wanted = [
            DescribeDelegationTokenOwner(principal_type=each.type, principal_name=each.name)
            for each in owners
        ]
    answer = await admin.ask(DescribeDelegationTokenRequest(owners=wanted))
    raise_for(answer.error_code)
    return [
        Token(
            each.token_id,
            bytes(each.hmac),
            owner := Principal(each.principal_type, each.principal_name),
            _requester(each, owner),
            tuple(Principal(e.principal_type, e.principal_name) for e in each.renewers),
            each.issue_timestamp,
            each.expiry_timestamp,
            each.max_timestamp,
        )
        for each in answer.tokens
    ]


def _requester(answer: object, owner: Principal) -> Principal:
    name = getattr(answer, "token_requester_principal_name", "")
    kind = getattr(answer, "token_requester_principal_type", "")
    return Principal(kind, name) if name else owner
