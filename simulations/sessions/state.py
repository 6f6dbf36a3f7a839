"""The state of each node as it knows it now, from its own objects and no observer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raftka.simulations.machines.machine import Machine
from raftka.simulations.world import World

if TYPE_CHECKING:
    from raftka.broker.node import Node
    from raftka.broker.replication.replica import Replica


def state_of(world: World) -> dict[str, Any]:
    """Nodes, clients and cuts, as JSON."""
    return {
        "nodes": {each.host: _machine(each) for each in world.cluster.machines.values()},
        "clients": {
            **{task.plan.name: _producer(task) for task in world.producers},
            **{task.plan.name: _consumer(task) for task in world.consumers},
        },
        "cuts": sorted(list(way) for way in world.fabric.cuts),
    }


def _machine(machine: Machine) -> dict[str, Any]:
    process = machine.process
    found: dict[str, Any] = {
        "up": process is not None,
        "paused": machine.is_paused,
        "serves": process is not None and process.serves,
        "life": machine.lives,
        "disk_full": machine.medium.faults.full,
        "roles": machine.roles.split(","),
        "rack": machine.rack,
    }
    if process is not None and process.node is not None:
        found |= _node(process.node)
    return found


def _node(node: Node) -> dict[str, Any]:
    quorum = node.quorum
    leader, term = quorum.leader
    image = node.image
    found: dict[str, Any] = {
        "term": term,
        "vote": quorum.vote,
        "role": quorum.state,
        "leader": -1 if leader is None else leader,
        "commit": quorum.last_committed,
        "log_end": quorum.log_end_offset,
        "image_offset": image.offset,
        "brokers": {
            f"n{each.broker_id}": {"epoch": each.epoch, "fenced": each.fenced}
            for each in image.brokers.values()
        },
        "active_controller": node.is_active_controller,
        "partitions": {},
    }
    if node.is_broker:
        found["broker_epoch"] = node.broker_epoch
        found["partitions"] = {
            str(replica.topic_partition): _replica(node, replica)
            for replica in sorted(node.replicas, key=lambda each: each.topic_partition)
        }
    return found


def _replica(node: Node, replica: Replica) -> dict[str, Any]:
    state, log = replica.state, replica.log
    view = state.view
    return {
        "leads": state.is_leader,
        "leader": view.leader,
        "epoch": view.leader_epoch,
        "isr": list(view.isr),
        "elr": list(view.elr),
        "replicas": list(view.replicas),
        "min_isr": state.min_isr,
        "log_start": log.bounds.start,
        "log_end": log.bounds.end,
        "high_watermark": state.high_watermark,
        "epochs": [list(entry) for entry in log.epochs.entries()],
    }


def _producer(task: Any) -> dict[str, Any]:
    return {
        "kind": "producer",
        "topic": task.plan.topic,
        "acks": task.plan.acks,
        "waiting": task.open,
        "sent": getattr(task, "sent", None),
    }


def _consumer(task: Any) -> dict[str, Any]:
    return {
        "kind": "consumer",
        "group": task.plan.group,
        "topics": list(task.plan.topics),
        "read": {str(target): offset for target, offset in sorted(task.last.items())},
    }
