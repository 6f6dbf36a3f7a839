"""Requests to leaders about offsets: by timestamp, and where a leader epoch ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from raftka.client.cluster import Cluster
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_EPOCH, TopicPartition
from raftka.model.offset_specs import (
    EARLIEST_LOCAL,
    EARLIEST_PENDING_UPLOAD,
    LATEST_TIERED,
    MAX_TIMESTAMP,
)
from raftka.model.ports import BrokenConnection
from raftka.net.channel import Channel
from raftka.net.protocol.messages import list_offsets, offset_for_leader_epoch
from raftka.net.protocol.messages.list_offsets import ListOffsetsRequest
from raftka.net.protocol.messages.offset_for_leader_epoch import OffsetForLeaderEpochRequest

_CONSUMER = -1
_MIN_VERSION = {
    MAX_TIMESTAMP: 7,
    EARLIEST_LOCAL: 8,
    LATEST_TIERED: 9,
    EARLIEST_PENDING_UPLOAD: 11,
}
"""The first version of ListOffsets that knows each special timestamp."""


class OffsetAndTimestamp(NamedTuple):
    """An offset found by timestamp, and the timestamp of the record there."""

    offset: int
    timestamp_ms: int
    leader_epoch: int = NO_EPOCH


class EpochEnd(NamedTuple):
    """The last epoch up to the one asked for, and the offset after its last record."""

    epoch: int
    end_offset: int


Answers = dict[TopicPartition, OffsetAndTimestamp | KafkaError]


def by_leader(
    cluster: Cluster, targets: Mapping[TopicPartition, int]
) -> dict[int, dict[TopicPartition, int]]:
    """`targets` by their leaders; partitions without a leader are left out."""
    found: dict[int, dict[TopicPartition, int]] = {}
    for target, value in targets.items():
        leader = cluster.view.leader(*target)
        if leader is not None:
            found.setdefault(leader.id, {})[target] = value
    return found


async def list_offsets_once(
    cluster: Cluster, timestamps: Mapping[TopicPartition, int], *, committed_only: bool = False
) -> Answers:
    """Send one request to each leader. Partitions without an answer, or with a retriable error, are
    left out. Offset -1: no record is that recent. Raises KafkaError UNSUPPORTED_VERSION.
    """
    found: Answers = {}
    for node, targets in by_leader(cluster, timestamps).items():
        try:
            channel = await cluster.channel_to(node)
            await _ask_offsets(cluster, channel, targets, committed_only, found)
        except BrokenConnection:
            cluster.refresh_soon()
    if len(found) < len(timestamps):
        cluster.refresh_soon()
    return found


async def _ask_offsets(
    cluster: Cluster,
    channel: Channel,
    targets: Mapping[TopicPartition, int],
    committed_only: bool,
    found: Answers,
) -> None:
    version = channel.version_for(ListOffsetsRequest)
    needed = max(_MIN_VERSION.get(timestamp, 0) for timestamp in targets.values())
    if version < needed:
        raise KafkaError(
            ErrorCode.UNSUPPORTED_VERSION,
            f"{channel.peer} does not know this kind of offset: it speaks ListOffsets {version},"
            f" {needed} is needed",
        )
    topics: dict[str, list_offsets.ListOffsetsTopic] = {}
    for target, timestamp in targets.items():
        topic = topics.setdefault(
            target.topic, list_offsets.ListOffsetsTopic(name=target.topic, partitions=[])
        )
        view = cluster.view.partition(*target)
        topic.partitions.append(
            list_offsets.ListOffsetsPartition(
                partition_index=target.partition,
                current_leader_epoch=NO_EPOCH if view is None else view.leader_epoch,
                timestamp=timestamp,
            )
        )
    answer = await channel.request(
        ListOffsetsRequest(
            replica_id=_CONSUMER,
            isolation_level=1 if committed_only else 0,
            topics=list(topics.values()),
            timeout=int(cluster.request_timeout_s * 1000),
        ),
        version,
        cluster.request_timeout_s,
    )
    for told in answer.topics:
        for part in told.partitions:
            target = TopicPartition(told.name, part.partition_index)
            if part.error_code == ErrorCode.NONE:
                found[target] = OffsetAndTimestamp(part.offset, part.timestamp, part.leader_epoch)
            else:
                error = KafkaError(ErrorCode(part.error_code))
                if error.retriable:
                    cluster.refresh_soon()
                else:
                    found[target] = error


async def list_offsets_for(
    cluster: Cluster,
    timestamps: Mapping[TopicPartition, int],
    timeout_s: float,
    *,
    committed_only: bool = False,
) -> Answers:
    """Ask until each partition has its answer. Raises KafkaError REQUEST_TIMED_OUT."""
    deadline = cluster.clock.monotonic() + timeout_s
    remaining = dict(timestamps)
    found: Answers = {}
    failures = 0
    cluster.follow(sorted({target.topic for target in timestamps}), allow_creation=False)
    while remaining:
        answers = await list_offsets_once(cluster, remaining, committed_only=committed_only)
        found |= answers
        remaining = {target: t for target, t in remaining.items() if target not in answers}
        for target in list(remaining):
            code = cluster.view.errors.get(target.topic)
            topic = cluster.view.topics.get(target.topic)
            if code is None and topic is not None and target.partition not in topic.partitions:
                code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            if code is not None and failures:
                found[target] = KafkaError(ErrorCode(code), f"{target} does not exist")
                del remaining[target]
        if not remaining:
            break
        failures += 1
        pause = cluster.retry_backoff.pause(failures)
        if cluster.clock.monotonic() + pause > deadline:
            raise _no_answer(cluster, remaining)
        version = cluster.view.version
        if not answers:
            await cluster.refreshed(version)
        if cluster.view.version == version or failures > 1:
            await cluster.clock.sleep(pause)
    return found


def _no_answer(cluster: Cluster, remaining: Mapping[TopicPartition, int]) -> KafkaError:
    if cluster.last_error is not None:
        return cluster.unreachable()
    names = ", ".join(str(target) for target in sorted(remaining)[:5])
    return KafkaError(
        ErrorCode.REQUEST_TIMED_OUT, f"no leader answered with the offsets of {names} in time"
    )


async def epoch_ends(
    cluster: Cluster, epochs: Mapping[TopicPartition, int]
) -> dict[TopicPartition, EpochEnd | KafkaError]:
    """Where each epoch ends in the leader's log (KIP-320); left out when there is no answer."""
    found: dict[TopicPartition, EpochEnd | KafkaError] = {}
    for node, targets in by_leader(cluster, epochs).items():
        topics: dict[str, offset_for_leader_epoch.OffsetForLeaderTopic] = {}
        for target, epoch in targets.items():
            view = cluster.view.partition(*target)
            topic = topics.setdefault(
                target.topic,
                offset_for_leader_epoch.OffsetForLeaderTopic(topic=target.topic, partitions=[]),
            )
            topic.partitions.append(
                offset_for_leader_epoch.OffsetForLeaderPartition(
                    partition=target.partition,
                    current_leader_epoch=NO_EPOCH if view is None else view.leader_epoch,
                    leader_epoch=epoch,
                )
            )
        try:
            channel = await cluster.channel_to(node)
            request = OffsetForLeaderEpochRequest(
                replica_id=_CONSUMER, topics=list(topics.values())
            )
            answer = await cluster.ask(channel, request)
        except BrokenConnection:
            continue
        for told in answer.topics:
            for part in told.partitions:
                target = TopicPartition(told.topic, part.partition)
                if part.error_code == ErrorCode.NONE:
                    found[target] = EpochEnd(part.leader_epoch, part.end_offset)
                elif not (error := KafkaError(ErrorCode(part.error_code))).retriable:
                    found[target] = error
    if len(found) < len(epochs):
        # No leader, no answer from it, or an answer that this client's layout is out of date.
        cluster.refresh_soon()
    return found
