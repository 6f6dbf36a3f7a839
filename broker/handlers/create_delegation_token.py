"""CreateDelegationToken (key 38): creates a token whose bearer can authenticate as its owner
(KIP-48).

Version notes: from 3 on a client may create a token for another user (KIP-373), which requires
CREATE_TOKENS on that user.
"""

from __future__ import annotations

from typing import Final

from raftka.broker import delegation
from raftka.broker.request import Context, handles
from raftka.kraft.controller.delegation_tokens import Wish, check_renewers, create
from raftka.model.access import PER_RESOURCE, Operation, Principal, ResourceType
from raftka.model.delegation import token_hmac
from raftka.model.errors import KafkaError
from raftka.model.ids import Uuid, uuid_text
from raftka.net.protocol.messages.create_delegation_token import (
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
)
from raftka.net.router import Answer

_ID_BYTES: Final = 16


def refusal(
    request: CreateDelegationTokenRequest, error: KafkaError
) -> CreateDelegationTokenResponse:
    """The answer to an error of the whole request, which names no principal."""
    return CreateDelegationTokenResponse(error_code=int(error.code))


@handles(
    CreateDelegationTokenRequest,
    versions=(1, 3),
    access=PER_RESOURCE,
    forward=True,
    looks_first=True,
    refusal=refusal,
)
async def handle_create_delegation_token(
    context: Context, request: CreateDelegationTokenRequest
) -> Answer:
    node, requester = context.node, context.principal
    owner = requester
    if request.owner_principal_name:
        owner = Principal(request.owner_principal_type or "", request.owner_principal_name)
    answer = CreateDelegationTokenResponse(
        principal_type=owner.type,
        principal_name=owner.name,
        token_requester_principal_type=requester.type,
        token_requester_principal_name=requester.name,
    )
    try:
        delegation.check_may_ask(context)
        if owner != requester:
            context.require(Operation.CREATE_TOKENS, ResourceType.USER, str(owner))
        renewers = [Principal(e.principal_type, e.principal_name) for e in request.renewers]
        check_renewers(renewers)
        sent_on = node.forward(context)
        if sent_on is not None:
            return await sent_on
        secret = delegation.secret_of(node)
        rules, token_id = delegation.rules_of(node), _new_id(context)
        wish = Wish(token_id, owner, requester, renewers, request.max_lifetime)
        now_ms = node.clock.wall_ms()
        token = await node.controller.submit(lambda image: create(image, rules, wish, now_ms))
    except KafkaError as error:
        answer.error_code = int(error.code)
        return answer
    answer.issue_timestamp = token.issued_ms
    answer.expiry_timestamp = token.expires_ms
    answer.max_timestamp = token.max_ms
    answer.token_id = token_id
    answer.hmac = token_hmac(secret, token_id)
    return answer


def _new_id(context: Context) -> str:
    """A new id; like all ids in the text form of UUIDs it must not start with a hyphen, which tools
    would take for an option."""
    while True:
        text = uuid_text(Uuid(context.node.dice.randbytes(_ID_BYTES)))
        if not text.startswith("-"):
            return text
