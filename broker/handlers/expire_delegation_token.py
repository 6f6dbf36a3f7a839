"""ExpireDelegationToken (key 40): the owner or a renewer ends a token early (KIP-48)."""

from __future__ import annotations

from raftka.broker import delegation
from raftka.broker.request import Context, handles
from raftka.kraft.controller.delegation_tokens import expire
from raftka.model.access import PER_RESOURCE
from raftka.model.errors import KafkaError
from raftka.net.protocol.messages.expire_delegation_token import (
    ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse,
)
from raftka.net.router import Answer


def refusal(
    request: ExpireDelegationTokenRequest, error: KafkaError
) -> ExpireDelegationTokenResponse:
    """An error of the request."""
    return ExpireDelegationTokenResponse(error_code=int(error.code), expiry_timestamp=-1)


@handles(
    ExpireDelegationTokenRequest,
    versions=(1, 2),
    access=PER_RESOURCE,
    forward=True,
    looks_first=True,
    refusal=refusal,
)
async def handle_expire_delegation_token(
    context: Context, request: ExpireDelegationTokenRequest
) -> Answer:
    node, by = context.node, context.principal
    try:
        delegation.check_may_ask(context)
        sent_on = node.forward(context)
        if sent_on is not None:
            return await sent_on
        secret, known = delegation.secret_of(node), bytes(request.hmac)
        period_ms, now_ms = request.expiry_time_period, node.clock.wall_ms()
        expires_ms = await node.controller.submit(
            lambda image: expire(
                image, delegation.token_id_of(image.tokens, secret, known), by, period_ms, now_ms
            )
        )
    except KafkaError as error:
        return refusal(request, error)
    return ExpireDelegationTokenResponse(expiry_timestamp=expires_ms)
