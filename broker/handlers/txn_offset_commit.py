"""TxnOffsetCommit (key 28): commits a group's offsets in a producer's transaction (KIP-98).

Version notes: up to 1 a loading coordinator is reported as COORDINATOR_NOT_AVAILABLE, since clients
of that time cannot handle the other code (KAFKA-7296). 3 names the group's member and generation,
which must be current (KIP-447). 4 knows TRANSACTION_ABORTABLE. From 5 on the request adds the
offsets to the transaction (KIP-890); before, AddOffsetsToTxn did, and the broker asks the
transaction's coordinator to verify that. 6 names topics by id (KIP-1319).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raftka.broker.coordinators.group.service import refused_txn_commit
from raftka.broker.missing import add_missing, take_missing
from raftka.broker.replication.joining import Codes, Question
from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import OFFSETS_TOPIC, TopicPartition
from raftka.net.protocol.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponseTopic,
)
from raftka.net.router import Pending

_KNOWS_LOADING_FROM = 2
_KNOWS_ABORTABLE_FROM = 4
_JOINS_FROM = 5
_BY_ID_FROM = 6
_UNNUMBERED = -1
"""The sequence number of a coordinator's batches: none."""

_COORDINATOR_AWAY = frozenset(
    {
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }
)
"""Errors of the transaction's coordinator that do not concern the group's: the client must retry,
without looking for the group's coordinator again."""


def refusal(request: TxnOffsetCommitRequest, error: KafkaError) -> TxnOffsetCommitResponse:
    """Repeat an error of the whole request for each partition that it names."""
    return refused_txn_commit(request, error.code)


@handles(TxnOffsetCommitRequest, versions=(0, 6), access=PER_RESOURCE, refusal=refusal)
def txn_offset_commit(context: Context, request: TxnOffsetCommitRequest) -> Pending:
    context.require(Operation.WRITE, ResourceType.TRANSACTIONAL_ID, request.transactional_id)
    context.require(Operation.READ, ResourceType.GROUP, request.group_id)
    answer = Pending()
    refused = _take_unknown_ids(context, request)
    request.topics, denied = context.sort_out(
        Operation.READ, ResourceType.TOPIC, request.topics, lambda topic: topic.name
    )
    refused += _refused(denied, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    request.topics, missing = take_missing(context.node.image, request.topics, _like)

    def resolve(found: object) -> None:
        assert isinstance(found, TxnOffsetCommitResponse), found
        if context.api_version < _KNOWS_LOADING_FROM:
            _hide_loading(found)
        add_missing(found.topics, _refused(missing, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
        found.topics += refused
        answer.resolve(found)

    _commit(context, request, resolve)
    return answer


def _commit(
    context: Context, request: TxnOffsetCommitRequest, resolve: Callable[[object], None]
) -> None:
    """Ask the transaction's coordinator, then the group's."""
    node, version = context.node, context.api_version

    def refuse(code: int) -> None:
        resolve(refused_txn_commit(request, code))

    index = node.groups.partition_of(request.group_id)
    replica = None if index is None else node.replicas.get(OFFSETS_TOPIC, index)
    if not request.topics:
        resolve(TxnOffsetCommitResponse())
    elif not request.group_id:
        refuse(ErrorCode.INVALID_GROUP_ID)
    elif index is None or replica is None or not replica.state.is_leader:
        refuse(ErrorCode.NOT_COORDINATOR)  # Nothing is added to a transaction in vain.
    else:
        partition = TopicPartition(OFFSETS_TOPIC, index)
        joins = version >= _JOINS_FROM
        # Created before the question: an end of the transaction that arrives meanwhile invalidates
        # it.
        guard = replica.verify(
            request.producer_id,
            request.producer_epoch,
            _UNNUMBERED,
            bumps_epoch=joins,
            now_ms=node.clock.wall_ms(),
        )

        def commit() -> None:
            node.groups.commit_transactional_offsets(request, guard).on_resolved(resolve)

        def answered(codes: Codes) -> None:
            code = codes[partition]
            if code is ErrorCode.NONE:
                commit()
            else:
                refuse(_as_known(code, version))

        if guard is None:
            commit()  # The transaction has offsets here already.
            return
        question = Question(
            request.transactional_id,
            request.producer_id,
            request.producer_epoch,
            frozenset({partition}),
            verify_only=not joins,
        )
        node.joining.ask(question, answered)


def _as_known(code: ErrorCode, version: int) -> ErrorCode:
    """Map the answer of a transaction's coordinator for a client of the group's."""
    if code in _COORDINATOR_AWAY:
        return ErrorCode.COORDINATOR_NOT_AVAILABLE
    if code is ErrorCode.CONCURRENT_TRANSACTIONS and version < _JOINS_FROM:
        return ErrorCode.COORDINATOR_NOT_AVAILABLE
    if code is ErrorCode.TRANSACTION_ABORTABLE and version < _KNOWS_ABORTABLE_FROM:
        return ErrorCode.INVALID_TXN_STATE
    if code is ErrorCode.PRODUCER_FENCED:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    return code


def _take_unknown_ids(
    context: Context, request: TxnOffsetCommitRequest
) -> list[TxnOffsetCommitResponseTopic]:
    """Set the names of topics that were named by id; unknown ids are removed from the request and
    returned with their errors."""
    if context.api_version < _BY_ID_FROM:
        return []
    names = context.node.image.topic_names
    known, unknown = [], []
    for topic in request.topics:
        topic.topic_id = bytes(topic.topic_id)  # The frame is released before the answer.
        name = names.get(topic.topic_id)
        if name is None:
            unknown.append(topic)
        else:
            topic.name = name
            known.append(topic)
    request.topics = known
    return _refused(unknown, ErrorCode.UNKNOWN_TOPIC_ID)


def _like(topic: TxnOffsetCommitRequestTopic, partitions: list[Any]) -> TxnOffsetCommitRequestTopic:
    return TxnOffsetCommitRequestTopic(
        name=topic.name, topic_id=topic.topic_id, partitions=partitions
    )


def _refused(
    topics: list[TxnOffsetCommitRequestTopic], code: ErrorCode
) -> list[TxnOffsetCommitResponseTopic]:
    return refused_txn_commit(TxnOffsetCommitRequest(topics=topics), code).topics


def _hide_loading(answer: TxnOffsetCommitResponse) -> None:
    for topic in answer.topics:
        for partition in topic.partitions:
            if partition.error_code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                partition.error_code = ErrorCode.COORDINATOR_NOT_AVAILABLE
