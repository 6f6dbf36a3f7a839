"""Creating, renewing, expiring and removing delegation tokens (KIP-48). Pure decisions.

The order of the checks, and their errors, are Apache Kafka's (DelegationTokenControlManager).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from raftka.kraft.controller.result import Result, Rules, in_batches
from raftka.kraft.image import MetadataImage
from raftka.kraft.records import MetadataRecord, RemoveDelegationTokenRecord
from raftka.kraft.sections.tokens import record_of
from raftka.model.access import Principal
from raftka.model.delegation import DelegationToken
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.named_tuple import NamedTuple

USER: Final = "User"
"""The only type of principal that may have tokens."""


class TokenRules(NamedTuple):
    """The lifetimes of tokens, in ms."""

    lasts_ms: int
    """delegation.token.expiry.time.ms: the lifetime without a renewal."""
    max_ms: int
    """delegation.token.max.lifetime.ms: the lifetime with any number of renewals."""


class Wish(NamedTuple):
    """A request for a token."""

    token_id: str
    owner: Principal
    requester: Principal
    renewers: Sequence[Principal]
    max_ms: int
    """The requested maximal lifetime; not above 0 for the longest allowed."""


def create(
    image: MetadataImage, rules: TokenRules, wish: Wish, now_ms: int
) -> Result[DelegationToken]:
    """Create a token. Raises KafkaError INVALID_PRINCIPAL_TYPE for a renewer that is no user."""
    check_renewers(wish.renewers)
    assert wish.token_id not in image.tokens
    longest_ms = min(rules.max_ms, wish.max_ms) if wish.max_ms > 0 else rules.max_ms
    token = DelegationToken(
        wish.owner,
        wish.requester,
        tuple(wish.renewers),
        now_ms,
        now_ms + min(rules.lasts_ms, longest_ms),
        now_ms + longest_ms,
    )
    return Result([record_of(wish.token_id, token)], token)


def check_renewers(renewers: Sequence[Principal]) -> None:
    """Raise KafkaError INVALID_PRINCIPAL_TYPE unless all of them are users."""
    for each in renewers:
        if each.type != USER:
            words = f"A renewer of a token must be of type {USER}, and {each} is not."
            raise KafkaError(ErrorCode.INVALID_PRINCIPAL_TYPE, words)


def renew(
    image: MetadataImage,
    rules: TokenRules,
    token_id: str | None,
    by: Principal,
    period_ms: int,
    now_ms: int,
) -> Result[int]:
    """Extend a token; return its new expiry. Raises KafkaError DELEGATION_TOKEN_..."""
    found_id, token = _changeable(image, token_id, by, now_ms)
    lasts_ms = min(rules.lasts_ms, period_ms) if period_ms > 0 else rules.lasts_ms
    return _until(found_id, token, min(token.max_ms, now_ms + lasts_ms))


def expire(
    image: MetadataImage, token_id: str | None, by: Principal, period_ms: int, now_ms: int
) -> Result[int]:
    """Let a token expire after `period_ms`, or remove it if that is below 0; return its expiry.

    Raises KafkaError DELEGATION_TOKEN_...
    """
    found_id, token = _changeable(image, token_id, by, now_ms)
    if period_ms < 0:
        return Result([RemoveDelegationTokenRecord(found_id)], period_ms)
    return _until(found_id, token, min(token.max_ms, now_ms + period_ms))


def forget_expired(image: MetadataImage, rules: Rules, now_ms: int) -> Result[None]:
    """Remove expired tokens."""
    gone: list[MetadataRecord] = [
        RemoveDelegationTokenRecord(token_id)
        for token_id, token in image.tokens.items()
        if token.has_expired(now_ms)
    ]
    again = partial(forget_expired, rules=rules, now_ms=now_ms)
    return in_batches(rules, gone, (), None, again)


def _until(token_id: str, token: DelegationToken, expires_ms: int) -> Result[int]:
    changed = token._replace(expires_ms=expires_ms)
    return Result([record_of(token_id, changed)], expires_ms)


def _changeable(
    image: MetadataImage, token_id: str | None, by: Principal, now_ms: int
) -> tuple[str, DelegationToken]:
    token = None if token_id is None else image.tokens.get(token_id)
    if token_id is None or token is None:
        raise KafkaError(ErrorCode.DELEGATION_TOKEN_NOT_FOUND)
    if token.has_expired(now_ms):
        raise KafkaError(ErrorCode.DELEGATION_TOKEN_EXPIRED)
    if not token.may_change(by):
        raise KafkaError(ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH)
    return token_id, token
