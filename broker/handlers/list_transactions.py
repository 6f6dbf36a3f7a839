"""ListTransactions (key 66): the transactional ids that this broker coordinates (KIP-664).

Version notes: 1 filters by a minimal duration (KIP-994); 2 by a regular expression that the whole
name must match (KIP-1152). This broker uses RE2, as Apache Kafka does: its time is linear in the
text for any pattern.
"""

from __future__ import annotations

from collections.abc import Callable

from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.list_transactions import (
    ListTransactionsRequest,
    ListTransactionsResponse,
)


@handles(ListTransactionsRequest, versions=(0, 2), access=PER_RESOURCE)
async def list_transactions(
    context: Context, request: ListTransactionsRequest
) -> ListTransactionsResponse:
    node = context.node
    listed = await node.transactions.list_transactions(
        request, _matcher(request.transactional_id_pattern or "")
    )
    listed.transaction_states, _ = context.sort_out(
        Operation.DESCRIBE,
        ResourceType.TRANSACTIONAL_ID,
        listed.transaction_states,
        lambda each: each.transactional_id,
        quietly=True,
    )
    return listed


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Raises KafkaError INVALID_REGULAR_EXPRESSION."""
    if not pattern:
        return lambda _: True
    import re2  # Lazy: a broker that is never asked for a pattern starts faster.

    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        words = error.args[0] if error.args else error
        why = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        raise KafkaError(
            ErrorCode.INVALID_REGULAR_EXPRESSION,
            f"the pattern of transactional ids is not a regular expression of RE2: {why}",
        ) from error
    return lambda name: compiled.fullmatch(name) is not None
