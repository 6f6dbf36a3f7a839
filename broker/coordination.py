"""The coordinators of one broker, composed: groups and transactions, with those who ask for them.

Markers end transactions in partitions, and partitions ask whether they are in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.broker.coordinators.group.config import GroupConfig
from raftka.broker.coordinators.group.service import GroupCoordinatorService
from raftka.broker.coordinators.replicated_log import ReplicatedLog
from raftka.broker.coordinators.transaction.config import TransactionConfig
from raftka.broker.coordinators.transaction.marker_sender import MarkerSender
from raftka.broker.coordinators.transaction.service import TransactionCoordinatorService
from raftka.broker.replication.joining import Joining, Retries
from raftka.broker.replication.verifier import Verifier
from raftka.model.ids import OFFSETS_TOPIC, TRANSACTION_TOPIC
from raftka.model.key_hash import partition_of_key

if TYPE_CHECKING:
    import trio

    from raftka.broker.metadata_loader import Publisher
    from raftka.broker.node import Node

_ANSWER_S = 5.0
"""A broker's answer that its followers hold up may be that much later than they may be."""


def compose_coordinators(node: Node) -> None:
    """Make the coordinators and have them follow which partitions this broker leads."""
    replicas, clock, rules_off = node.replicas, node.clock, node.rules_off
    node.groups = GroupCoordinatorService(
        GroupConfig.from_settings(node.config),
        ReplicatedLog(OFFSETS_TOPIC, replicas, clock),
        clock,
        node.dice,
        rules_off,
    )
    node.markers = MarkerSender(
        node.peers,
        clock,
        timeout_s=node.config.int("request.timeout.ms") / 1000 + _ANSWER_S,
        rules_off=rules_off,
    )
    retry_ms = node.config.int("add.partitions.to.txn.retry.backoff.ms")
    retry_max_ms = node.config.int("add.partitions.to.txn.retry.backoff.max.ms")
    node.joining = Joining(
        node.peers,
        clock,
        coordinator=lambda transactional_id: _coordinator(node, transactional_id),
        timeout_s=node.config.int("request.timeout.ms") / 1000 + _ANSWER_S,
        retries=Retries(retry_ms / 1000, retry_max_ms / 1000),
    )
    node.verifier = Verifier(
        node.joining, replicas.index, clock, node.turn, node.verifies_transactions
    )
    node.transactions = TransactionCoordinatorService(
        TransactionConfig.from_settings(node.config),
        ReplicatedLog(TRANSACTION_TOPIC, replicas, clock),
        clock,
        new_producer_id=node.producer_ids.allocate,
        send_markers=node.markers.send,
        rules_off=rules_off,
    )
    replicas.role_listeners += [node.groups, node.transactions]


def _coordinator(node: Node, transactional_id: str) -> int | None:
    """The broker that leads the id's partition of __transaction_state, as far as is known."""
    topic = node.image.topics.get(TRANSACTION_TOPIC)
    if topic is None:
        return None
    partition = topic.partitions[partition_of_key(transactional_id, len(topic.partitions))]
    return partition.leader if partition.has_leader else None


def publishers(node: Node) -> list[Publisher]:
    """What follows the metadata, after the replicas have taken their roles."""
    return [node.groups.publish, node.markers.publish, node.transactions.publish]


def start_coordinators(node: Node, tasks: trio.Nursery) -> None:
    """Run the coordinators in tasks of their own."""
    for run in (node.groups.run, node.joining.run, node.markers.run, node.transactions.run):
        tasks.start_soon(run)
