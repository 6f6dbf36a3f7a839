"""DescribeTransactions (key 65): transactional ids for people, each with an error (KIP-664)."""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE
from raftka.net.protocol.messages.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
)


@handles(DescribeTransactionsRequest, versions=(0, 0), access=PER_RESOURCE)
async def describe_transactions(
    context: Context, request: DescribeTransactionsRequest
) -> DescribeTransactionsResponse:
    node = context.node
    return DescribeTransactionsResponse(
        transaction_states=[
            await node.transactions.describe(name) for name in request.transactional_ids
        ]
    )
