"""What must recover once all faults have healed, and how soon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import trio

from raftka.client.consumer.consumer import Consumer
from raftka.kraft.image import PartitionImage
from raftka.model.ids import OFFSETS_TOPIC, TopicPartition
from raftka.simulations.aftermath import audit, groups
from raftka.simulations.checkers.history import parse
from raftka.simulations.load import limits, throttles
from raftka.simulations.load.contents import identity
from raftka.simulations.load.workload import CLIENT_ERRORS, client_ports, report_corrupt
from raftka.simulations.machines.determinism import sleep
from raftka.simulations.violation import NOTHING, About, Exit
from raftka.simulations.world import World

CONTROLLER_S: Final = 20.0
BROKERS_S: Final = 40.0
PARTITIONS_S: Final = 60.0
LIMITS_S: Final = 60.0
ANSWERS_S: Final = 60.0
READ_S: Final = 60.0
_LOOK_S: Final = 0.1
_SLOW_CLOCK: Final = 1.1
_SLOW_DISK_S: Final = 5.0


class Stuck(NamedTuple):
    """A sentence for a condition that does not hold yet, and its subject."""

    words: str
    about: About = NOTHING


async def check(world: World) -> None:
    """Run after everything has healed. Raises Stopped through `world.stop`."""
    await _within(world, CONTROLLER_S, "controller", lambda: _controller(world))
    await _within(
        world, BROKERS_S, "brokers", lambda: _brokers(world), meanwhile=lambda: _start_again(world)
    )
    with trio.move_on_after(LIMITS_S) as scope:
        await throttles.lift(world)
    if scope.cancelled_caught:
        words = f"{LIMITS_S:g} s after everything was healed quotas and throttles cannot be removed"
        world.stop("limits-recover", words, Exit.LIVENESS)
    await _within(world, PARTITIONS_S, "partitions", lambda: _partitions(world))
    await _answered(world)
    await _within(world, PARTITIONS_S, "metadata", lambda: _metadata(world))
    await _within(world, PARTITIONS_S, "replicas", lambda: _replicas(world))
    await read_everything(world)
    await _within(world, READ_S, "readers", lambda: _readers(world))
    await groups.check(world)
    await audit.check(world)


async def _answered(world: World) -> None:
    """A producer may still have a long queue, but must make progress."""
    started = moved = trio.current_time()
    left = -1
    while (stuck := _answers(world)) is not None:
        now, count = trio.current_time(), sum(task.open for task in world.producers)
        if count != left:
            left, moved = count, now
        if now - moved > ANSWERS_S:
            story = f"{now - started:.0f} s after everything was healed {stuck.words}"
            story += ", and gets none"
            world.stop("answers-recover", story, Exit.LIVENESS, about=stuck.about)
        await sleep(_LOOK_S)


async def _within(
    world: World,
    limit_s: float,
    name: str,
    problem: Callable[[], Stuck | None],
    *,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Poll until no problem is left; an operator runs `meanwhile` before each poll."""
    started = trio.current_time()
    while (stuck := problem()) is not None:
        if trio.current_time() - started > limit_s:
            world.stop(
                f"{name}-recover",
                f"{limit_s:g} s after everything was healed {stuck.words}",
                Exit.LIVENESS,
                about=stuck.about,
            )
        meanwhile()
        await sleep(_LOOK_S)


def _start_again(world: World) -> None:
    """Brokers that a late UnregisterBroker removed after they were healed: the operator restarts
    them. Some have shut down already, as they should; others have not noticed yet.
    """
    for machine in world.cluster.brokers:
        if machine.node_id not in world.unregistering or machine.broken:
            continue
        if machine.is_up and machine.node_id in world.registrations.unregistered_alive:
            world.cluster.kill(machine)
        if not machine.is_up and machine.node_id not in world.image.brokers:
            world.start(machine)


def _controller(world: World) -> Stuck | None:
    machine = world.controller
    if machine is None or not machine.is_running:
        return Stuck("no controller leads the quorum")
    return None


