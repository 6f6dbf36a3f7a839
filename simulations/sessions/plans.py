"""Reads a received plan: types, names and sizes are checked before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import MISSING, fields
from typing import Any, Final

from raftka.simulations.faults.table import FAULTS
from raftka.simulations.load.operations import OPERATIONS
from raftka.simulations.mutations import MUTANTS
from raftka.simulations.plan import (
    GROUP_KINDS,
    QUORUMS,
    ConsumerPlan,
    GroupPlan,
    NodePlan,
    Plan,
    ProducerPlan,
    Step,
    TopicPlan,
    TransactorPlan,
)
from raftka.simulations.sessions.errors import SessionError
from raftka.simulations.sessions.fields import kind_of, unknown

_PARTS: Final[dict[str, tuple[type, int]]] = {
    "nodes": (NodePlan, 9),
    "topics": (TopicPlan, 100),
    "producers": (ProducerPlan, 100),
    "consumers": (ConsumerPlan, 100),
    "transactors": (TransactorPlan, 100),
    "groups": (GroupPlan, 10),
    "operations": (Step, 10_000),
    "faults": (Step, 10_000),
}
"""The types of a plan's lists, and their largest lengths."""
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "str | None": (str, type(None)),
    "dict[str, str]": (dict,),
    "dict[str, int | str]": (dict,),
    "dict[str, float]": (dict,),
    "dict[str, Any]": (dict,),
    "tuple[str, ...]": (list,),
}
"""The JSON type of a plan's field, by its annotation."""
_ROLES: Final = ("broker,controller", "broker", "controller")


def read_plan(value: dict[str, Any]) -> Plan:
    """A plan from the JSON that `open` answers and --shrink writes. Raises SessionError."""
    read: dict[str, Any] = {}
    for name, each in _checked(Plan, value, "plan").items():
        if name not in _PARTS:
            read[name] = tuple(each) if isinstance(each, list) else each
            continue
        kind, at_most = _PARTS[name]
        if not isinstance(each, list) or len(each) > at_most:
            raise _error(f"plan.{name} must be a list of at most {at_most} objects")
        read[name] = tuple(
            _made(kind, item, f"plan.{name}[{number}]") for number, item in enumerate(each)
        )
    plan = Plan(**read)
    _check(plan)
    return plan


def _made(kind: type, value: object, where: str) -> Any:
    found = _checked(kind, value, where)
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in found.items()})


def _checked(kind: type, value: object, where: str) -> dict[str, Any]:
    """The fields of an object, each of its type."""
    if not isinstance(value, dict):
        raise _error(f"{where} must be an object, not {kind_of(value)}")
    known: dict[str, Any] = {each.name: each for each in fields(kind)}
    for name, each in value.items():
        if name not in known:
            raise _error(f"{where}: {unknown('field', name, known)}")
        wanted = _TYPES.get(str(known[name].type))
        if wanted is None:
            continue  # A list of objects.
        if type(each) not in wanted:
            raise _error(f"{where}.{name} must be {kind_of(wanted[0]())}, not {kind_of(each)}")
        if isinstance(each, int | float) and not abs(each) < 1 << 53:
            raise _error(f"{where}.{name} is out of range")
        texts = each if isinstance(each, list) else ()
        if not all(isinstance(item, str) for item in texts):
            raise _error(f"{where}.{name} must be a list of texts")
    for name, each in known.items():
        if name not in value and each.default is MISSING and each.default_factory is MISSING:
            raise _error(f"{where} needs the field {name!r}")
    return value


def _check(plan: Plan) -> None:
    _in("plan.quorum", plan.quorum, QUORUMS)
    if plan.mutation is not None:
        _in("plan.mutation", plan.mutation, MUTANTS)
    if not 0.0 <= plan.duration_s <= 3600.0:
        raise _error("plan.duration_s must be from 0 to 3600")
    if not 1 <= plan.quorum_batch_entries <= 1 << 20 or not 0.0 <= plan.network_delay_s <= 60.0:
        raise _error("plan.quorum_batch_entries or plan.network_delay_s is out of range")
    if not 0.0 <= plan.split_rate <= 1.0:
        raise _error("plan.split_rate must be from 0 to 1")
    for node in plan.nodes:
        _in("plan.nodes: roles", node.roles, _ROLES)
        if not 0 <= node.node_id < 1 << 31:
            raise _error("plan.nodes: node_id must be from 0 to 2147483647")
    if plan.nodes and not any("controller" in node.roles for node in plan.nodes):
        raise _error("plan.nodes has no controller: give one of them that role")
    _unique("nodes", (node.node_id for node in plan.nodes))
    _unique("clients", _clients(plan))
    steps = (*plan.operations, *plan.faults)
    _unique("steps", (step.name for step in steps))
    for step in steps:
        _in("plan: a step's kind", step.kind, (*FAULTS, *OPERATIONS))
    for group in plan.groups:
        _in("plan.groups: kind", group.kind, GROUP_KINDS)
        if not 1 <= group.members <= 100:
            raise _error(f"plan.groups: {group.name}: members must be from 1 to 100")
    brokers = sum("broker" in node.roles for node in plan.nodes)
    for topic in plan.topics:
        if not 1 <= topic.partitions <= 1000:
            raise _error(f"plan.topics: {topic.name}: partitions must be from 1 to 1000")
        if not 1 <= topic.replication_factor <= brokers:
            raise _error(
                f"plan.topics: {topic.name}: replication_factor must be from 1 to the number of"
                f" brokers, {brokers}"
            )
    writers: list[ProducerPlan | TransactorPlan] = [*plan.producers, *plan.transactors]
    for client in writers:
        if client.pause_s <= 0 or not 1 <= client.records_per_burst <= 10_000:
            raise _error(f"plan: {client.name}: pause_s or records_per_burst is out of range")


def _clients(plan: Plan) -> Iterator[str]:
    for group in (plan.producers, plan.consumers, plan.transactors, plan.groups):
        yield from (each.name for each in group)


def _unique(what: str, names: Iterable[object]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise _error(f"plan: two {what} are called {name}")
        seen.add(name)


def _in(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise _error(unknown(f"value for {what}", name, known))


def _error(words: str) -> SessionError:
    return SessionError("bad-session", f"the session: {words}")
