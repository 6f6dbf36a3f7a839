"""A transaction coordinator in memory that implements only the rules of KIP-98 and KIP-890."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages import add_partitions_to_txn, txn_offset_commit
from raftka.net.protocol.messages.add_offsets_to_txn import (
    AddOffsetsToTxnRequest,
    AddOffsetsToTxnResponse,
)
from raftka.net.protocol.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
)
from raftka.net.protocol.messages.end_txn import EndTxnRequest, EndTxnResponse
from raftka.net.protocol.messages.init_producer_id import (
    InitProducerIdRequest,
    InitProducerIdResponse,
)
from raftka.net.protocol.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
)

TRANSACTION_REQUESTS = (
    AddPartitionsToTxnRequest,
    AddOffsetsToTxnRequest,
    EndTxnRequest,
    TxnOffsetCommitRequest,
)

Refusal = Callable[[Request[Any]], ErrorCode]


@dataclass
class ScriptedTransactions:
    """The coordinator of one transactional id; `level` is transaction.version."""

    level: int = 2
    producer_id: int = 5000
    epoch: int = -1
    partitions: set[TopicPartition] = field(default_factory=set)
    """The partitions in the open transaction."""
    pending_offsets: dict[TopicPartition, int] = field(default_factory=dict)
    committed_offsets: dict[TopicPartition, int] = field(default_factory=dict)
    ends: list[bool] = field(default_factory=list)
    """For each transaction that was ended, whether it was committed."""
    calls: list[str] = field(default_factory=list)
    refusal: Refusal = lambda request: ErrorCode.NONE
    """An error to answer a request with, before anything is done."""
    _last_end: tuple[int, bool, int] | None = None
    """The last EndTxn: the producer's epoch, the requested outcome, the answered epoch."""

    def answer(self, request: Request[Any]) -> Response:
        self.calls.append(type(request).API_NAME)
        code = self.refusal(request)
        if isinstance(request, InitProducerIdRequest):
            return self._init(request, code)
        if isinstance(request, AddPartitionsToTxnRequest):
            return self._add_partitions(request, code)
        if isinstance(request, AddOffsetsToTxnRequest):
            return AddOffsetsToTxnResponse(error_code=code or self._check(request.producer_epoch))
        if isinstance(request, TxnOffsetCommitRequest):
            return self._commit_offsets(request, code)
        return self._end(cast(EndTxnRequest, request), code)

    def produced(self, target: TopicPartition, epoch: int) -> ErrorCode:
        """A leader's verification before it stores a batch of the transaction."""
        code = self._check(epoch)
        if code == ErrorCode.PRODUCER_FENCED:
            return ErrorCode.INVALID_PRODUCER_EPOCH
        if self.level >= 2:
            self.partitions.add(target)
        elif target not in self.partitions:
            return ErrorCode.INVALID_TXN_STATE
        return ErrorCode.NONE

    def _check(self, epoch: int) -> ErrorCode:
        return ErrorCode.NONE if epoch == self.epoch else ErrorCode.PRODUCER_FENCED

    def _init(self, request: InitProducerIdRequest, code: ErrorCode) -> Response:
        if not code and request.producer_epoch >= 0:
            code = self._check(request.producer_epoch)
        if code:
            return InitProducerIdResponse(error_code=code)
        if self.partitions:
            self._close(commit=False)
        self.epoch += 1
        return InitProducerIdResponse(producer_id=self.producer_id, producer_epoch=self.epoch)

    def _add_partitions(self, request: AddPartitionsToTxnRequest, code: ErrorCode) -> Response:
        code = code or self._check(request.v3_and_below_producer_epoch)
        results = []
        for topic in request.v3_and_below_topics:
            results.append(
                add_partitions_to_txn.AddPartitionsToTxnTopicResult(
                    name=topic.name,
                    results_by_partition=[
                        add_partitions_to_txn.AddPartitionsToTxnPartitionResult(
                            partition_index=index, partition_error_code=code
                        )
                        for index in topic.partitions
                    ],
                )
            )
            if not code:
                self.partitions |= {TopicPartition(topic.name, i) for i in topic.partitions}
        return AddPartitionsToTxnResponse(results_by_topic_v3_and_below=results)

    def _commit_offsets(self, request: TxnOffsetCommitRequest, code: ErrorCode) -> Response:
        code = code or self._check(request.producer_epoch)
        topics = []
        for topic in request.topics:
            topics.append(
                txn_offset_commit.TxnOffsetCommitResponseTopic(
                    name=topic.name,
                    partitions=[
                        txn_offset_commit.TxnOffsetCommitResponsePartition(
                            partition_index=part.partition_index, error_code=code
                        )
                        for part in topic.partitions
                    ],
                )
            )
            for part in topic.partitions if not code else ():
                target = TopicPartition(topic.name, part.partition_index)
                self.pending_offsets[target] = part.committed_offset
        if not code:
            self.partitions.add(TopicPartition("__consumer_offsets", 0))
        return TxnOffsetCommitResponse(topics=topics)

    def _end(self, request: EndTxnRequest, code: ErrorCode) -> Response:
        asked = (request.producer_epoch, request.committed)
        repeated = self._last_end is not None and self._last_end[:2] == asked
        if not code and repeated and not self.partitions:
            # The answer was lost, and the request is repeated.
            assert self._last_end is not None
            return self._ended(self._last_end[2])
        code = code or self._check(request.producer_epoch)
        if not code and not self.partitions and (request.committed or self.level < 2):
            code = ErrorCode.INVALID_TXN_STATE
        if code:
            return EndTxnResponse(error_code=code)
        self._close(commit=request.committed)
        if self.level >= 2:
            self.epoch += 1
        self._last_end = (*asked, self.epoch)
        return self._ended(self.epoch)

    def _ended(self, epoch: int) -> Response:
        if self.level < 2:
            return EndTxnResponse()
        return EndTxnResponse(producer_id=self.producer_id, producer_epoch=epoch)

    def _close(self, *, commit: bool) -> None:
        self.ends.append(commit)
        if commit:
            self.committed_offsets |= self.pending_offsets
        self.pending_offsets.clear()
        self.partitions.clear()