def _brokers(world: World) -> Stuck | None:
    for machine in world.cluster.brokers:
        broker = world.image.brokers.get(machine.node_id)
        if machine.broken:
            continue
        if not machine.is_running:
            return Stuck(f"{machine.host} does not run", About(node=machine.host))
        if broker is None or broker.fenced or not world.is_current(machine.node_id):
            words = f"broker {machine.node_id} is not registered and unfenced"
            return Stuck(words, About(node=machine.host))
    return None


def _partitions(world: World) -> Stuck | None:
    for topic, index, partition in world.image.partitions():
        name, about = f"{topic.name}-{index}", About((topic.name, index))
        if world.replicas.truth((topic.name, index)).excused_at >= 0 and not partition.has_leader:
            world.note("partition lost with its disks")
            continue
        if not partition.has_leader:
            return Stuck(f"{name} has no leader: {partition.reason}", about)
        if partition.is_reassigning:
            return Stuck(f"{name} is still being reassigned to {list(partition.replicas)}", about)
        if set(partition.isr) != set(partition.replicas):
            return Stuck(
                f"{name} has the ISR {list(partition.isr)} of {list(partition.replicas)}", about
            )
    return None


def _answers(world: World) -> Stuck | None:
    transactors = {plan.name for plan in world.plan.transactors}
    for task in world.producers:
        if task.plan.name in transactors and world.witnesses.coordinators_lost():
            continue  # Partitions refuse the end that an earlier state of it asks for, as Kafka's.
        if not task.done.is_set() and not _lost(world, task.plan.topic):
            words = f"{task.plan.name} waits for {task.open} answers"
            return Stuck(words, About((task.plan.topic, 0), node=task.plan.name))
    return None


def _lost(world: World, topic: str) -> bool:
    found = world.image.topics.get(topic)
    return found is None or any(not partition.has_leader for partition in found.partitions)


def _metadata(world: World) -> Stuck | None:
    """Every node's metadata log has reached the committed offset."""
    for host in sorted(world.hosts()):
        if world.raft.mirror(host).last_index < world.raft.commit_index:
            return Stuck(
                f"the metadata log of {host} ends at {world.raft.mirror(host).last_index}, but"
                f" {world.raft.commit_index} is committed",
                About(node=host, index=world.raft.commit_index),
            )
    return None


def _replicas(world: World) -> Stuck | None:
    """Every in-sync replica has reached its leader's log end."""
    for topic, index, partition in world.image.partitions():
        leader = world.logs.replica(f"n{partition.leader}", (topic.name, index))
        if leader is None:
            continue
        for broker_id in partition.isr:
            mirror = world.logs.replica(f"n{broker_id}", (topic.name, index))
            end = mirror.end_offset if mirror is not None else 0
            if end != leader.end_offset:
                return Stuck(
                    f"the replica of {topic.name}-{index} on broker {broker_id} ends at {end}, its"
                    f" leader's at {leader.end_offset}",
                    About((topic.name, index), node=f"n{broker_id}"),
                )
    return None


async def read_everything(world: World) -> None:
    """A new consumer reads all topics of the workload; compare that with the history."""
    targets = [
        TopicPartition(topic.name, index)
        for topic in world.plan.topics
        for index, partition in enumerate(_partitions_of(world, topic.name))
        if partition.has_leader
    ]
    config: dict[str, object] = {
        "bootstrap.servers": ",".join(world.cluster.bootstrap),
        "client.id": "auditor",
        "auto.offset.reset": "earliest",
        "request.timeout.ms": 5000,
    }
    for reader in world.plan.consumers[:1]:
        config.update(limits.of_reader(reader.settings))
    found: dict[TopicPartition, dict[int, bytes]] = {target: {} for target in targets}
    starts: dict[TopicPartition, int] = {}
    ends: dict[TopicPartition, int] = {}
    try:
        with trio.move_on_after(READ_S) as scope:
            async with Consumer(config, **client_ports(world, "auditor")) as consumer:
                consumer.assign(targets)
                starts |= await consumer.beginning_offsets(targets)
                ends |= await consumer.end_offsets(targets)
                await _read_to(world, consumer, starts, ends, found)
    except CLIENT_ERRORS as error:
        report_corrupt(world, "auditor", error)
        world.stop("audit", f"reading everything failed: {error}", Exit.LIVENESS)
    if scope.cancelled_caught:
        world.stop("audit", f"reading everything took more than {READ_S:g} s", Exit.LIVENESS)
    for target in targets:
        world.history.final_read(target, found[target], ends[target])
        if (leader := world.leader_of(*target)) is not None:
            compaction = world.witnesses.compaction
            compaction.read(target, leader.host, set(found[target]), ends[target])
        _check_deletion(world, target, starts[target])


