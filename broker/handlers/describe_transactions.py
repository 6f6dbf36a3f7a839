"""DescribeTransactions (key 65): describes transactional ids, each with an error (KIP-664)."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TransactionState,
)


@handles(DescribeTransactionsRequest, versions=(0, 0), access=PER_RESOURCE)
async def describe_transactions(
    context: Context, request: DescribeTransactionsRequest
) -> DescribeTransactionsResponse:
    return DescribeTransactionsResponse(
        transaction_states=[await _describe(context, name) for name in request.transactional_ids]
    )


async def _describe(context: Context, name: str) -> TransactionState:
    if not context.may(Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, name):
        code = int(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        return TransactionState(transactional_id=name, error_code=code)
    state = await context.node.transactions.describe(name)
    # Topics that the client may not describe do not exist for it.
    state.topics, _ = context.sort_out(
        Operation.DESCRIBE, ResourceType.TOPIC, state.topics, lambda each: each.topic, quietly=True
    )
    return state
