"""Partitions that do not exist, in requests that commit offsets.

Kafka looks them up first: they are refused whatever the group, its member or the transaction is
like, and are answered before the other partitions of their topic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from raftka.kraft.image import MetadataImage


class Topic(Protocol):
    """A topic of a request, with partitions that have a partition_index, or of its answer."""

    name: str
    partitions: list[Any]


T = TypeVar("T", bound=Topic)
Answered = TypeVar("Answered", bound=Topic)


def take_missing(
    image: MetadataImage, topics: Sequence[T], like: Callable[[T, list[Any]], T]
) -> tuple[list[T], list[T]]:
    """The topics with the partitions that exist, and those with the others, each in its order.

    `like` makes a topic of the same name with these partitions.
    """
    existing, missing = [], []
    for topic in topics:
        found = image.topics.get(topic.name)
        indexes = range(0 if found is None else len(found.partitions))
        if all(each.partition_index in indexes for each in topic.partitions):
            existing.append(topic)
            continue
        outside = [each for each in topic.partitions if each.partition_index not in indexes]
        missing.append(like(topic, outside))
        inside = [each for each in topic.partitions if each.partition_index in indexes]
        if inside:
            existing.append(like(topic, inside))
    return existing, missing


def add_missing(answered: list[Answered], missing: Sequence[Answered]) -> None:
    """Add to an answer what was refused as missing. Each topic is answered once."""
    known = {topic.name: topic for topic in answered}
    for topic in missing:
        if topic.name in known:
            known[topic.name].partitions[:0] = topic.partitions
        else:
            answered.append(topic)
