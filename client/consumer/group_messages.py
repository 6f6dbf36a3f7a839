"""The messages of a group's members to each other, inside JoinGroup and SyncGroup.

The bytes are Kafka's, so that Java consumers and these can share a group.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable

from raftka.client.consumer.assignors import Assignor, Member
from raftka.model.ids import TopicPartition
from raftka.model.ports import Buffer
from raftka.model.text import decode_text
from raftka.net.protocol import codec
from raftka.net.protocol.messages import consumer_protocol_assignment as assigned
from raftka.net.protocol.messages import consumer_protocol_subscription as subscribed
from raftka.net.protocol.messages.consumer_protocol_assignment import ConsumerProtocolAssignment
from raftka.net.protocol.messages.consumer_protocol_subscription import ConsumerProtocolSubscription

PROTOCOL_TYPE = "consumer"
_VERSION = struct.Struct(">h")
_INT = struct.Struct(">i")


def encode_subscription(
    assignor: Assignor,
    topics: Iterable[str],
    owned: Iterable[TopicPartition],
    previous: Iterable[TopicPartition],
    generation: int,
    rack: str | None,
) -> bytes:
    """A member's metadata for one strategy.

    `owned` is what it has now, `previous` what it had in `generation`: an eager member has
    revoked everything by the time it joins.
    """
    message = ConsumerProtocolSubscription(
        topics=sorted(topics),
        user_data=_user_data(assignor, sorted(previous), generation),
        owned_partitions=[
            subscribed.TopicPartition(topic=topic, partitions=partitions)
            for topic, partitions in by_topic(sorted(owned)).items()
        ],
        generation_id=generation,
        rack_id=rack or None,
    )
    return codec.encode_versioned(message, message.VALID_VERSIONS[1])


def decode_subscription(
    member_id: str, instance_id: str | None, metadata: Buffer, *, eager_sticky: bool = False
) -> Member:
    """`eager_sticky`: its owned partitions are in the user data, since it has revoked them."""
    message = codec.decode_versioned(ConsumerProtocolSubscription, metadata, newest=True)
    owned = [
        TopicPartition(part.topic, index)
        for part in message.owned_partitions
        for index in part.partitions
    ]
    generation = message.generation_id
    if eager_sticky and message.user_data:
        with contextlib.suppress(struct.error, UnicodeDecodeError):
            # Without its previous assignment, a member is only less sticky.
            owned, generation = decode_previous(message.user_data)
    return Member(member_id, tuple(message.topics), instance_id, tuple(owned), generation)


def encode_assignment(partitions: Iterable[TopicPartition]) -> bytes:
    message = ConsumerProtocolAssignment(
        assigned_partitions=[
            assigned.TopicPartition(topic=topic, partitions=indexes)
            for topic, indexes in by_topic(sorted(partitions)).items()
        ]
    )
    return codec.encode_versioned(message, message.VALID_VERSIONS[1])


def decode_assignment(data: Buffer) -> list[TopicPartition]:
    """Empty bytes stand for no partitions."""
    if not len(data):
        return []
    message = codec.decode_versioned(ConsumerProtocolAssignment, data, newest=True)
    return [
        TopicPartition(part.topic, index)
        for part in message.assigned_partitions
        for index in part.partitions
    ]


def by_topic(partitions: Iterable[TopicPartition]) -> dict[str, list[int]]:
    """Partition numbers by topic, as requests carry them."""
    found: dict[str, list[int]] = {}
    for topic, index in partitions:
        found.setdefault(topic, []).append(index)
    return found


def _user_data(assignor: Assignor, owned: list[TopicPartition], generation: int) -> bytes | None:
    """The user data of sticky strategies: the generation and, if eager, the last assignment."""
    if not assignor.sticky:
        return None
    if assignor.cooperative:
        return _INT.pack(generation)
    topics = by_topic(owned)
    parts = [_INT.pack(len(topics))]
    for topic, indexes in topics.items():
        name = topic.encode()
        parts += [_VERSION.pack(len(name)), name, _INT.pack(len(indexes))]
        parts += [_INT.pack(index) for index in indexes]
    return b"".join([*parts, _INT.pack(generation)])


def decode_previous(user_data: Buffer) -> tuple[list[TopicPartition], int]:
    """An eager sticky member's last assignment and its generation, from the user data."""
    view = memoryview(user_data)
    place = 0
    found: list[TopicPartition] = []
    (topics,) = _INT.unpack_from(view, place)
    place += 4
    for _ in range(topics):
        (size,) = _VERSION.unpack_from(view, place)
        topic = decode_text(view[place + 2 : place + 2 + size])
        place += 2 + size
        (count,) = _INT.unpack_from(view, place)
        place += 4
        for _ in range(count):
            found.append(TopicPartition(topic, _INT.unpack_from(view, place)[0]))
            place += 4
    generation = _INT.unpack_from(view, place)[0] if len(view) >= place + 4 else -1
    return found, generation
