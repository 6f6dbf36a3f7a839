"""CreatePartitions (KIP-195): adds partitions to a topic; existing ones stay where they are."""

from __future__ import annotations

from collections.abc import Sequence

from raftka.kraft.controller.assignments import check_amount, check_assignment, new_partition
from raftka.kraft.controller.placement import place
from raftka.kraft.controller.result import Charge, Result, free
from raftka.kraft.image import MetadataImage, TopicImage
from raftka.kraft.records import MetadataRecord
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Dice


@dataclass(frozen=True, slots=True)
class Growth:
    """A request for more partitions."""

    topic: str
    count: int
    """The new total."""
    assignments: tuple[tuple[int, ...], ...] | None = None
    """The replicas of each additional one, if they are assigned manually."""


def create_partitions(
    image: MetadataImage, dice: Dice, wishes: Sequence[Growth], charge: Charge = free
) -> Result[dict[str, KafkaError | None]]:
    """Add partitions to topics, each of which may fail independently.

    Raises KafkaError POLICY_VIOLATION for too many partitions at once.
    """
    check_amount(sum(_additional(image, wish) for wish in wishes))
    names = [wish.topic for wish in wishes]
    records: list[MetadataRecord] = []
    answers: dict[str, KafkaError | None] = {}
    for wish in wishes:
        try:
            if names.count(wish.topic) > 1:
                words = f"Topic '{wish.topic}' is named more than once in the request."
                raise KafkaError(ErrorCode.INVALID_REQUEST, words)
            grown = _grow(image, dice, wish)
            charge(wish.topic, len(grown))
            records += grown
        except KafkaError as error:
            answers[wish.topic] = error
        else:
            answers[wish.topic] = None
    return Result(records, answers)


def _additional(image: MetadataImage, wish: Growth) -> int:
    topic = image.topics.get(wish.topic)
    return 0 if topic is None else max(0, wish.count - len(topic.partitions))


def _grow(image: MetadataImage, dice: Dice, wish: Growth) -> list[MetadataRecord]:
    topic = image.topics.get(wish.topic)
    if topic is None:
        words = f"The topic '{wish.topic}' does not exist."
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, words)
    present = len(topic.partitions)
    if wish.count == present:
        words = f"Topic already has {present} partition(s)."
        raise KafkaError(ErrorCode.INVALID_PARTITIONS, words)
    if wish.count < present:
        words = (
            f"The topic {wish.topic} currently has {present} partition(s); {wish.count} would not "
            "be an increase."
        )
        raise KafkaError(ErrorCode.INVALID_PARTITIONS, words)
    assignments = _assignments(image, dice, topic, wish)
    return [
        new_partition(image, topic.topic_id, present + number, replicas)
        for number, replicas in enumerate(assignments)
    ]


def _assignments(
    image: MetadataImage, dice: Dice, topic: TopicImage, wish: Growth
) -> Sequence[tuple[int, ...]]:
    additional = wish.count - len(topic.partitions)
    replication_factor = len(topic.partitions[0].replicas)
    if wish.assignments is None:
        return place(
            image,
            dice,
            partitions=additional,
            replication_factor=replication_factor,
            first_partition=len(topic.partitions),
        )
    if len(wish.assignments) != additional:
        raise KafkaError(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"Attempted to add {additional} additional partition(s), but only "
            f"{len(wish.assignments)} assignment(s) were specified.",
        )
    for replicas in wish.assignments:
        check_assignment(image, replicas, replication_factor)
    return wish.assignments
