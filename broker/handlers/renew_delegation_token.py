"""RenewDelegationToken (key 39): the owner or a renewer extends a token (KIP-48)."""

from __future__ import annotations

from raftka.broker import delegation
from raftka.broker.request import Context, handles
from raftka.kraft.controller.delegation_tokens import renew
from raftka.model.access import PER_RESOURCE
from raftka.model.errors import KafkaError
from raftka.net.protocol.messages.renew_delegation_token import (
    RenewDelegationTokenRequest,
    RenewDelegationTokenResponse,
)
from raftka.net.router import Answer


def refusal(
    request: RenewDelegationTokenRequest, error: KafkaError
) -> RenewDelegationTokenResponse:
    """An error of the request."""
    return RenewDelegationTokenResponse(error_code=int(error.code), expiry_timestamp=-1)


@handles(
    RenewDelegationTokenRequest,
    versions=(1, 2),
    access=PER_RESOURCE,
    forward=True,
    looks_first=True,
    refusal=refusal,
)
async def handle_renew_delegation_token(
    context: Context, request: RenewDelegationTokenRequest
) -> Answer:
    node, by = context.node, context.principal
    try:
        delegation.check_may_ask(context)
        sent_on = node.forward(context)
        if sent_on is not None:
            return await sent_on
        secret, rules = delegation.secret_of(node), delegation.rules_of(node)
        known, period_ms, now_ms = bytes(request.hmac), request.renew_period, node.clock.wall_ms()
        expires_ms = await node.controller.submit(
            lambda image: renew(
                *(image, rules, delegation.token_id_of(image.tokens, secret, known)),
                *(by, period_ms, now_ms),
            )
        )
    except KafkaError as error:
        return refusal(request, error)
    return RenewDelegationTokenResponse(expiry_timestamp=expires_ms)
