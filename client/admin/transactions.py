"""Transactions: list and describe them, and abort hanging ones (KIP-664)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from raftka.client.admin.calls import Calls
from raftka.client.admin.coordinated import at_coordinator
from raftka.client.admin.outcomes import SomeFailed, checked, error_of, outcome_of, raise_for
from raftka.client.consumer.group_messages import by_topic
from raftka.client.coordinator import TRANSACTION, Coordinator
from raftka.client.given import names_in
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_PRODUCER_ID, TopicPartition
from raftka.net.protocol.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    TopicRequest,
)
from raftka.net.protocol.messages.describe_transactions import (
    DescribeTransactionsRequest,
    TransactionState,
)
from raftka.net.protocol.messages.init_producer_id import InitProducerIdRequest
from raftka.net.protocol.messages.list_transactions import ListTransactionsRequest
from raftka.net.protocol.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)

T = TypeVar("T")

_FENCING_TIMEOUT_MS: Final = 1
"""A transaction timeout for a producer that never begins a transaction."""
_FIRST_WITH_DURATION: Final = 1
_FIRST_WITH_PATTERN: Final = 2


@dataclass(frozen=True, slots=True)
class TransactionListing:
    """A transactional id that a broker coordinates; `state` as Ongoing, CompleteCommit, ..."""

    transactional_id: str
    producer_id: int
    state: str


@dataclass(frozen=True, slots=True)
class TransactionDescription:
    """A transactional id as its coordinator knows it."""

    coordinator_id: int
    state: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    started_ms: int | None
    """When the newest transaction began, ms since 1970; None before the first."""
    partitions: frozenset[TopicPartition]
    """The partitions in the transaction; while it ends, those without a marker yet."""


@dataclass(frozen=True, slots=True)
class ProducerState:
    """A producer's state in a replica."""

    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_timestamp_ms: int
    coordinator_epoch: int
    """The epoch of the coordinator that wrote the producer's last marker; -1 before the first."""
    transaction_start: int | None
    """The first offset of its open transaction; None while none is open."""


@dataclass(frozen=True, slots=True)
class AbortSpec:
    """An open transaction in one partition, by its producer."""

    partition: TopicPartition
    producer_id: int
    producer_epoch: int
    coordinator_epoch: int


async def list_transactions(
    admin: Calls,
    *,
    states: Collection[str] = (),
    producer_ids: Collection[int] = (),
    longer_than_ms: int = -1,
    pattern: str | None = None,
) -> dict[int, list[TransactionListing]]:
    """All transactional ids, by the broker that coordinates them.

    Only those in `states`, of `producer_ids`, whose transaction has been open for longer than
    `longer_than_ms` (KIP-994), whose id matches the regular expression `pattern` (RE2,
    KIP-1152), where given. Raises KafkaError, UNSUPPORTED_VERSION when a broker cannot do that.
    """
    needed = _FIRST_WITH_PATTERN if pattern else _FIRST_WITH_DURATION * (longer_than_ms >= 0)
    found: dict[int, list[TransactionListing]] = {}
    for node in await admin.retrying(admin.know_brokers):

        async def attempt(node: int = node) -> list[TransactionListing]:
            channel = await admin.channel_to(node)
            if channel.version_for(ListTransactionsRequest) < needed:
                raise KafkaError(
                    ErrorCode.UNSUPPORTED_VERSION,
                    f"{channel.peer} cannot filter transactions in this way: it needs"
                    f" ListTransactions {needed}",
                )
            request = ListTransactionsRequest(
                state_filters=list(states),
                producer_id_filters=list(producer_ids),
                duration_filter=longer_than_ms,
                transactional_id_pattern=pattern,
            )
            answer = await admin.cluster.ask(channel, request)
            raise_for(answer.error_code)
            return [
                TransactionListing(item.transactional_id, item.producer_id, item.transaction_state)
                for item in answer.transaction_states
            ]

        found[node] = await admin.retrying(attempt)
    return found


