"""kafka-transactions: list and describe transactions, and abort hanging ones (KIP-664)."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from raftka.client.admin import AbortSpec, Admin, ProducerState, SomeFailed
from raftka.client.tools.hanging import OpenTransaction, hanging, open_longer_than
from raftka.client.tools.options import (
    Options,
    ToolError,
    UsageError,
    admin_settings,
    given,
    require,
)
from raftka.client.tools.running import run, words
from raftka.client.tools.tables import tabbed
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.net.clock import system_clock

T = TypeVar("T")

_BATCH: Final = 500
"""The most topics or partitions in one request."""


class _Action(NamedTuple):
    work: Callable[[Admin, argparse.Namespace], Awaitable[None]]
    options: tuple[str, ...]
    required: tuple[str, ...] = ()


options = Options(
    "kafka-transactions",
    "This tool is used to analyze the transactional state of producers in the cluster. It can be"
    " used to detect and recover from hanging transactions.",
)
options.add_argument(
    "command",
    metavar="COMMAND",
    help="list: list transactions\n"
    "describe: describe the state of an active transactional-id\n"
    "describe-producers: describe the states of active producers for a topic partition\n"
    "abort: abort a hanging transaction\n"
    "find-hanging: find hanging transactions\n"
    "forceTerminateTransaction: abort the ongoing transaction of a transactional-id",
)
options.servers()
options.number(
    "--duration-filter",
    bits=64,
    metavar="MS",
    help="With list: only transactions that have run for longer.",
)
options.text("--transactional-id-pattern", metavar="REGEX", help="With list: only ids that match.")
options.text("--transactional-id", metavar="ID", help="With describe: the transactional id.")
options.text(
    "--transactionalId", metavar="ID", help="With forceTerminateTransaction: the transactional id."
)
options.text("--topic", metavar="TOPIC", help="The topic; find-hanging: limit the search to it.")
options.number("--partition", help="The partition.")
options.number(
    "--broker-id",
    help="With describe-producers: the replica to ask instead of the leader.\n"
    "With find-hanging: search the partitions of this broker.",
)
options.number(
    "--max-transaction-timeout",
    metavar="MINUTES",
    default=15,
    help="With find-hanging: leave out what is younger (default: 15 minutes).",
)
options.number("--start-offset", bits=64, help="With abort: where the transaction starts.")
options.number("--producer-id", bits=64, help="With abort, for brokers before 3.0: its producer,")
options.number("--producer-epoch", bits=16, help="with the producer's epoch")
options.number("--coordinator-epoch", help="and the coordinator's epoch.")


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work, failure="")


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    action = _ACTIONS.get(found.command)
    if action is None:
        raise UsageError(
            f"invalid choice: '{found.command}' (choose from {', '.join(map(repr, _ACTIONS))})"
        )
    require(found, "bootstrap-server", *action.required)
    every = {name for each in _ACTIONS.values() for name in each.options}
    for name in sorted(every - set(action.options)):
        if name in given(found, *every) and not _is_default(found, name):
            raise UsageError(f"unrecognized arguments: '--{name}' does not go with {found.command}")
    return found


def _is_default(found: argparse.Namespace, name: str) -> bool:
    attribute = name.replace("-", "_")
    return bool(getattr(found, attribute) == options.get_default(attribute))


async def _work(found: argparse.Namespace) -> None:
    async with Admin(admin_settings(found)) as admin:
        await _ACTIONS[found.command].work(admin, found)


async def _list(admin: Admin, found: argparse.Namespace) -> None:
    try:
        by_broker = await admin.list_transactions(
            longer_than_ms=-1 if found.duration_filter is None else found.duration_filter,
            pattern=found.transactional_id_pattern,
        )
    except KafkaError as error:
        raise _failed("Failed to list transactions", error) from error
    rows = [
        [listing.transactional_id, str(node), str(listing.producer_id), listing.state]
        for node, listings in by_broker.items()
        for listing in listings
    ]
    _print(["TransactionalId", "Coordinator", "ProducerId", "TransactionState"], rows)


async def _describe(admin: Admin, found: argparse.Namespace) -> None:
    id = found.transactional_id
    try:
        told = (await admin.describe_transactions([id]))[id]
    except KafkaError as error:
        what = f"Failed to describe transaction state of transactional-id `{id}`"
        raise _failed(what, error) from error
    began = told.started_ms
    row = [
        told.coordinator_id,
        id,
        told.producer_id,
        told.producer_epoch,
        told.state,
        told.timeout_ms,
        began,
        None if began is None else system_clock().wall_ms() - began,
        ",".join(map(str, sorted(told.partitions))),
    ]
    headings = (
        "CoordinatorId TransactionalId ProducerId ProducerEpoch TransactionState"
        " TransactionTimeoutMs CurrentTransactionStartTimeMs TransactionDurationMs TopicPartitions"
    )
    _print(headings.split(), [[str(cell) for cell in row]])


async def _describe_producers(admin: Admin, found: argparse.Namespace) -> None:
    target = TopicPartition(found.topic, found.partition)
    try:
        producers = await _producers(admin, target, found.broker_id)
    except KafkaError as error:
        where = "leader" if found.broker_id is None else f"broker {found.broker_id}"
        what = f"Failed to describe producers for partition {target} on {where}"
        raise _failed(what, error) from error
    rows = [
        [
            str(cell)
            for cell in (
                told.producer_id,
                told.producer_epoch,
                told.coordinator_epoch,
                told.last_sequence,
                told.last_timestamp_ms,
                told.transaction_start,
            )
        ]
        for told in producers
    ]
    headings = (
        "ProducerId ProducerEpoch LatestCoordinatorEpoch LastSequence LastTimestamp"
        " CurrentTransactionStartOffset"
    )
    _print(headings.split(), rows)


async def _abort(admin: Admin, found: argparse.Namespace) -> None:
    target = TopicPartition(found.topic, found.partition)
    if found.start_offset is None and found.producer_id is None:
        raise ToolError(
            "The transaction to abort must be identified either with --start-offset (for brokers on"
            " 3.0 or above) or with --producer-id, --producer-epoch, and --coordinator-epoch (for"
            " older brokers)"
        )
    if found.start_offset is not None:
        spec = await _spec(admin, target, found.start_offset)
    else:
        for name in ("producer-epoch", "coordinator-epoch"):
            if not given(found, name):
                raise ToolError(f"Missing required argument --{name}")
        # A producer without a marker yet has -1: leader epochs are not negative.
        coordinator_epoch = max(0, found.coordinator_epoch)
        spec = AbortSpec(target, found.producer_id, found.producer_epoch, coordinator_epoch)
    try:
        await admin.abort_transaction(spec)
    except KafkaError as error:
        raise _failed(f"Failed to abort the transaction of {spec}", error) from error


async def _spec(admin: Admin, target: TopicPartition, start_offset: int) -> AbortSpec:
    try:
        producers = await _producers(admin, target, None)
    except KafkaError as error:
        raise _failed(f"Failed to describe producers for partition {target}", error) from error
    for told in producers:
        if told.transaction_start == start_offset:
            coordinator_epoch = max(0, told.coordinator_epoch)
            return AbortSpec(target, told.producer_id, told.producer_epoch, coordinator_epoch)
    raise ToolError(
        f"Could not find any open transactions starting at offset {start_offset} on partition"
        f" {target}"
    )


async def _find_hanging(admin: Admin, found: argparse.Namespace) -> None:
    if found.topic is None and found.broker_id is None:
        raise ToolError(
            "The `find-hanging` command requires either --topic or --broker-id to limit the scope"
            " of the search"
        )
    if found.partition is not None and found.topic is None:
        raise ToolError("The --partition argument requires --topic to be provided")
    now_ms = system_clock().wall_ms()
    candidates: list[OpenTransaction] = []
    for batch in _batches(await _searched(admin, found)):
        described = await admin.describe_producers(batch, broker_id=found.broker_id)
        candidates += open_longer_than(described, now_ms, found.max_transaction_timeout * 60_000)
    rows: list[list[str]] = []
    for each in await _hanging(admin, candidates):
        told = each.producer
        cells = [
            each.partition.topic,
            each.partition.partition,
            told.producer_id,
            told.producer_epoch,
            told.coordinator_epoch,
            told.transaction_start,
            told.last_timestamp_ms,
            (now_ms - told.last_timestamp_ms) // 60_000,
        ]
        rows.append([str(cell) for cell in cells])
    headings = (
        "Topic Partition ProducerId ProducerEpoch CoordinatorEpoch StartOffset LastTimestamp"
        " Duration(min)"
    )
    _print(headings.split(), rows)


async def _searched(admin: Admin, found: argparse.Namespace) -> list[TopicPartition]:
    if found.partition is not None:
        return [TopicPartition(found.topic, found.partition)]
    topics = [found.topic] if found.topic is not None else list(await admin.list_topics())
    targets: list[TopicPartition] = []
    for batch in _batches(topics):
        for described in (await admin.describe_topics(batch)).values():
            targets += [
                TopicPartition(described.name, part.index)
                for part in described.partitions
                if found.broker_id is None or found.broker_id in part.replicas
            ]
    return targets


async def _hanging(admin: Admin, candidates: Sequence[OpenTransaction]) -> list[OpenTransaction]:
    if not candidates:
        return []
    producer_ids = sorted({each.producer.producer_id for each in candidates})
    listed = await admin.list_transactions(producer_ids=producer_ids)
    ids = {
        listing.producer_id: listing.transactional_id
        for listings in listed.values()
        for listing in listings
    }
    try:
        outcomes: dict[str, object] = dict(
            await admin.describe_transactions(sorted(set(ids.values())))
        )
    except SomeFailed as error:
        outcomes = dict(error.outcomes)
    for outcome in outcomes.values():
        if isinstance(outcome, KafkaError) and outcome.code != ErrorCode.TRANSACTIONAL_ID_NOT_FOUND:
            raise outcome
    return hanging(candidates, ids, outcomes)


async def _force_terminate(admin: Admin, found: argparse.Namespace) -> None:
    id = found.transactionalId
    try:
        await admin.force_terminate_transaction(id)
    except KafkaError as error:
        what = f"Failed to force terminate transactionalId `{id}`"
        raise _failed(what, error) from error


async def _producers(
    admin: Admin, target: TopicPartition, broker_id: int | None
) -> list[ProducerState]:
    return (await admin.describe_producers([target], broker_id=broker_id))[target]


def _batches(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


def _failed(what: str, error: KafkaError) -> ToolError:
    return ToolError(f"{what}: {words(error)}")


def _print(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print("\n".join(tabbed(headings, rows)))


_IN_PARTITION: Final = ("topic", "partition")
_ACTIONS: Final = {
    "list": _Action(_list, ("duration-filter", "transactional-id-pattern")),
    "describe": _Action(_describe, ("transactional-id",), ("transactional-id",)),
    "describe-producers": _Action(
        _describe_producers, ("broker-id", *_IN_PARTITION), _IN_PARTITION
    ),
    "abort": _Action(
        _abort,
        (*_IN_PARTITION, "start-offset", "producer-id", "producer-epoch", "coordinator-epoch"),
        _IN_PARTITION,
    ),
    "find-hanging": _Action(
        _find_hanging, ("broker-id", "max-transaction-timeout", *_IN_PARTITION)
    ),
    "forceTerminateTransaction": _Action(
        _force_terminate, ("transactionalId",), ("transactionalId",)
    ),
}
