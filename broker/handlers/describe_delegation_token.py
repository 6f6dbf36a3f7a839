"""DescribeDelegationToken (key 41): the tokens that a client may see, with their HMACs (KIP-48).

Owners, requesters and renewers see their own tokens; others need DESCRIBE on the token or
DESCRIBE_TOKENS on its owner (KIP-373). Any node answers from its metadata image.
"""

from __future__ import annotations

from raftka.broker import delegation
from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, Principal, ResourceType
from raftka.model.delegation import DelegationToken, token_hmac
from raftka.model.errors import KafkaError
from raftka.net.protocol.messages.describe_delegation_token import (
    DescribedDelegationToken,
    DescribedDelegationTokenRenewer,
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)


@handles(DescribeDelegationTokenRequest, versions=(1, 3), access=PER_RESOURCE, listeners="both")
def describe_delegation_token(
    context: Context, request: DescribeDelegationTokenRequest
) -> DescribeDelegationTokenResponse:
    try:
        delegation.check_may_ask(context)
        secret = delegation.secret_of(context.node)
    except KafkaError as error:
        return DescribeDelegationTokenResponse(error_code=int(error.code))
    owners = None
    if request.owners is not None:
        owners = [Principal(each.principal_type, each.principal_name) for each in request.owners]
    return DescribeDelegationTokenResponse(
        tokens=[
            _described(secret, token_id, token)
            for token_id, token in context.node.image.tokens.items()
            if (owners is None or any(map(token.concerns, owners)))
            and _may_see(context, token_id, token)
        ]
    )


def _may_see(context: Context, token_id: str, token: DelegationToken) -> bool:
    kinds = (
        (Operation.DESCRIBE, ResourceType.DELEGATION_TOKEN, token_id),
        (Operation.DESCRIBE_TOKENS, ResourceType.USER, str(token.owner)),
    )
    return token.concerns(context.principal) or any(
        context.may(*each, quietly=True) for each in kinds
    )


def _described(secret: str, token_id: str, token: DelegationToken) -> DescribedDelegationToken:
    return DescribedDelegationToken(
        principal_type=token.owner.type,
        principal_name=token.owner.name,
        token_requester_principal_type=token.requester.type,
        token_requester_principal_name=token.requester.name,
        issue_timestamp=token.issued_ms,
        expiry_timestamp=token.expires_ms,
        max_timestamp=token.max_ms,
        token_id=token_id,
        hmac=token_hmac(secret, token_id),
        renewers=[
            DescribedDelegationTokenRenewer(principal_type=each.type, principal_name=each.name)
            for each in token.renewers
        ],
    )
