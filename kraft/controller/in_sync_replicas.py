"""AlterPartition: a leader proposes another ISR, which may complete a reassignment.

Sources: KIP-497 (the request), KIP-704 (recovery state), KIP-841 (no fenced or leaving replicas),
KIP-903 (a replica counts only with its current broker epoch).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from raftka.kraft.controller.brokers import registered
from raftka.kraft.controller.election import Election, PartitionPlan
from raftka.kraft.controller.result import Result, Rules
from raftka.kraft.image import MetadataImage, PartitionImage, TopicImage
from raftka.kraft.records import RECOVERED, RECOVERING, MetadataRecord, PartitionChangeRecord
from raftka.kraft.sections.topics import changed_partition
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.reasons import Why
from raftka.model.rules import Rule

ANY_BROKER_EPOCH = -1
"""In a proposed ISR: the leader does not know the replica's broker epoch."""


@dataclass(frozen=True, slots=True)
class IsrWish:
    """A leader's proposal for one partition."""

    topic_id: bytes
    partition: int
    leader_epoch: int
    partition_epoch: int
    isr: tuple[tuple[int, int], ...]
    """(broker id, its epoch or ANY_BROKER_EPOCH)."""
    leader_recovery_state: int = RECOVERED


IsrAnswer = tuple[IsrWish, PartitionImage | KafkaError]
"""The partition after the proposal was accepted, or the error."""


def alter_partitions(
    image: MetadataImage, rules: Rules, broker_id: int, broker_epoch: int, wishes: Sequence[IsrWish]
) -> Result[list[IsrAnswer]]:
    """Accept or refuse each proposal of the leader `broker_id`.

    Raises KafkaError STALE_BROKER_EPOCH or BROKER_ID_NOT_REGISTERED for the whole request.
    """
    registered(image, broker_id, broker_epoch)
    records: list[MetadataRecord] = []
    answers: list[IsrAnswer] = []
    for wish in wishes:
        try:
            topic, partition = _find(image, wish)
            _check(image, rules, broker_id, topic, partition, wish)
        except KafkaError as error:
            answers.append((wish, error))
            continue
        record = _grant(image, rules, topic, partition, wish)
        if record is None:
            answers.append((wish, partition))
            continue
        records.append(record)
        after = changed_partition(partition, record)
        answers.append((wish, _answer_after(partition, after, topic, wish)))
    return Result(records, answers)


def _find(image: MetadataImage, wish: IsrWish) -> tuple[TopicImage, PartitionImage]:
    topic = image.topic_by_id(wish.topic_id)
    if topic is None:
        raise KafkaError(
            ErrorCode.UNKNOWN_TOPIC_ID, f"There is no topic with id {wish.topic_id.hex()}."
        )
    partition = topic.partition(wish.partition)
    if partition is None:
        raise KafkaError(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            f"Topic {topic.name} has no partition {wish.partition}.",
        )
    return topic, partition


def _check(
    image: MetadataImage,
    rules: Rules,
    broker_id: int,
    topic: TopicImage,
    partition: PartitionImage,
    wish: IsrWish,
) -> None:
    """Raise KafkaError unless the proposal is the current leader's, up to date and allowed."""
    name = f"{topic.name}-{wish.partition}"
    if (
        wish.leader_epoch > partition.leader_epoch
        or wish.partition_epoch > partition.partition_epoch
    ):
        # The broker has seen newer metadata than this controller: it must find another controller.
        words = f"{name}: the request is ahead of this controller's metadata."
        raise KafkaError(ErrorCode.NOT_CONTROLLER, words)
    may_be_late = Rule.ISR_CHANGES_ARE_UP_TO_DATE in rules.off
    if wish.leader_epoch < partition.leader_epoch and not may_be_late:
        raise KafkaError(
            ErrorCode.FENCED_LEADER_EPOCH,
            f"{name}: leader epoch {wish.leader_epoch} is over; it is {partition.leader_epoch}.",
        )
    if partition.leader != broker_id:
        words = f"{name}: broker {broker_id} does not lead; {partition.leader} does."
        raise KafkaError(ErrorCode.INVALID_REQUEST, words)
    if wish.partition_epoch < partition.partition_epoch and not may_be_late:
        raise KafkaError(
            ErrorCode.INVALID_UPDATE_VERSION,
            f"{name}: based on partition epoch {wish.partition_epoch}; "
            f"it is {partition.partition_epoch}.",
        )
    members = [each for each, _ in wish.isr]
    if len(set(members)) != len(members) or not set(members) <= set(partition.replicas):
        words = f"{name}: ISR {members} is not a choice of replicas {list(partition.replicas)}."
        raise KafkaError(ErrorCode.INVALID_REQUEST, words)
    if broker_id not in members:
        words = f"{name}: the ISR {members} must contain its leader {broker_id}."
        raise KafkaError(ErrorCode.INVALID_REQUEST, words)
    _check_recovery(partition, wish, name)
    for member, epoch in wish.isr:
        why_not = ineligible(image, rules, member, epoch, partition)
        if why_not is not None:
            raise KafkaError(ErrorCode.INELIGIBLE_REPLICA, f"{name}: {why_not}.")


