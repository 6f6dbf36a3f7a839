"""Requests of transactions that name many partitions, and the one code of their answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from raftka.client.group_offsets import GroupMetadata, OffsetAndMetadata
from raftka.client.producer.batch import Identity
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition
from raftka.net.protocol.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
)
from raftka.net.protocol.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
)


def add_partitions(
    transactional_id: str, identity: Identity, targets: Iterable[TopicPartition]
) -> AddPartitionsToTxnRequest:
    """The request in the form for producers (version 3 and below)."""
    topics: dict[str, AddPartitionsToTxnTopic] = {}
    for target in targets:
        topic = topics.setdefault(target.topic, AddPartitionsToTxnTopic(name=target.topic))
        topic.partitions.append(target.partition)
    return AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=transactional_id,
        v3_and_below_producer_id=identity.producer_id,
        v3_and_below_producer_epoch=identity.epoch,
        v3_and_below_topics=list(topics.values()),
    )


def added(answer: AddPartitionsToTxnResponse) -> int:
    """The code that decides about all partitions: none of them joins unless all do."""
    codes = [
        part.partition_error_code
        for topic in answer.results_by_topic_v3_and_below
        for part in topic.results_by_partition
    ]
    return _worst(codes)


def commit_offsets(
    transactional_id: str,
    identity: Identity,
    offsets: Mapping[TopicPartition, OffsetAndMetadata],
    group: GroupMetadata,
) -> TxnOffsetCommitRequest:
    """A group's positions, under the name of the member that has reached them (KIP-447)."""
    topics: dict[str, TxnOffsetCommitRequestTopic] = {}
    for target, item in sorted(offsets.items()):
        topic = topics.setdefault(target.topic, TxnOffsetCommitRequestTopic(name=target.topic))
        topic.partitions.append(
            TxnOffsetCommitRequestPartition(
                partition_index=target.partition,
                committed_offset=item.offset,
                committed_leader_epoch=item.leader_epoch,
                committed_metadata=item.metadata,
            )
        )
    return TxnOffsetCommitRequest(
        transactional_id=transactional_id,
        group_id=group.group_id,
        producer_id=identity.producer_id,
        producer_epoch=identity.epoch,
        generation_id=group.generation,
        member_id=group.member_id,
        group_instance_id=group.instance_id,
        topics=list(topics.values()),
    )


def offsets_committed(answer: TxnOffsetCommitResponse) -> int:
    """The code that decides about all offsets."""
    return _worst([part.error_code for topic in answer.topics for part in topic.partitions])


def _worst(codes: Iterable[int]) -> int:
    """The first error that is a cause: because of it the coordinator attempted nothing else."""
    failed = [code for code in codes if code != ErrorCode.NONE]
    causes = [code for code in failed if code != ErrorCode.OPERATION_NOT_ATTEMPTED]
    return next(iter(causes or failed), ErrorCode.NONE)
