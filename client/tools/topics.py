"""kafka-topics: create, delete, list, describe and alter topics."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raftka.client.admin import (
    Admin,
    ConfigSource,
    NewTopic,
    PartitionDescription,
    Reassignment,
    Resource,
    ResourceType,
    TopicDescription,
)
from raftka.client.tools.filters import topic_pattern
from raftka.client.tools.options import (
    Options,
    ToolError,
    UsageError,
    admin_settings,
    exclude,
    given,
    parse_pairs,
    require,
    shortened,
    whole_number,
)
from raftka.client.tools.running import run
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition, parse_uuid, uuid_text

_ACTIONS = ("create", "list", "alter", "describe", "delete")
_FILTERS = (
    "under-replicated-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
    "unavailable-partitions",
)
_COLLISION = (
    "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_')"
    " could collide. To avoid issues it is best to use either, but not both."
)

options = Options("kafka-topics", "This tool helps to create, delete, describe, or change a topic.")
options.servers()
options.flag("--create", help="Create a new topic.")
options.flag("--list", help="List all available topics.")
options.flag("--describe", help="List details for the given topics.")
options.flag("--alter", help="Alter the number of partitions of a topic.")
options.flag("--delete", help="Delete a topic.")
options.text("--topic", metavar="TOPIC", help="The topic; except with --create, a pattern.")
options.text("--topic-id", metavar="ID", help="The id of the topic to describe.")
options.number("--partitions", help="The number of partitions; default: the cluster's.")
options.number(
    "--replication-factor", bits=16, help="The replicas of each; default: the cluster's."
)
options.text(
    "--replica-assignment",
    metavar="ID:ID,ID:ID,...",
    help="The brokers of each partition, the preferred leader first.",
)
options.many("--config", metavar="NAME=VALUE", help="A setting of the topic to create.")
options.text("--delete-config", metavar="NAME", help="No longer supported: see kafka-configs.")
options.flag("--if-exists", help="Do nothing if the topic is not there.")
options.flag("--if-not-exists", help="Do not fail if the topic is there already.")
options.flag("--exclude-internal", help="Leave internal topics out.")
options.flag("--topics-with-overrides", help="Describe topics that have settings of their own.")
options.flag("--under-replicated-partitions", help="Show partitions that lack in-sync replicas.")
options.flag("--under-min-isr-partitions", help="Show partitions below min.insync.replicas.")
options.flag("--at-min-isr-partitions", help="Show partitions just at min.insync.replicas.")
options.flag("--unavailable-partitions", help="Show partitions without a leader.")
options.number("--partition-size-limit-per-response", help="The most partitions of one answer.")


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work, failure="Error while executing topic command : ")


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    if len(given(found, *_ACTIONS)) != 1:
        raise UsageError(
            "Command must include exactly one action: --list, --describe, --create, --alter or"
            " --delete"
        )
    require(found, "bootstrap-server")
    if found.create or found.delete or found.alter:
        require(found, "topic")
    if found.describe and found.if_exists and not (found.topic or found.topic_id):
        raise UsageError("--topic or --topic-id is required to describe a topic")
    if found.delete_config:
        raise UsageError("delete-config is no longer supported: use kafka-configs")
    if found.alter:
        exclude(found, "alter", "config", "replication-factor")
    for name in ("partitions", "replication-factor", "config"):
        exclude(found, name, "list", "describe", "delete")
    exclude(found, "replica-assignment", "list", "describe", "delete")
    exclude(found, "replica-assignment", "partitions" if found.create else "replication-factor")
    exclude(found, "replica-assignment", "replication-factor")
    exclude(found, "if-exists", "list", "create")
    exclude(found, "if-not-exists", "list", "alter", "delete", "describe")
    exclude(found, "exclude-internal", "create", "alter", "delete")
    for name in (*_FILTERS, "topics-with-overrides"):
        exclude(found, name, "list", "create", "alter", "delete")
    if len(given(found, *_FILTERS, "topics-with-overrides")) > 1:
        first, second, *_ = given(found, *_FILTERS, "topics-with-overrides")
        exclude(found, first, second)
    return found


async def _work(found: argparse.Namespace) -> None:
    async with Admin(admin_settings(found)) as admin:
        if found.create:
            await _create(admin, found)
        elif found.list:
            for name in await _matching(admin, found):
                print(name)
        elif found.describe:
            await _describe(admin, found)
        elif found.alter:
            await _alter(admin, found)
        else:
            await _delete(admin, found)


async def _create(admin: Admin, found: argparse.Namespace) -> None:
    name = found.topic
    if "." in name or "_" in name:
        print(_COLLISION)
    topic = NewTopic(
        name,
        _count(found.partitions, "partitions"),
        _count(found.replication_factor, "replication factor"),
        parse_pairs(found.config, "--config"),
        _assignment(found.replica_assignment),
    )
    try:
        await admin.create_topics([topic])
    except KafkaError as error:
        if error.code == ErrorCode.TOPIC_ALREADY_EXISTS and found.if_not_exists:
            return
        raise
    print(f"Created topic {name}.")


async def _delete(admin: Admin, found: argparse.Namespace) -> None:
    names = await _matching(admin, found)
    if _existing(names, found):
        await admin.delete_topics(names)


async def _alter(admin: Admin, found: argparse.Namespace) -> None:
    names = await _matching(admin, found)
    if not _existing(names, found):
        return
    if found.partitions is None:
        raise ToolError("nothing to alter: give --partitions")
    placed = _assignment(found.replica_assignment)
    described = await admin.describe_topics(names)
    added = {
        name: [placed[index] for index in sorted(placed) if index >= len(topic.partitions)]
        for name, topic in described.items()
    }
    await admin.create_partitions(
        dict.fromkeys(names, found.partitions), assignments=added if placed else None
    )


async def _matching(admin: Admin, found: argparse.Namespace) -> list[str]:
    pattern = topic_pattern(found.topic) if found.topic else None
    listed = await admin.list_topics(internal=not found.exclude_internal)
    return [name for name in listed if pattern is None or pattern.fullmatch(name)]


def _existing(names: Sequence[str], found: argparse.Namespace) -> bool:
    """Whether any topic matches. Raises ToolError if none does, unless that is allowed."""
    if not names and found.topic and not found.if_exists:
        raise ToolError(f"Topic '{found.topic}' does not exist as expected")
    return bool(names)


# Describing.


@dataclass(frozen=True, slots=True)
class _Shown:
    """A topic, its settings, and its partitions that are being moved."""

    topic: TopicDescription
    overrides: Mapping[str, str | None]
    min_isr: int
    moves: Mapping[TopicPartition, Reassignment]

    def replicas(self, part: PartitionDescription) -> int:
        """The replication factor: replicas that a reassignment adds do not count yet."""
        move = self.moves.get(TopicPartition(self.topic.name, part.index))
        return len(part.replicas) - (len(move.adding) if move is not None else 0)


async def _describe(admin: Admin, found: argparse.Namespace) -> None:
    if found.topic_id:
        topics = await _by_id(admin, found)
    else:
        names = await _matching(admin, found)
        if not _existing(names, found):
            return
        topics = list((await admin.describe_topics(names)).values())
    resources = [Resource(ResourceType.TOPIC, topic.name) for topic in topics]
    configs = await admin.describe_configs(resources) if resources else {}
    moves = await admin.list_partition_reassignments() if resources else {}
    for topic in sorted(topics, key=lambda topic: topic.name):
        entries = configs[Resource(ResourceType.TOPIC, topic.name)]
        min_isr = entries.get("min.insync.replicas")
        shown = _Shown(
            topic,
            {
                entry.name: entry.value
                for entry in entries.values()
                if entry.source != ConfigSource.DEFAULT_CONFIG
            },
            int(min_isr.value or 1) if min_isr is not None else 1,
            moves,
        )
        _print_topic(shown, found)


async def _by_id(admin: Admin, found: argparse.Namespace) -> list[TopicDescription]:
    try:
        topic_id = parse_uuid(found.topic_id)
    except ValueError as error:
        raise ToolError(str(error)) from None
    try:
        return list((await admin.describe_topics_by_id([topic_id])).values())
    except KafkaError as error:
        if error.code != ErrorCode.UNKNOWN_TOPIC_ID:
            raise
        if found.if_exists:
            return []
        raise ToolError(f"TopicId '{found.topic_id}' does not exist as expected") from None


def _print_topic(shown: _Shown, found: argparse.Namespace) -> None:
    topic = shown.topic
    filtered = bool(given(found, *_FILTERS))
    if not filtered and (shown.overrides or not found.topics_with_overrides):
        settings = ",".join(f"{name}={value}" for name, value in shown.overrides.items())
        factor = shown.replicas(topic.partitions[0]) if topic.partitions else 0
        print(
            f"Topic: {topic.name}\tTopicId: {uuid_text(topic.id)}"
            f"\tPartitionCount: {len(topic.partitions)}\tReplicationFactor: {factor}"
            f"\tConfigs: {settings}"
        )
    if found.topics_with_overrides:
        return
    for part in topic.partitions:
        if not filtered or _selected(shown, part, found):
            _print_partition(shown, part)


def _selected(shown: _Shown, part: PartitionDescription, found: argparse.Namespace) -> bool:
    if found.under_replicated_partitions:
        return len(part.isr) < shown.replicas(part)
    if found.under_min_isr_partitions:
        return len(part.isr) < shown.min_isr
    if found.at_min_isr_partitions:
        return len(part.isr) == shown.min_isr
    return part.leader is None


def _print_partition(shown: _Shown, part: PartitionDescription) -> None:
    line = (
        f"\tTopic: {shown.topic.name}\tPartition: {part.index}"
        f"\tLeader: {part.leader.id if part.leader else 'none'}"
        f"\tReplicas: {_ids(part.replicas)}\tIsr: {_ids(part.isr)}"
        f"\tElr: {_ids(part.elr)}\tLastKnownElr: {_ids(part.last_known_elr)}"
    )
    move = shown.moves.get(TopicPartition(shown.topic.name, part.index))
    if move is not None:
        line += f"\tAdding Replicas: {_ids(move.adding)}\tRemoving Replicas: {_ids(move.removing)}"
    print(line)


def _ids(ids: Sequence[int] | None) -> str:
    return "N/A" if ids is None else ",".join(map(str, ids))


def _count(value: int | None, what: str) -> int:
    if value is None:
        return -1
    if value < 1:
        raise ToolError(f"The {what} must be greater than 0")
    return value


def _assignment(text: str | None) -> dict[int, list[int]]:
    """The brokers of each partition. Raises ToolError."""
    if not text:
        return {}
    found: dict[int, list[int]] = {}
    for index, part in enumerate(text.split(",")):
        try:
            brokers = [whole_number(broker) for broker in part.split(":")]
        except ValueError:
            brokers = [-1]
        if min(brokers) < 0:
            raise ToolError(f"--replica-assignment {shortened(text)}: it must be like 0:1,1:2")
        if len(set(brokers)) != len(brokers):
            raise ToolError(
                f"Partition replica lists may not contain duplicate entries: {part.strip()}"
            )
        found[index] = brokers
    if len({len(brokers) for brokers in found.values()}) > 1:
        raise ToolError(f"Partition {len(found) - 1} has different replication factor: {text}")
    return found
