"""EndTxn (key 26): a producer commits or aborts its transaction (KIP-98).

It is answered when the decision is committed, before the markers are written. Version notes: 2
knows PRODUCER_FENCED (KIP-588); 4 knows TRANSACTION_ABORTABLE; 5 bumps the epoch, and the answer
has the producer's next id and epoch (KIP-890).
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.net.protocol.messages.end_txn import EndTxnRequest, EndTxnResponse


@handles(EndTxnRequest, versions=(0, 5), access=PER_RESOURCE)
async def end_txn(context: Context, request: EndTxnRequest) -> EndTxnResponse:
    node = context.node
    context.require(Operation.WRITE, ResourceType.TRANSACTIONAL_ID, request.transactional_id)
    return await node.transactions.end_transaction(request, context.api_version)
