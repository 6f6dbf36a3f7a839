"""Topics: their names, their creation and deletion."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from itertools import product
from typing import Final

from raftka.kraft.controller.assignments import (
    check_amount,
    check_assignment,
    check_batch,
    new_partition,
)
from raftka.kraft.controller.config_schema import ConfigSchema
from raftka.kraft.controller.placement import place
from raftka.kraft.controller.result import Charge, Result, Rules, free
from raftka.kraft.image import TOPIC_RESOURCE, ConfigResource, MetadataImage, TopicImage
from raftka.kraft.records import ConfigRecord, MetadataRecord, RemoveTopicRecord, TopicRecord
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import Uuid
from raftka.model.ports import Dice

BY_DEFAULT: Final = -1
"""As a number of partitions or replicas: the controller's configured default."""
MAX_NAME_LENGTH: Final = 249
METADATA_TOPIC: Final = "__cluster_metadata"

_LEGAL_NAME: Final = re.compile(r"[a-zA-Z0-9._-]+\Z")
_SEARCHED_VARIANTS_MAX: Final = 6


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A topic to create."""

    name: str
    num_partitions: int = BY_DEFAULT
    replication_factor: int = BY_DEFAULT
    assignments: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """Replicas by partition, if they are assigned manually."""
    configs: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreatedTopic:
    """A created topic."""

    topic_id: Uuid
    num_partitions: int
    replication_factor: int
    configs: Mapping[str, str]


def check_name(name: str) -> None:
    """Raise KafkaError INVALID_TOPIC_EXCEPTION unless it is a valid topic name."""
    words = None
    if not name:
        words = "Topic name is invalid: the empty string is not allowed"
    elif name in (".", ".."):
        words = f"Topic name is invalid: '{name}' is not allowed"
    elif len(name) > MAX_NAME_LENGTH:
        words = (
            f"Topic name is invalid: the length of '{name}' is longer than the max allowed "
            f"length {MAX_NAME_LENGTH}"
        )
    elif not _LEGAL_NAME.match(name):
        words = (
            f"Topic name is invalid: '{name}' contains one or more characters other than ASCII "
            "alphanumerics, '.', '_' and '-'"
        )
    if words is not None:
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, words)


def colliding_name(name: str, topics: Mapping[str, object]) -> str | None:
    """An existing topic whose name differs only in '.' and '_', which metrics cannot distinguish.

    For names with few such characters all spellings are looked up, so that creating many topics
    does not search all existing ones for each.
    """
    parts = re.split(r"[._]", name)
    if len(parts) == 1:
        return None
    if len(parts) <= _SEARCHED_VARIANTS_MAX:
        for marks in product("._", repeat=len(parts) - 1):
            spelling = "".join(a + b for a, b in zip(parts, (*marks, ""), strict=True))
            if spelling != name and spelling in topics:
                return spelling
        return None
    plain = name.replace(".", "_")
    for other in topics:
        if other != name and other.replace(".", "_") == plain:
            return other
    return None


def create_topics(
    image: MetadataImage,
    rules: Rules,
    schema: ConfigSchema,
    dice: Dice,
    wishes: Sequence[NewTopic],
    charge: Charge = free,
) -> Result[dict[str, CreatedTopic | KafkaError]]:
    """Create topics, each of which may fail independently.

    Raises KafkaError POLICY_VIOLATION for too many partitions or records at once.
    """
    counts: dict[str, int] = {}
    for wish in wishes:
        counts[wish.name] = counts.get(wish.name, 0) + 1
    check_amount(sum(_wanted_partitions(rules, wish) for wish in wishes))
    records: list[MetadataRecord] = []
    answers: dict[str, CreatedTopic | KafkaError] = {}
    fresh: dict[str, None] = {}
    for wish in wishes:
        try:
            if counts[wish.name] > 1:
                words = f"Topic '{wish.name}' is named more than once in the request."
                raise KafkaError(ErrorCode.INVALID_REQUEST, words)
            _check_new_name(image, fresh, wish.name)
            made, created = _create(image, rules, schema, dice, wish)
            charge(wish.name, created.num_partitions)
        except KafkaError as error:
            answers[wish.name] = error
            continue
        fresh[wish.name] = None
        records += made
        answers[wish.name] = created
    check_batch(records)
    return Result(records, answers)


def _wanted_partitions(rules: Rules, wish: NewTopic) -> int:
    if wish.assignments:
        return len(wish.assignments)
    return (
        rules.num_partitions if wish.num_partitions == BY_DEFAULT else max(0, wish.num_partitions)
    )


def _check_new_name(image: MetadataImage, fresh: Mapping[str, None], name: str) -> None:
    if name == METADATA_TOPIC:
        words = f"Creation of internal topic {METADATA_TOPIC} is prohibited."
        raise KafkaError(ErrorCode.INVALID_REQUEST, words)
    check_name(name)
    if name in image.topics:
        raise KafkaError(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
    other = colliding_name(name, image.topics) or colliding_name(name, fresh)
    if other is not None:
        words = f"Topic '{name}' collides with existing topic: {other}"
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, words)


def _create(
    image: MetadataImage, rules: Rules, schema: ConfigSchema, dice: Dice, wish: NewTopic
) -> tuple[list[MetadataRecord], CreatedTopic]:
    configs = _checked_configs(schema, wish)
    assignment = _assigned(image, wish) if wish.assignments else _placed(image, rules, dice, wish)
    topic_id = new_topic_id(image, dice)
    records: list[MetadataRecord] = [TopicRecord(wish.name, topic_id)]
    for name, value in configs.items():
        records.append(ConfigRecord(TOPIC_RESOURCE, wish.name, name, value))
    for index, replicas in enumerate(assignment):
        records.append(new_partition(image, topic_id, index, replicas))
    return records, CreatedTopic(topic_id, len(assignment), len(assignment[0]), configs)


def _checked_configs(schema: ConfigSchema, wish: NewTopic) -> dict[str, str]:
    configs: dict[str, str] = {}
    for name, value in wish.configs.items():
        if value is None:
            words = f"Null value not supported for topic configs: {name}"
            raise KafkaError(ErrorCode.INVALID_CONFIG, words)
        configs[name] = value
    schema.check(ConfigResource(TOPIC_RESOURCE, wish.name), configs)
    return configs


def _assigned(image: MetadataImage, wish: NewTopic) -> list[tuple[int, ...]]:
    """The manually assigned replicas, validated."""
    for what, given in (
        ("replication factor", wish.replication_factor),
        ("number of partitions", wish.num_partitions),
    ):
        if given != BY_DEFAULT:
            words = f"A manual partition assignment was specified, but the {what} was not set to -1"
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"{words}.")
    if sorted(wish.assignments) != list(range(len(wish.assignments))):
        words = (
            "The manual partition assignment should be for partitions numbered from 0 without "
            f"gaps, but it is for {sorted(wish.assignments)}."
        )
        raise KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, words)
    replication_factor = len(wish.assignments[0])
    for index in range(len(wish.assignments)):
        check_assignment(image, wish.assignments[index], replication_factor)
    return [wish.assignments[index] for index in range(len(wish.assignments))]


def _placed(
    image: MetadataImage, rules: Rules, dice: Dice, wish: NewTopic
) -> list[tuple[int, ...]]:
    """The replicas that the controller chooses."""
    if wish.replication_factor == 0 or wish.replication_factor < BY_DEFAULT:
        words = "Replication factor must be larger than 0, or -1 to use the default value."
        raise KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, words)
    if wish.num_partitions == 0 or wish.num_partitions < BY_DEFAULT:
        words = "Number of partitions must be larger than 0, or -1 to use the default value."
        raise KafkaError(ErrorCode.INVALID_PARTITIONS, words)
    chosen = wish.replication_factor
    return place(
        image,
        dice,
        partitions=_wanted_partitions(rules, wish),
        replication_factor=rules.replication_factor if chosen == BY_DEFAULT else chosen,
    )


def new_topic_id(image: MetadataImage, dice: Dice) -> Uuid:
    """A random id that no topic has, and that command lines do not take for an option."""
    while True:
        raw = bytearray(dice.randbytes(16))
        raw[6] = (raw[6] & 0x0F) | 0x40
        raw[8] = (raw[8] & 0x3F) | 0x80
        # 0xF8..0xFB begin with '-' in base64.
        if raw[0] & 0xFC != 0xF8 and bytes(raw) not in image.topic_names:
            return Uuid(bytes(raw))


def delete_topics(
    image: MetadataImage, wishes: Sequence[tuple[str | None, bytes]], charge: Charge = free
) -> Result[list[TopicImage | KafkaError]]:
    """Delete topics, each given by name, or by id if the name is None.

    One result for each request, in order: the deleted topic, or the error.
    """
    records: list[MetadataRecord] = []
    answers: list[TopicImage | KafkaError] = []
    gone: set[bytes] = set()
    for name, topic_id in wishes:
        topic = image.topics.get(name) if name is not None else image.topic_by_id(topic_id)
        if topic is None:
            answers.append(_unknown(name))
        elif topic.topic_id in gone:
            words = f"Topic '{topic.name}' is named more than once in the request."
            answers.append(KafkaError(ErrorCode.INVALID_REQUEST, words))
        else:
            try:
                charge(topic.topic_id, len(topic.partitions))
            except KafkaError as error:
                answers.append(error)
                continue
            gone.add(topic.topic_id)
            records.append(RemoveTopicRecord(topic.topic_id))
            answers.append(topic)
    return Result(records, answers)


def _unknown(name: str | None) -> KafkaError:
    if name is None:
        return KafkaError(ErrorCode.UNKNOWN_TOPIC_ID, "This server does not host this topic ID.")
    words = f"There is no topic '{name}'."
    return KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, words)
