"""Moving replicas (KIP-455): AlterPartitionReassignments and ListPartitionReassignments.

A reassignment adds the new replicas to the old ones; once all new ones are in sync
(kraft/controller/election.py checks that with every new ISR), the old ones are removed. It can be
changed or cancelled before, and the old broker may be dead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from raftka.kraft.controller.assignments import check_assignment
from raftka.kraft.controller.election import Election, PartitionPlan
from raftka.kraft.controller.result import Result, Rules
from raftka.kraft.image import MetadataImage, PartitionImage, TopicImage
from raftka.kraft.records import MetadataRecord, PartitionChangeRecord
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.reasons import Why


@dataclass(frozen=True, slots=True)
class Move:
    """The target replicas of one partition; None cancels the current move."""

    partition: TopicPartition
    replicas: tuple[int, ...] | None


def alter_reassignments(
    image: MetadataImage,
    rules: Rules,
    moves: Sequence[Move],
    *,
    allow_replication_factor_change: bool = True,
) -> Result[list[tuple[TopicPartition, KafkaError | None]]]:
    """Begin, change or cancel moves, each of which may fail independently."""
    records: list[MetadataRecord] = []
    answers: list[tuple[TopicPartition, KafkaError | None]] = []
    for move in moves:
        try:
            topic, partition = _find(image, move.partition)
            if move.replicas is None:
                record = _cancel(image, rules, topic, partition, move.partition)
            else:
                if not allow_replication_factor_change:
                    _check_same_factor(partition, move.replicas)
                record = _begin(image, rules, topic, partition, move)
        except KafkaError as error:
            answers.append((move.partition, error))
            continue
        if record is not None:
            records.append(record)
        answers.append((move.partition, None))
    return Result(records, answers)


def _find(image: MetadataImage, which: TopicPartition) -> tuple[TopicImage, PartitionImage]:
    topic = image.topics.get(which.topic)
    partition = topic.partition(which.partition) if topic is not None else None
    if topic is None or partition is None:
        words = f"There is no partition {which}."
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, words)
    return topic, partition


def _check_same_factor(partition: PartitionImage, wanted: tuple[int, ...]) -> None:
    present = len(_settled(partition))
    if len(wanted) != present:
        words = (
            f"The replication factor would change from {present} to {len(wanted)}, which the "
            "request does not allow."
        )
        raise KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, words)


def _settled(partition: PartitionImage) -> tuple[int, ...]:
    """The replicas without those that a move is adding."""
    return tuple(each for each in partition.replicas if each not in partition.adding_replicas)


def _begin(
    image: MetadataImage,
    rules: Rules,
    topic: TopicImage,
    partition: PartitionImage,
    move: Move,
) -> PartitionChangeRecord | None:
    wanted = move.replicas
    assert wanted is not None
    check_assignment(image, wanted, present=partition.replicas)
    # Start from the replicas before any earlier move: those that it was only adding count neither
    # as present nor as replicas to remove.
    settled = _settled(partition)
    removing = tuple(each for each in settled if each not in wanted)
    adding = tuple(each for each in wanted if each not in settled)
    plan = _plan(
        image, rules, topic, partition, move.partition.partition, Why("reassignment-began")
    )
    plan.replicas = (*wanted, *removing)
    plan.removing, plan.adding = removing, adding
    plan.isr = _kept_isr(plan, move.partition)
    return plan.record()


def _cancel(
    image: MetadataImage,
    rules: Rules,
    topic: TopicImage,
    partition: PartitionImage,
    which: TopicPartition,
) -> PartitionChangeRecord | None:
    if not partition.is_reassigning:
        words = f"No reassignment of {which} is in progress."
        raise KafkaError(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, words)
    plan = _plan(image, rules, topic, partition, which.partition, Why("reassignment-cancelled"))
    plan.replicas = _settled(partition)
    plan.adding, plan.removing = (), ()
    plan.isr = _kept_isr(plan, which)
    return plan.record()


def _kept_isr(plan: PartitionPlan, which: TopicPartition) -> tuple[int, ...]:
    """The ISR without replicas that an abandoned move had added.

    Raises KafkaError INVALID_REPLICA_ASSIGNMENT if committed records would be on too few disks.
    """
    before, replicas = plan.before, plan.replicas
    assert replicas is not None
    trusted = (*before.isr, *before.elr) or before.last_known_elr
    kept = tuple(each for each in trusted if each in replicas)
    too_few = len(kept) < min(plan.min_isr, len(replicas))
    if len(kept) < len(trusted) and too_few and plan.election is not Election.UNCLEAN:
        raise KafkaError(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"{which}: of {list(trusted)}, which have every committed record, only {list(kept)} "
            f"would stay, fewer than {plan.min_isr}. Wait until more replicas are in sync.",
        )
    return tuple(each for each in before.isr if each in replicas)


def _plan(
    image: MetadataImage,
    rules: Rules,
    topic: TopicImage,
    partition: PartitionImage,
    index: int,
    cause: Why,
) -> PartitionPlan:
    min_isr = rules.min_isr(image, topic.name)
    plan = PartitionPlan(
        topic.topic_id, index, partition, partial(image.may_lead, partition), min_isr, cause
    )
    if rules.allows_unclean_election(image, topic.name):
        plan.election = Election.UNCLEAN
    return plan


def ongoing(
    image: MetadataImage, wanted: Sequence[TopicPartition] | None
) -> list[tuple[TopicPartition, PartitionImage]]:
    """The partitions that are being moved (ListPartitionReassignments): all, or some of these."""
    if wanted is not None:
        found = ((each, image.partition(each.topic, each.partition)) for each in wanted)
        return [(each, p) for each, p in found if p is not None and p.is_reassigning]
    return [
        (TopicPartition(topic.name, index), partition)
        for topic, index, partition in image.partitions()
        if partition.is_reassigning
    ]