def _check_recovery(partition: PartitionImage, wish: IsrWish, name: str) -> None:
    if wish.leader_recovery_state != RECOVERING:
        return
    if partition.leader_recovery_state == RECOVERED:
        words = f"{name}: a leader that has recovered cannot go back to recovering."
        raise KafkaError(ErrorCode.INVALID_REQUEST, words)
    if len(wish.isr) > 1:
        words = f"{name}: while the leader is recovering, it alone is the ISR."
        raise KafkaError(ErrorCode.INVALID_REQUEST, words)


def ineligible(
    image: MetadataImage,
    rules: Rules,
    replica: int,
    broker_epoch: int = ANY_BROKER_EPOCH,
    partition: PartitionImage | None = None,
) -> str | None:
    """Why a replica must not be in an ISR, or None if it may."""
    broker = image.brokers.get(replica)
    if broker is None:
        return f"broker {replica} is not registered"
    if Rule.FENCED_STAY_OUT_OF_ISR not in rules.off:
        if broker.fenced:
            return f"broker {replica} is fenced"
        if broker.in_controlled_shutdown:
            return f"broker {replica} is shutting down"
    if partition is not None and not image.has_online_directory(partition, replica):
        return f"the log directory of replica {replica} is offline"
    if broker_epoch not in (ANY_BROKER_EPOCH, broker.epoch):
        if Rule.JOIN_BY_PRESENT_BROKER_EPOCH in rules.off:
            return None
        return f"broker {replica} was seen under epoch {broker_epoch}, but has {broker.epoch}"
    return None


def _grant(
    image: MetadataImage, rules: Rules, topic: TopicImage, partition: PartitionImage, wish: IsrWish
) -> PartitionChangeRecord | None:
    plan = PartitionPlan(
        topic.topic_id,
        wish.partition,
        partition,
        partial(image.may_lead, partition),
        rules.min_isr(image, topic.name),
        _why_changed(partition, wish),
        isr=tuple(member for member, _ in wish.isr),
        recovery_state=wish.leader_recovery_state,
    )
    if partition.is_reassigning:
        plan.cause = Why("reassignment-complete")
    if rules.allows_unclean_election(image, topic.name):
        plan.election = Election.UNCLEAN
    return plan.record()


def _why_changed(partition: PartitionImage, wish: IsrWish) -> Why:
    members = [member for member, _ in wish.isr]
    removed = tuple(each for each in partition.isr if each not in members)
    added = tuple(each for each in members if each not in partition.isr)
    if removed and not added:
        return Why("isr-shrunk-by-leader", by=partition.leader, removed=removed)
    if added and not removed:
        return Why("isr-expanded-by-leader", by=partition.leader, added=added)
    return Why("isr-changed-by-leader")


def _answer_after(
    before: PartitionImage, after: PartitionImage, topic: TopicImage, wish: IsrWish
) -> PartitionImage | KafkaError:
    """A completed reassignment can take leadership from the broker that proposed the ISR."""
    if after.leader == before.leader and after.leader_epoch == before.leader_epoch:
        return after
    return KafkaError(
        ErrorCode.NEW_LEADER_ELECTED
        if after.leader != before.leader
        else ErrorCode.FENCED_LEADER_EPOCH,
        f"{topic.name}-{wish.partition}: the reassignment is complete and broker {after.leader} "
        f"leads in epoch {after.leader_epoch}.",
    )
