"""Drains brokers through the admin client: begins missing moves, and reads their progress.

The brokers that leave are cordoned first (KIP-1066), so that nothing new comes to them meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from raftka.client.admin import (
    Admin,
    Alteration,
    AlterOp,
    Reassignment,
    Resource,
    ResourceType,
    SomeFailed,
)
from raftka.client.tools.options import ToolError
from raftka.client.tools.throttles import lift_throttles, set_throttles
from raftka.drain.plan import NoPlace, Site, plan
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition

_AT_ONCE: Final = 500
"""The most moves in one request."""
_CHANGED_MEANWHILE: Final = (
    ErrorCode.INVALID_REPLICATION_FACTOR,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
)
"""Errors of moves that were planned from a broker's outdated metadata."""
_CORDONED: Final = "cordoned.log.dirs"


@dataclass(frozen=True)
class Wish:
    """The brokers that leave, and those that take over."""

    leaving: tuple[int, ...]
    sites: tuple[int, ...] = ()
    """The only brokers that may receive replicas; if empty, all others may."""
    successors: Mapping[int, int] = field(default_factory=dict)
    """For a broker that leaves, the one that receives all its replicas."""
    throttle: int | None = None
    """The bytes per second that each broker may send and receive for the moves."""


@dataclass(frozen=True)
class State:
    """The state of a drain."""

    current: Mapping[TopicPartition, tuple[int, ...]]
    """The replicas of partitions, without those that a move removes."""
    on_leaving: frozenset[TopicPartition]
    """Partitions that are still on a leaving broker: moving away, or not yet."""
    moving: Mapping[TopicPartition, Reassignment]
    """Those of `on_leaving` that are moving."""
    sites: tuple[Site, ...]
    """Live brokers."""
    lost: frozenset[TopicPartition]
    """Those of `on_leaving` without a leader, which no broker can copy."""
    known: frozenset[int]
    """All brokers that are registered or have replicas."""


async def look(admin: Admin, wish: Wish) -> State:
    """Read the state. Raises KafkaError, BrokenConnection."""
    described = await admin.describe_cluster(include_fenced=True)
    # Before and after, since the description of a move that ends in between has removed replicas.
    ended = await admin.list_partition_reassignments()
    topics = await admin.describe_topics(await admin.list_topics())
    active = await admin.list_partition_reassignments()
    current: dict[TopicPartition, tuple[int, ...]] = {}
    on_leaving: set[TopicPartition] = set()
    lost: set[TopicPartition] = set()
    known = {node.id for node in described.nodes}
    for topic in topics.values():
        for part in topic.partitions:
            target = TopicPartition(topic.name, part.index)
            move = active.get(target) or ended.get(target)
            replicas = part.replicas if move is None else move.replicas
            current[target] = tuple(
                each for each in replicas if move is None or each not in move.removing
            )
            known.update(replicas)
            there = current[target] if target not in active else replicas
            if set(there) & set(wish.leaving):
                on_leaving.add(target)
                if part.leader is None:
                    lost.add(target)
    return State(
        current,
        frozenset(on_leaving),
        {target: active[target] for target in on_leaving if target in active},
        tuple(Site(node.id, node.rack) for node in described.nodes if not node.fenced),
        frozenset(lost),
        frozenset(known),
    )


def proposal(state: State, wish: Wish) -> dict[TopicPartition, list[int]]:
    """The moves to begin. Raises ToolError when there is no room for one."""
    unknown = [each for each in (*wish.leaving, *wish.sites) if each not in state.known]
    if unknown:
        known = ", ".join(map(str, sorted(state.known)))
        raise ToolError(f"There is no broker {unknown[0]}; there are {known}")
    alive = {site.broker_id for site in state.sites}
    wanted = set(wish.sites or alive) | set(wish.successors.values())
    if dead := sorted(wanted - alive):
        raise ToolError(f"Broker {dead[0]} is not alive: it cannot take replicas. Start it first")
    sites = [site for site in state.sites if site.broker_id in wanted]
    try:
        return plan(state.current, wish.leaving, sites, wish.successors)
    except NoPlace as error:
        raise ToolError(str(error)) from error


async def begin(admin: Admin, state: State, wish: Wish) -> int:
    """Begin the missing moves; returns the number of partitions. Raises KafkaError, ToolError."""
    wanted = proposal(state, wish)
    if wish.throttle is not None:
        await _throttle(admin, state, wanted, wish.throttle)
    targets = sorted(wanted)
    for at in range(0, len(targets), _AT_ONCE):
        piece = {target: wanted[target] for target in targets[at : at + _AT_ONCE]}
        try:
            await admin.alter_partition_reassignments(piece, keep_replication_factor=True)
        except SomeFailed as failed:
            # Read again what has changed since `state`.
            for error in failed.outcomes.values():
                if error is not None and error.code not in _CHANGED_MEANWHILE:
                    raise error from failed
    return len(wanted)


async def _throttle(
    admin: Admin, state: State, wanted: Mapping[TopicPartition, Sequence[int]], rate: int
) -> None:
    """Limit these moves, and those in progress, whatever rate an earlier run gave them."""
    before = {target: state.current[target] for target in wanted}
    then = dict(wanted)
    for target, move in state.moving.items():
        before[target] = tuple(each for each in move.replicas if each not in move.adding)
        then.setdefault(target, list(state.current[target]))
    if then:
        alive = [site.broker_id for site in state.sites]
        await set_throttles(admin, then, before, rate, alive)


async def cordon(admin: Admin, brokers: Sequence[int]) -> None:
    """Cordon these brokers, so that the controller places nothing new on them."""
    await _set_cordoned(admin, brokers, Alteration(_CORDONED, "*"))


async def uncordon(admin: Admin, brokers: Sequence[int]) -> None:
    """Uncordon these brokers, so that they may get new replicas again."""
    await _set_cordoned(admin, brokers, Alteration(_CORDONED, None, AlterOp.DELETE))


async def _set_cordoned(admin: Admin, brokers: Sequence[int], change: Alteration) -> None:
    await admin.incremental_alter_configs(
        {Resource(ResourceType.BROKER, str(broker)): [change] for broker in brokers}
    )


async def cancel(admin: Admin, state: State) -> int:
    """Cancel the moves away from the brokers; returns the number of partitions."""
    targets = sorted(state.moving)
    for at in range(0, len(targets), _AT_ONCE):
        await admin.alter_partition_reassignments(dict.fromkeys(targets[at : at + _AT_ONCE]))
    return len(targets)


async def lift(admin: Admin, leaving: Sequence[int]) -> None:
    """Remove the throttles of moves away from these brokers, once none is in progress."""
    if not await admin.list_partition_reassignments():
        await lift_throttles(admin, leaving)
