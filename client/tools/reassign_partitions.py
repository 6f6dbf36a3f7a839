"""kafka-reassign-partitions: move partitions to other brokers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Final

from raftka.client.admin import Admin
from raftka.client.tools.json_files import compact, entries_of, read_json
from raftka.client.tools.log_dir_moves import print_moves, start_moves
from raftka.client.tools.options import (
    Options,
    ToolError,
    UsageError,
    admin_settings,
    exclude,
    given,
    require,
    require_one_bootstrap,
    whole_number,
)
from raftka.client.tools.placement import spread
from raftka.client.tools.running import run
from raftka.client.tools.throttles import clear_throttles, set_move_throttle, set_throttles
from raftka.model.ids import TopicPartition

_ACTIONS = ("generate", "execute", "verify", "cancel", "list")

options = Options(
    "kafka-reassign-partitions", "This tool helps to move topic partitions between replicas."
)
options.servers()
options.text("--bootstrap-controller", metavar="HOST:PORT", help="For --cancel and --list.")
options.flag("--generate", help="Propose a reassignment; do nothing.")
options.flag("--execute", help="Begin a reassignment.")
options.flag("--verify", help="Show how far it is, and remove its throttles once it is done.")
options.flag("--cancel", help="Cancel an active reassignment.")
options.flag("--list", help="List the active reassignments.")
options.text(
    "--reassignment-json-file",
    metavar="FILE",
    help='{"partitions": [{"topic": "foo", "partition": 1, "replicas": [1,2,3]}], "version": 1}',
)
options.text(
    "--topics-to-move-json-file",
    metavar="FILE",
    help='With --generate: {"topics": [{"topic": "foo"}], "version": 1}',
)
options.text("--broker-list", metavar="IDS", help="With --generate: the brokers, as 0,1,2.")
options.flag("--disable-rack-aware", help="With --generate: take no notice of racks.")
options.flag("--additional", help="Beside reassignments that are active already.")
options.flag(
    "--disallow-replication-factor-change", help="Refuse to change how many replicas there are."
)
options.flag("--preserve-throttles", help="Leave the throttles as they are.")
options.number("--throttle", bits=64, help="Bytes a second for moves between brokers.")
options.number(
    "--replica-alter-log-dirs-throttle",
    bits=64,
    help="Bytes a second for moves between the log directories of a broker.",
)
options.number(
    "--timeout",
    bits=64,
    default=10_000,
    help="How many ms replicas that are not there yet are waited for, to be put into log_dirs.",
)

Replicas = dict[TopicPartition, list[int]]
Moves = dict[tuple[int, TopicPartition], str]
"""The log directories that the file names, by broker and partition."""

_BY_THE_BROKER: Final = object()
"""Stands for log_dirs that a file leaves out."""


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, _work, failure="Error: ")


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    if len(given(found, *_ACTIONS)) != 1:
        raise UsageError(
            "Command must include exactly one action: --generate, --execute, --verify, --cancel,"
            " --list"
        )
    if found.cancel or found.list:
        require_one_bootstrap(found)
    else:
        require(found, "bootstrap-server")
    if found.execute or found.verify or found.cancel:
        require(found, "reassignment-json-file")
    if found.generate:
        require(found, "topics-to-move-json-file", "broker-list")
    for name in ("topics-to-move-json-file", "broker-list", "disable-rack-aware"):
        exclude(found, name, *(action for action in _ACTIONS if action != "generate"))
    exclude(found, "reassignment-json-file", "generate", "list")
    for name in (
        "throttle",
        "replica-alter-log-dirs-throttle",
        "additional",
        "disallow-replication-factor-change",
    ):
        exclude(found, name, *(action for action in _ACTIONS if action != "execute"))
    exclude(found, "preserve-throttles", "generate", "execute", "list")
    return found


async def _work(found: argparse.Namespace) -> int:
    settings = admin_settings(found, controllers=found.bootstrap_controller)
    async with Admin(settings) as admin:
        if found.generate:
            await _generate(admin, found)
        elif found.list:
            await _list(admin)
        elif found.execute:
            await _execute(admin, found)
        elif found.verify:
            return await _verify(admin, found)
        else:
            await _cancel(admin, found)
    return 0


async def _generate(admin: Admin, found: argparse.Namespace) -> None:
    document = read_json(found.topics_to_move_json_file)
    try:
        topics = sorted({str(entry["topic"]) for entry in document["topics"]})
        brokers = [whole_number(part) for part in found.broker_list.split(",")]
    except (KeyError, TypeError, ValueError):
        raise ToolError("--topics-to-move-json-file or --broker-list is not well formed") from None
    described = await admin.describe_topics(topics)
    nodes = {node.id: node for node in (await admin.describe_cluster()).nodes}
    unknown = [broker for broker in brokers if broker not in nodes]
    if unknown:
        raise ToolError(f"Unknown broker id {unknown[0]}")
    racks = {broker: None if found.disable_rack_aware else nodes[broker].rack for broker in brokers}
    current: Replicas = {}
    proposed: Replicas = {}
    for topic in described.values():
        for part in topic.partitions:
            current[TopicPartition(topic.name, part.index)] = list(part.replicas)
        factor = len(topic.partitions[0].replicas)
        if factor > len(brokers):
            raise ToolError(
                f"Replication factor: {factor} larger than available brokers: {len(brokers)}."
            )
        placed = spread(len(topic.partitions), factor, racks, admin.cluster.dice)
        proposed |= {TopicPartition(topic.name, i): replicas for i, replicas in placed.items()}
    print(f"Current partition replica assignment\n{_document(current)}\n")
    print(f"Proposed partition reassignment configuration\n{_document(proposed)}")


async def _execute(admin: Admin, found: argparse.Namespace) -> None:
    wanted, moves = read_reassignment(found.reassignment_json_file)
    brokers = {node.id for node in (await admin.describe_cluster()).nodes}
    for replicas in wanted.values():
        for broker in replicas:
            if broker not in brokers:
                raise ToolError(f"Unknown broker id {broker}")
    if not found.additional and await admin.list_partition_reassignments():
        raise ToolError(
            "Cannot execute because there is an existing partition assignment. Use --additional to"
            " override this and create a new partition assignment in addition to the existing one."
            " The --additional flag can also be used to change the throttle by resubmitting the"
            " current reassignment."
        )
    current = await _current(admin, wanted)
    if found.disallow_replication_factor_change:
        for target, replicas in wanted.items():
            if len(replicas) != len(current[target]):
                raise ToolError(f"{target} would have another number of replicas")
    print(
        f"Current partition replica assignment\n\n{_document(current)}\n\nSave this to use as the"
        " --reassignment-json-file option during rollback"
    )
    if found.throttle is not None:
        await set_throttles(admin, wanted, current, found.throttle)
        print(
            "Warning: You must run --verify periodically, until the reassignment completes, to"
            " ensure the throttle is removed.\nThe inter-broker throttle limit was set to"
            f" {found.throttle} B/s"
        )
    if found.replica_alter_log_dirs_throttle is not None:
        rate = found.replica_alter_log_dirs_throttle
        await set_move_throttle(admin, sorted({broker for broker, _ in moves}), rate)
        print(f"The replica-alter-dir throttle limit was set to {rate} B/s")
    await admin.alter_partition_reassignments(wanted)
    print(f"Successfully started partition reassignment{_some(wanted)} for {_names(wanted)}")
    if moves:
        await start_moves(admin, moves, found.timeout / 1000)


async def _verify(admin: Admin, found: argparse.Namespace) -> int:
    wanted, moves = read_reassignment(found.reassignment_json_file)
    active = await admin.list_partition_reassignments()
    current = await _current(admin, wanted, missing_is_fine=True)
    print("Status of partition reassignment:")
    for target, replicas in sorted(wanted.items()):
        if target in active:
            print(f"Reassignment of partition {target} is still in progress.")
        elif current[target] == replicas:
            print(f"Reassignment of partition {target} is completed.")
        else:
            print(
                f"There is no active reassignment of partition {target}, but replica set is"
                f" {_ids(current[target])} rather than {_ids(replicas)}."
            )
    moving = await print_moves(admin, moves)
    if not active and not moving and not found.preserve_throttles:
        print()
        await clear_throttles(admin, sorted({target.topic for target in wanted}))
    return 0


async def _cancel(admin: Admin, found: argparse.Namespace) -> None:
    wanted, _ = read_reassignment(found.reassignment_json_file)
    active = await admin.list_partition_reassignments()
    cancelled = {target: None for target in wanted if target in active}
    if cancelled:
        await admin.alter_partition_reassignments(cancelled)
        print(
            f"Successfully cancelled partition reassignment{_some(cancelled)} for:"
            f" {_names(cancelled)}"
        )
    else:
        print("None of the specified partition reassignments are active.")
    if not found.preserve_throttles and not found.bootstrap_controller:
        await clear_throttles(admin, sorted({target.topic for target in wanted}))


async def _list(admin: Admin) -> None:
    active = await admin.list_partition_reassignments()
    if not active:
        print("No partition reassignments found.")
        return
    print("Current partition reassignments:")
    for target, move in sorted(active.items()):
        line = f"{target}: replicas: {_ids(move.replicas)}."
        if move.adding:
            line += f" adding: {_ids(move.adding)}."
        if move.removing:
            line += f" removing: {_ids(move.removing)}."
        print(line)


def read_reassignment(path: str) -> tuple[Replicas, Moves]:
    """The target replicas of each partition, and the directories of some. Raises ToolError."""
    found: Replicas = {}
    moves: Moves = {}
    for target, entry in entries_of(read_json(path), path):
        replicas = entry.get("replicas")
        if not isinstance(replicas, list) or any(type(broker) is not int for broker in replicas):
            raise ToolError(f"{path}: the replicas of {target} are no list of broker ids")
        if not replicas:
            raise ToolError(f"Partition replica list cannot be empty: {target}")
        if repeated := sorted({each for each in replicas if replicas.count(each) > 1}):
            raise ToolError(
                f"Partition replica lists may not contain duplicate entries: {target} contains"
                f" multiple entries for {_ids(repeated)}"
            )
        given = entry.get("log_dirs", _BY_THE_BROKER)
        moves |= _directories(path, target, replicas, given)
        found[target] = replicas
    if not found:
        raise ToolError("Partition reassignment list cannot be empty")
    return found, moves


def _directories(
    path: str, target: TopicPartition, replicas: list[int], directories: object
) -> Moves:
    """The log directories that a file chooses for replicas. Raises ToolError."""
    if directories is _BY_THE_BROKER:
        return {}
    if not isinstance(directories, list) or any(type(each) is not str for each in directories):
        raise ToolError(f"{path}: the log_dirs of {target} are no list of directories")
    if len(directories) != len(replicas):
        raise ToolError(
            f"Size of replicas list [{_ids(replicas)}] is different from size of log dirs list"
            f" [{', '.join(map(str, directories))}] for partition {target}"
        )
    return {
        (broker, target): directory
        for broker, directory in zip(replicas, directories, strict=True)
        if directory != "any"
    }


async def _current(
    admin: Admin, targets: Mapping[TopicPartition, object], *, missing_is_fine: bool = False
) -> Replicas:
    """The present replicas of each partition. Raises ToolError for partitions that do not exist."""
    names = sorted({target.topic for target in targets})
    listed = await admin.list_topics() if missing_is_fine else dict.fromkeys(names)
    described = await admin.describe_topics(name for name in names if name in listed)
    there = {
        TopicPartition(topic.name, part.index): list(part.replicas)
        for topic in described.values()
        for part in topic.partitions
    }
    missing = [target for target in targets if target not in there]
    if missing and not missing_is_fine:
        raise ToolError(f"The partition {missing[0]} does not exist")
    return {target: there.get(target, []) for target in sorted(targets)}


def _document(assignment: Mapping[TopicPartition, Sequence[int]]) -> str:
    return compact(
        {
            "version": 1,
            "partitions": [
                {
                    "topic": target.topic,
                    "partition": target.partition,
                    "replicas": list(replicas),
                    "log_dirs": ["any"] * len(replicas),
                }
                for target, replicas in sorted(assignment.items())
            ],
        }
    )


def _names(targets: Mapping[TopicPartition, object]) -> str:
    return ",".join(map(str, sorted(targets)))


def _some(targets: Mapping[TopicPartition, object]) -> str:
    return "s" if len(targets) > 1 else ""


def _ids(ids: Sequence[int]) -> str:
    return ",".join(map(str, ids))
