"""The metadata that a consumer group's assignment depends on: topics, partitions and racks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING

from raftka.broker.coordinators.group.core import Core
from raftka.kraft.image import MetadataImage, TopicImage
from raftka.model.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from raftka.broker.coordinators.group.consumer.group import ConsumerGroup


def racks_of(image: MetadataImage, topic: TopicImage) -> list[frozenset[str]]:
    """The racks of each partition's replicas."""
    return [
        frozenset(
            broker.rack
            for replica in partition.replicas
            if (broker := image.brokers.get(replica)) is not None and broker.rack is not None
        )
        for partition in topic.partitions
    ]


def topic_hash(core: Core, name: str) -> int:
    """A hash of everything in a topic that an assignment depends on; 0 if it does not exist."""
    found = core.topic_hashes.get(name)
    if found is None:
        found = core.topic_hashes[name] = _hash_of(core.image, core.image.topics.get(name))
    return found


def _hash_of(image: MetadataImage, topic: TopicImage | None) -> int:
    if topic is None:
        return 0
    racks = [",".join(sorted(each)) for each in racks_of(image, topic)]
    text = f"{topic.name}\0{topic.topic_id.hex()}\0{len(racks)}"
    if any(racks):
        text += "\0" + "\0".join(racks)
    return _hash(text.encode())


def _hash(data: bytes) -> int:
    """A signed 64-bit hash. It differs from Kafka's (KIP-1101): a group is assigned once more after
    Kafka and raftka replace one another."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big", signed=True)


def group_hash(core: Core, group: ConsumerGroup) -> int:
    """A hash of all topics that a group subscribes to; 0 for none."""
    names = sorted(group.subscribed_topics())
    hashes = [(name, topic_hash(core, name)) for name in names]
    found = [f"{name}\0{value}" for name, value in hashes if value]
    return _hash("\0".join(found).encode()) if found else 0


def compile_regex(pattern: str) -> Callable[[str], bool]:
    """A function that returns whether a topic's whole name matches, in RE2's syntax.

    Raises KafkaError INVALID_REGULAR_EXPRESSION that names the mistake.
    """
    import re2  # Lazy: a broker without such subscriptions starts faster.

    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise KafkaError(
            ErrorCode.INVALID_REGULAR_EXPRESSION,
            f"SubscribedTopicRegex {pattern!r} is not a regular expression of RE2:"
            f" {_words(error)}. See github.com/google/re2/wiki/Syntax.",
        ) from error
    return lambda name: compiled.fullmatch(name) is not None


def _words(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def matching_topics(
    image: MetadataImage, pattern: str, may_describe: Callable[[str], bool]
) -> frozenset[str]:
    """The matching topics that the member's principal may describe.

    Raises KafkaError INVALID_REGULAR_EXPRESSION.
    """
    matches = compile_regex(pattern)
    return frozenset(filter(may_describe, filter(matches, image.topics)))


def topic_ids(image: MetadataImage, names: Iterable[str]) -> frozenset[bytes]:
    """The ids of those topics that exist."""
    return frozenset(image.topics[name].topic_id for name in names if name in image.topics)
