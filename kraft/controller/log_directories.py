"""The log directories of replicas, and what happens when one is offline (KIP-858).

A broker with several log directories reports the directory of each replica (AssignReplicasToDirs),
and in its heartbeats the offline directories. Replicas in an offline directory leave the ISR and
the leadership at once; the broker's other replicas stay. A replica that had all committed records
may stay an eligible leader replica, but is not elected while its directory is offline; once it is
placed in another directory it is empty, and no longer eligible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial

from raftka.kraft.controller.election import Election, PartitionPlan
from raftka.kraft.controller.result import Result, Rules, in_batches
from raftka.kraft.image import BrokerImage, MetadataImage, PartitionImage, TopicImage
from raftka.kraft.records import (
    RAFTKA_VERSION,
    BrokerRegistrationChangeRecord,
    MetadataRecord,
    PartitionChangeRecord,
)
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import UNASSIGNED_DIRECTORY
from raftka.model.named_tuple import NamedTuple
from raftka.model.reasons import Why
from raftka.model.rules import Rule


class Placement(NamedTuple):
    """The directory in which a broker has placed one of its replicas."""

    topic_id: bytes
    partition: int
    directory: bytes


def newly_offline(broker: BrokerImage, offline: Sequence[bytes]) -> list[bytes]:
    """Directories that a broker reports as offline, and that the image has as online.

    None if no directory would be left: such a broker shuts down, and is fenced.
    """
    found = [each for each in broker.log_dirs if each in offline]
    return [] if len(found) == len(broker.log_dirs) else found


def directories_failed(
    image: MetadataImage, rules: Rules, broker: BrokerImage, failed: AbstractSet[bytes]
) -> Result[None]:
    """A broker's directories are offline: their replicas leave ISRs and leaderships.

    The last batch records the directories as offline in the metadata.
    """
    left = tuple(each for each in broker.log_dirs if each not in failed)
    why = Why("directory-offline", broker=broker.broker_id)
    change = BrokerRegistrationChangeRecord(
        broker.broker_id, broker.epoch, log_dirs=left, why=why.packed()
    )
    changes = _changes(image, rules, broker.broker_id, failed)
    again = partial(directories_failed, rules=rules, broker=broker, failed=failed)
    return in_batches(rules, changes, [change], None, again)


def _changes(
    image: MetadataImage, rules: Rules, broker_id: int, failed: AbstractSet[bytes]
) -> Iterator[PartitionChangeRecord]:
    for topic, index, partition in image.partitions():
        if broker_id in partition.replicas and partition.directory_of(broker_id) in failed:
            plan = _plan(image, rules, topic, index, partition, broker_id)
            record = plan.record()
            if record is not None:
                yield record


def _plan(
    image: MetadataImage,
    rules: Rules,
    topic: TopicImage,
    index: int,
    partition: PartitionImage,
    leaving: int,
) -> PartitionPlan:
    """The plan for a replica whose directory is offline."""
    plan = PartitionPlan(
        topic.topic_id,
        index,
        partition,
        lambda replica: replica != leaving and image.may_lead(partition, replica),
        rules.min_isr(image, topic.name),
        Why("directory-offline", broker=leaving),
        isr=tuple(each for each in partition.isr if each != leaving),
    )
    if rules.allows_unclean_election(image, topic.name):
        plan.election = Election.UNCLEAN
    return plan


def assign_replicas(
    image: MetadataImage, rules: Rules, broker: BrokerImage, placements: Sequence[Placement]
) -> Result[list[KafkaError | None]]:
    """Record the directories of a broker's replicas. One result for each."""
    records: list[MetadataRecord] = []
    answers: list[KafkaError | None] = []
    for each in placements:
        try:
            record = _assign(image, rules, broker, each)
        except KafkaError as error:
            answers.append(error)
            continue
        if record is not None:
            records.append(record)
        answers.append(None)
    return Result(records, answers)


def _assign(
    image: MetadataImage, rules: Rules, broker: BrokerImage, wish: Placement
) -> PartitionChangeRecord | None:
    topic, partition = _find(image, broker.broker_id, wish)
    me = broker.broker_id
    if not image.features.get(RAFTKA_VERSION, 0):
        # Nodes of an earlier release may be observers: write only what they can read.
        if wish.directory not in broker.log_dirs:
            return _plan(image, rules, topic, wish.partition, partition, me).record()
        words = "Log directories of replicas are not noted before raftka.version is at 1."
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, words)
    before = partition.directory_of(me)
    if before == wish.directory:
        return None
    directories = tuple(
        wish.directory if replica == me else partition.directory_of(replica)
        for replica in partition.replicas
    )
    if wish.directory in broker.log_dirs:
        plan = PartitionPlan(
            topic.topic_id,
            wish.partition,
            partition,
            # Its new directory is online, even if the metadata has the old one as offline.
            lambda replica: (
                image.is_active(me) if replica == me else image.may_lead(partition, replica)
            ),
            rules.min_isr(image, topic.name),
            Why("directory-changed", broker=me),
        )
        was_lost = before != UNASSIGNED_DIRECTORY and before not in broker.log_dirs
        if was_lost and Rule.LOST_DIRECTORY_IS_NOT_ELIGIBLE not in rules.off:
            plan.unclean_shutdown = plan.wiped = frozenset((me,))
        if rules.allows_unclean_election(image, topic.name):
            plan.election = Election.UNCLEAN
    else:
        plan = _plan(image, rules, topic, wish.partition, partition, me)
    change = plan.record() or PartitionChangeRecord(topic.topic_id, wish.partition)
    return replace(change, directories=directories)


def _find(
    image: MetadataImage, broker_id: int, wish: Placement
) -> tuple[TopicImage, PartitionImage]:
    topic = image.topic_by_id(wish.topic_id)
    if topic is None:
        words = f"There is no topic with id {wish.topic_id.hex()}."
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID, words)
    partition = topic.partition(wish.partition)
    if partition is None:
        words = f"Topic {topic.name} has no partition {wish.partition}."
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, words)
    if broker_id not in partition.replicas:
        words = f"Broker {broker_id} has no replica of {topic.name}-{wish.partition}."
        raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER, words)
    return topic, partition