async def describe_transactions(
    admin: Calls, transactional_ids: Iterable[str]
) -> dict[str, TransactionDescription]:
    """Raises SomeFailed, with TRANSACTIONAL_ID_NOT_FOUND for unknown ids."""
    outcomes: dict[str, TransactionDescription | KafkaError] = {}
    for id in names_in(transactional_ids, "transactional ids"):
        outcomes[id] = await outcome_of(_describe(admin, id))
    return checked(outcomes)


async def describe_producers(
    admin: Calls, partitions: Iterable[TopicPartition], *, broker_id: int | None = None
) -> dict[TopicPartition, list[ProducerState]]:
    """The producers that a partition's leader knows, or the replica on `broker_id`.

    The one with the lowest `transaction_start` holds back the last stable offset. Raises
    SomeFailed.
    """
    targets = list(partitions)
    outcomes: dict[TopicPartition, list[ProducerState] | KafkaError] = {}

    async def ask(node: int, wanted: list[TopicPartition]) -> dict[TopicPartition, KafkaError]:
        request = DescribeProducersRequest(
            topics=[
                TopicRequest(name=topic, partition_indexes=indexes)
                for topic, indexes in by_topic(wanted).items()
            ]
        )
        answer = await admin.cluster.ask(await admin.channel_to(node), request)
        return _take_producers(answer, outcomes)

    await _of_leaders(admin, targets, ask, outcomes, broker_id=broker_id)
    return checked({target: outcomes[target] for target in targets})


async def abort_transaction(admin: Calls, spec: AbortSpec) -> None:
    """Write an abort marker for a transaction that its coordinator does not end (KIP-664).

    Only for a hanging transaction, since the marker bypasses the coordinator. Raises KafkaError.
    """
    outcomes: dict[TopicPartition, KafkaError | None] = {}

    async def ask(node: int, wanted: list[TopicPartition]) -> dict[TopicPartition, KafkaError]:
        marker = WritableTxnMarker(
            producer_id=spec.producer_id,
            producer_epoch=spec.producer_epoch,
            transaction_result=False,
            coordinator_epoch=spec.coordinator_epoch,
            topics=[
                WritableTxnMarkerTopic(name=topic, partition_indexes=indexes)
                for topic, indexes in by_topic(wanted).items()
            ],
        )
        request = WriteTxnMarkersRequest(markers=[marker])
        answer = await admin.cluster.ask(await admin.channel_to(node), request)
        return _take_markers(answer, outcomes)

    await _of_leaders(admin, [spec.partition], ask, outcomes)
    error = outcomes[spec.partition]
    if isinstance(error, KafkaError):
        raise error


async def fence_producers(
    admin: Calls, transactional_ids: Iterable[str]
) -> dict[str, tuple[int, int]]:
    """End the producers with these ids and abort what they have open (KIP-588).

    The (producer id, epoch) that each id has now. Raises SomeFailed.
    """
    outcomes: dict[str, tuple[int, int] | KafkaError] = {}
    for id in names_in(transactional_ids, "transactional ids"):
        outcomes[id] = await outcome_of(_fence(admin, id))
    return checked(outcomes)


async def force_terminate_transaction(admin: Calls, transactional_id: str) -> None:
    """Abort the open transaction of an id, and fence its producer. Raises KafkaError."""
    try:
        await fence_producers(admin, [transactional_id])
    except SomeFailed as error:
        raise error.outcomes[transactional_id] from None