async def _read_to(
    world: World,
    consumer: Consumer,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    found: dict[TopicPartition, dict[int, bytes]],
) -> None:
    left = {target for target in ends if starts[target] < ends[target]}
    while left:
        # Retention continues meanwhile: less may be left than before.
        left = {each for each in left if world.history.of(each).start < ends[each]}
        for record in await consumer.poll(1.0):
            target = TopicPartition(record.topic, record.partition)
            found[target][record.offset] = identity(record.value, record.headers)
        for target in tuple(left):
            # The cleaner may have removed the last records.
            if await consumer.position(target) >= ends[target]:
                left.discard(target)


def _check_deletion(world: World, target: TopicPartition, start: int) -> None:
    """Records stay deleted once DeleteRecords was acknowledged. Until the log start is on disk,
    this holds only if no broker ended without a shutdown.
    """
    offset, at_s = world.ledger.begins_at.get(target, (0, 0.0))
    interval_ms = world.plan.settings.get("log.flush.offset.checkpoint.interval.ms", "60000")
    written_s = at_s + int(interval_ms) / 1000 * _SLOW_CLOCK + _SLOW_DISK_S
    forgotten = any(at_s <= each <= written_s for each in world.replicas.unclean_ends)
    if start < offset and not forgotten and not world.history.excused(target):
        world.report(
            "deleted-records-came-back",
            f"an administrator learned at {at_s:.3f} s that {target} begins at {offset} now, and"
            f" it begins at {start}",
        )


async def read_partition(
    world: World, target: TopicPartition, *, committed_only: bool = False
) -> dict[int, bytes]:
    """Everything in one partition, as a new consumer reads it."""
    config: dict[str, object] = {
        "bootstrap.servers": ",".join(world.cluster.bootstrap),
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed" if committed_only else "read_uncommitted",
    }
    found: dict[int, bytes] = {}
    async with Consumer(config, **client_ports(world, "peeker")) as consumer:
        consumer.assign([target])
        end = (await consumer.end_offsets([target]))[target]
        while await consumer.position(target) < end:
            for record in await consumer.poll(1.0):
                found[record.offset] = identity(record.value, record.headers)
    return found


def _partitions_of(world: World, topic: str) -> list[PartitionImage]:
    found = world.image.topics.get(topic)
    return list(found.partitions) if found is not None else []


def _readers(world: World) -> Stuck | None:
    """Each single reader has read everything that was acknowledged, and so has each group."""
    for task in world.consumers:
        if task.plan.settings.get("isolation.level") == "read_committed":
            continue  # The check of transactions decides whether it may see the last record.
        for key, history in world.history.partitions.items():
            if key[0] not in task.plan.topics or max(history.acked, default=-1) < history.start:
                continue
            if world.history.excused(key):
                continue
            if task.plan.group is not None:
                if OFFSETS_TOPIC in world.image.topics and _lost(world, OFFSETS_TOPIC):
                    continue
                last = world.history.consumed_to(task.plan.group, key) - 1
            else:
                last = task.last.get(TopicPartition(*key), -1)
            if last < max(history.acked):
                value, producer, _ = history.acked[max(history.acked)]
                reader = task.plan.group or task.plan.name
                return Stuck(
                    f"{reader} has not seen record {parse(value)[1]} of {producer} at"
                    f" offset {max(history.acked)} of {key[0]}-{key[1]} (unseen); it is at {last}",
                    About(key, max(history.acked), node=task.plan.name),
                )
    return None


__all__ = ["CLIENT_ERRORS", "check", "read_everything"]
