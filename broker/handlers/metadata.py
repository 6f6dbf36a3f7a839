"""Metadata (key 3): brokers, topics, partitions and their leaders, from this node's metadata image.

Version notes: 0 requests all topics by an empty list, later versions by null. 1: controller, racks,
internal topics. 4: whether missing topics may be created. 7: leader epochs. 10: topic ids. 12:
topics by id only. 13: an error for the whole answer. A leader without an endpoint for the client's
listener is left out (LISTENER_NOT_FOUND): an unreachable endpoint would be worse.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from raftka.broker.auto_creation import create_missing
from raftka.broker.listener_view import Reach
from raftka.broker.request import Context, handles
from raftka.kraft.controller.topics import check_name
from raftka.kraft.image import MetadataImage, PartitionImage, TopicImage
from raftka.model.access import NOT_ASKED, PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import ZERO_UUID
from raftka.model.internal_topics import INTERNAL_TOPICS
from raftka.net.protocol.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

_BY_ID: Final = 12
_WITH_ERROR: Final = 13
"""The lowest versions with topics by id only, and with an error for the whole answer."""


@handles(MetadataRequest, versions=(0, 13), access=PER_RESOURCE)
async def metadata(context: Context, request: MetadataRequest) -> MetadataResponse:
    node = context.node
    asked = request.topics
    refusal = _refusal(asked or (), context.api_version)
    if refusal is not None:
        return refusal
    forbidden: set[str] = set()
    if asked is None or (context.api_version == 0 and not asked):
        wanted = None
    else:
        wanted = asked
        if request.allow_auto_topic_creation and node.config.flag("auto.create.topics.enable"):
            forbidden = await _create(context, asked)
    await node.suspects.settle(lambda image, broker_id: _leads(image, wanted, broker_id))
    view = _View(
        context, node.image, forbidden, operations=request.include_topic_authorized_operations
    )
    if wanted is None:
        # A topic that the client may not describe does not exist for it.
        topics = [
            view.topic(topic)
            for topic in view.image.topics.values()
            if context.may(Operation.DESCRIBE, ResourceType.TOPIC, topic.name, quietly=True)
        ]
    else:
        topics = [_find(view, each) for each in _asked_once(wanted)]
    return MetadataResponse(
        brokers=view.brokers(),
        cluster_id=node.cluster_id,
        controller_id=node.controller_for_clients(),
        topics=topics,
        cluster_authorized_operations=(
            context.cluster_operations()
            if request.include_cluster_authorized_operations
            else NOT_ASKED
        ),
    )


def _refusal(asked: Sequence[MetadataRequestTopic], version: int) -> MetadataResponse | None:
    """The answer to topic ids in versions without them, and to topics without a name."""
    has_ids = any(each.topic_id != ZERO_UUID for each in asked)
    if has_ids and version < _BY_ID:
        code = ErrorCode.INVALID_REQUEST
    elif not has_ids and version >= _BY_ID and any(each.name is None for each in asked):
        code = ErrorCode.UNKNOWN_SERVER_ERROR  # Kafka throws an exception here.
    else:
        return None
    topics = [
        MetadataResponseTopic(error_code=int(code), name=each.name or "", topic_id=each.topic_id)
        for each in asked
    ]
    whole = code if version >= _WITH_ERROR and code is ErrorCode.UNKNOWN_SERVER_ERROR else 0
    return MetadataResponse(topics=topics, error_code=int(whole))


async def _create(context: Context, asked: list[MetadataRequestTopic]) -> set[str]:
    """Create the missing topics that the client may create; return the names of the others."""
    known = context.node.image.topics
    missing = [each.name for each in asked if each.name is not None and each.name not in known]
    missing = [
        name for name in missing if context.may(Operation.DESCRIBE, ResourceType.TOPIC, name)
    ]
    forbidden: list[str] = []
    if missing and not context.may_with_cluster(Operation.CREATE, quietly=True):
        missing, forbidden = context.sort_out(Operation.CREATE, ResourceType.TOPIC, missing, str)
    if missing:
        await create_missing(context.node, missing)
    return set(forbidden)


def _asked_once(wanted: list[MetadataRequestTopic]) -> Iterable[MetadataRequestTopic]:
    """Remove duplicates; if one topic is requested by id, requests by name are ignored."""
    by_id = {each.topic_id: each for each in wanted if each.topic_id != ZERO_UUID}
    return by_id.values() if by_id else {each.name: each for each in wanted}.values()


def _find(view: _View, asked: MetadataRequestTopic) -> MetadataResponseTopic:
    image = view.image
    if asked.topic_id != ZERO_UUID:
        by_id = image.topic_by_id(bytes(asked.topic_id))
        if by_id is not None:
            if view.may_describe(by_id.name):
                return view.topic(by_id)
            return MetadataResponseTopic(
                error_code=int(ErrorCode.TOPIC_AUTHORIZATION_FAILED),
                name=None,
                topic_id=asked.topic_id,
            )
        return MetadataResponseTopic(
            error_code=int(ErrorCode.UNKNOWN_TOPIC_ID), name=None, topic_id=asked.topic_id
        )
    name = asked.name or ""
    if not view.may_describe(name):
        code = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        return MetadataResponseTopic(error_code=int(code), name=name)
    topic = image.topics.get(name)
    if topic is not None:
        return view.topic(topic)
    code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    try:
        check_name(name)
    except KafkaError as error:
        code = error.code
    if name in view.forbidden:
        code = ErrorCode.TOPIC_AUTHORIZATION_FAILED
    return MetadataResponseTopic(
        error_code=int(code),
        name=name,
        is_internal=name in INTERNAL_TOPICS,
        topic_authorized_operations=view.operations(name),
    )


def _leads(image: MetadataImage, wanted: list[MetadataRequestTopic] | None, broker_id: int) -> bool:
    """Whether the broker leads a partition of the requested topics (None: of any topic)."""
    if wanted is None:
        topics = list(image.topics.values())
    else:
        found = (image.topics.get(each.name) for each in wanted if each.name is not None)
        topics = [topic for topic in found if topic is not None]
    return any(partition.leader == broker_id for topic in topics for partition in topic.partitions)


class _View:
    """One image as one client may see it."""

    def __init__(
        self, context: Context, image: MetadataImage, forbidden: set[str], *, operations: bool
    ) -> None:
        self.image = image
        self.forbidden = forbidden
        """The missing topics that the client may not create."""
        self._context = context
        self._operations = operations
        self._suspects = context.node.suspects
        self._listener = context.listener
        self._reach = Reach(image, context.listener)

    def may_describe(self, topic: str) -> bool:
        return self._context.may(Operation.DESCRIBE, ResourceType.TOPIC, topic)

    def operations(self, topic: str) -> int:
        """The operations that the client may perform on a topic, if requested."""
        return (
            self._context.operations(ResourceType.TOPIC, topic) if self._operations else NOT_ASKED
        )

    def brokers(self) -> list[MetadataResponseBroker]:
        found = []
        for _, broker in sorted(self.image.brokers.items()):
            endpoint = broker.endpoint(self._listener)
            if endpoint is not None and self._suspects.is_listed(broker):
                found.append(
                    MetadataResponseBroker(
                        node_id=broker.broker_id,
                        host=endpoint.host,
                        port=endpoint.port,
                        rack=broker.rack,
                    )
                )
        return found

    def topic(self, topic: TopicImage) -> MetadataResponseTopic:
        return MetadataResponseTopic(
            error_code=int(ErrorCode.NONE),
            name=topic.name,
            topic_id=topic.topic_id,
            is_internal=topic.name in INTERNAL_TOPICS,
            topic_authorized_operations=self.operations(topic.name),
            partitions=[
                self._partition(index, partition)
                for index, partition in enumerate(topic.partitions)
            ],
        )

    def _partition(self, index: int, partition: PartitionImage) -> MetadataResponsePartition:
        leader, code = self._reach.leader(partition)
        return MetadataResponsePartition(
            error_code=int(code),
            partition_index=index,
            leader_id=leader,
            leader_epoch=partition.leader_epoch,
            replica_nodes=list(partition.replicas),
            isr_nodes=list(partition.isr),
            offline_replicas=self._reach.offline(partition),
        )