async def _of_leaders(
    admin: Calls,
    targets: Collection[TopicPartition],
    ask: Callable[[int, list[TopicPartition]], Awaitable[Mapping[TopicPartition, KafkaError]]],
    outcomes: dict[TopicPartition, T | KafkaError],
    *,
    broker_id: int | None = None,
) -> None:
    """Ask until each partition has its outcome. `ask` returns the partitions to retry."""

    async def attempt() -> None:
        remaining = [target for target in targets if target not in outcomes]
        await admin.layout_of(sorted({target.topic for target in remaining}))
        by_node: dict[int, list[TopicPartition]] = {}
        for target in remaining:
            if admin.cluster.view.partition(*target) is None:
                outcomes[target] = KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
                continue
            leader = admin.cluster.view.leader(*target)
            if broker_id is not None:
                by_node.setdefault(broker_id, []).append(target)
            elif leader is None:
                raise KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, f"{target} has no leader")
            else:
                by_node.setdefault(leader.id, []).append(target)
        for node, wanted in by_node.items():
            passing = await ask(node, wanted)
            if broker_id is not None:
                # Another leader does not make that broker a replica.
                outcomes.update(passing)
            elif passing:
                raise next(iter(passing.values()))

    if targets:
        await admin.retrying(attempt)


async def _describe(admin: Calls, id: str) -> TransactionDescription:
    coordinator = Coordinator(admin.cluster, id, TRANSACTION)

    async def attempt() -> TransactionDescription:
        channel = await coordinator.channel()
        request = DescribeTransactionsRequest(transactional_ids=[id])
        (found,) = (await admin.cluster.ask(channel, request)).transaction_states
        raise_for(found.error_code)
        assert coordinator.broker is not None
        return _description(coordinator.broker.id, found)

    return await at_coordinator(admin, coordinator, attempt)


async def _fence(admin: Calls, id: str) -> tuple[int, int]:
    coordinator = Coordinator(admin.cluster, id, TRANSACTION)

    async def attempt() -> tuple[int, int]:
        channel = await coordinator.channel()
        request = InitProducerIdRequest(
            transactional_id=id,
            transaction_timeout=_FENCING_TIMEOUT_MS,
            producer_id=NO_PRODUCER_ID,
            producer_epoch=-1,
        )
        answer = await admin.cluster.ask(channel, request, highest=5)
        raise_for(answer.error_code)
        return answer.producer_id, answer.producer_epoch

    return await at_coordinator(admin, coordinator, attempt)


def _description(node: int, item: TransactionState) -> TransactionDescription:
    return TransactionDescription(
        node,
        item.transaction_state,
        item.producer_id,
        item.producer_epoch,
        item.transaction_timeout,
        item.transaction_start_time if item.transaction_start_time >= 0 else None,
        frozenset(
            TopicPartition(topic.topic, index)
            for topic in item.topics
            for index in topic.partitions
        ),
    )


def _take_producers(
    answer: DescribeProducersResponse,
    outcomes: dict[TopicPartition, list[ProducerState] | KafkaError],
) -> dict[TopicPartition, KafkaError]:
    passing: dict[TopicPartition, KafkaError] = {}
    for topic in answer.topics:
        for part in topic.partitions:
            target = TopicPartition(topic.name, part.partition_index)
            error = error_of(part.error_code, part.error_message)
            if error is not None and error.retriable:
                passing[target] = error
                continue
            outcomes[target] = error or [
                ProducerState(
                    item.producer_id,
                    item.producer_epoch,
                    item.last_sequence,
                    item.last_timestamp,
                    item.coordinator_epoch,
                    item.current_txn_start_offset if item.current_txn_start_offset >= 0 else None,
                )
                for item in part.active_producers
            ]
    return passing


def _take_markers(
    answer: WriteTxnMarkersResponse, outcomes: dict[TopicPartition, KafkaError | None]
) -> dict[TopicPartition, KafkaError]:
    passing: dict[TopicPartition, KafkaError] = {}
    for marker in answer.markers:
        for topic in marker.topics:
            for part in topic.partitions:
                target = TopicPartition(topic.name, part.partition_index)
                error = error_of(part.error_code)
                if error is not None and error.retriable:
                    passing[target] = error
                else:
                    outcomes[target] = error
    return passing
