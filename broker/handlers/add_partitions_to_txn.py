"""AddPartitionsToTxn (key 24): adds partitions to transactions, or verifies them (KIP-98, KIP-890).

Versions 0 to 3 come from producers, for one transaction each. From 4 on they come from brokers, for
many: a partition's leader verifies that a producer has added it, or with transaction.version 2 adds
it itself. Version notes: 2 knows PRODUCER_FENCED (KIP-588). Version 4 also gets
TRANSACTION_ABORTABLE, as from Apache Kafka.

If a partition does not exist, its whole transaction is refused: the others are answered
OPERATION_NOT_ATTEMPTED, as in Apache Kafka.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from raftka.broker.coordinators.host import PendingAnswer
from raftka.broker.coordinators.outbox import Producer
from raftka.broker.coordinators.transaction.service import known_code
from raftka.broker.coordinators.transaction.state import EPOCH_BUMPS
from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from raftka.model.internal_topics import INTERNAL_TOPICS
from raftka.net.protocol.messages.add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
)
from raftka.net.router import Pending

_FROM_BROKERS = 4
_KNOWS_FENCED_FROM = 2

Codes = Callable[[TopicPartition], int]


@handles(AddPartitionsToTxnRequest, versions=(0, 5), access=PER_RESOURCE)
def add_partitions_to_txn(context: Context, request: AddPartitionsToTxnRequest) -> Pending:
    version = context.api_version
    if version >= _FROM_BROKERS:
        context.require_cluster(Operation.CLUSTER_ACTION)
    else:
        transaction = AddPartitionsToTxnTransaction(
            transactional_id=request.v3_and_below_transactional_id,
            producer_id=request.v3_and_below_producer_id,
            producer_epoch=request.v3_and_below_producer_epoch,
            topics=request.v3_and_below_topics,
        )
        return _Collected(context, [transaction], _of_one)
    return _Collected(context, request.transactions, _of_many)


def _of_one(results: list[AddPartitionsToTxnResult]) -> AddPartitionsToTxnResponse:
    (result,) = results
    return AddPartitionsToTxnResponse(results_by_topic_v3_and_below=result.topic_results)


def _of_many(results: list[AddPartitionsToTxnResult]) -> AddPartitionsToTxnResponse:
    return AddPartitionsToTxnResponse(results_by_transaction=results)


class _Collected(Pending):
    """Answers once each transaction of the request has its result."""

    __slots__ = ("_left", "_respond", "_results")

    def __init__(
        self,
        context: Context,
        transactions: list[AddPartitionsToTxnTransaction],
        respond: Callable[[list[AddPartitionsToTxnResult]], AddPartitionsToTxnResponse],
    ) -> None:
        super().__init__()
        self._left = len(transactions)
        self._respond = respond
        self._results: list[AddPartitionsToTxnResult] = []
        for transaction in transactions:
            _ask(context, transaction).on_resolved(self._resolved)
        if not transactions:
            self.resolve(respond([]))

    def _resolved(self, result: object) -> None:
        assert isinstance(result, AddPartitionsToTxnResult), result
        self._results.append(result)
        self._left -= 1
        if not self._left:
            self.resolve(self._respond(self._results))


def _ask(context: Context, transaction: AddPartitionsToTxnTransaction) -> Pending:
    """Handle one transaction of a request, answered with an AddPartitionsToTxnResult."""
    version = context.api_version
    wanted = [
        TopicPartition(topic.name, index)
        for topic in transaction.topics
        for index in topic.partitions
    ]

    def refusal(code: int) -> AddPartitionsToTxnResult:
        known = known_code(code, version >= _KNOWS_FENCED_FROM)
        return _result(transaction, lambda _: known)

    answer = PendingAnswer(refusal)
    if version < _FROM_BROKERS and not context.may(
        Operation.WRITE, ResourceType.TRANSACTIONAL_ID, transaction.transactional_id
    ):
        answer.resolve(
            _result(transaction, lambda _: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        )
        return answer
    wrong = _unknown(context, wanted)
    if wrong:
        not_attempted = ErrorCode.OPERATION_NOT_ATTEMPTED
        answer.resolve(_result(transaction, lambda each: wrong.get(each, not_attempted)))
        return answer
    producer = Producer(transaction.producer_id, transaction.producer_epoch)
    transactions = context.node.transactions
    if transaction.verify_only:

        def respond(found: dict[TopicPartition, ErrorCode]) -> AddPartitionsToTxnResult:
            return _result(transaction, lambda each: found[each])

        transactions.verify_partitions(
            transaction.transactional_id, producer, wanted, answer, respond
        )
    else:
        transactions.add_partitions(
            transaction.transactional_id,
            producer,
            wanted,
            EPOCH_BUMPS if version >= _FROM_BROKERS else 0,
            answer,
            _result(transaction, lambda _: ErrorCode.NONE),
        )
    return answer


def _unknown(context: Context, wanted: Iterable[TopicPartition]) -> dict[TopicPartition, ErrorCode]:
    """Partitions that cannot join: those that do not exist, and for clients those of internal
    topics and of topics that they may not write to."""
    image = context.node.image
    from_client = context.api_version < _FROM_BROKERS
    found = {}
    for each in wanted:
        if from_client and (
            each.topic in INTERNAL_TOPICS
            or not context.may(Operation.WRITE, ResourceType.TOPIC, each.topic)
        ):
            found[each] = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        elif image.partition(*each) is None:
            found[each] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return found


def _result(transaction: AddPartitionsToTxnTransaction, code: Codes) -> AddPartitionsToTxnResult:
    return AddPartitionsToTxnResult(
        transactional_id=transaction.transactional_id,
        topic_results=[_topic(topic, code) for topic in transaction.topics],
    )


def _topic(topic: AddPartitionsToTxnTopic, code: Codes) -> AddPartitionsToTxnTopicResult:
    return AddPartitionsToTxnTopicResult(
        name=topic.name,
        results_by_partition=[
            AddPartitionsToTxnPartitionResult(
                partition_index=index,
                partition_error_code=int(code(TopicPartition(topic.name, index))),
            )
            for index in topic.partitions
        ],
    )
