"""FindCoordinator (key 10): which broker coordinates a group, a transactional id, or the state of a
share-partition.

It is the leader of the key's partition of __consumer_offsets, __transaction_state or
__share_group_state; these topics are created when a client first asks for a coordinator. Up to
version 3 a request has one key, later many (KIP-699). From 6 on brokers look up share-partitions,
as `group:topic id:partition` (KIP-932).
"""

from __future__ import annotations

from raftka.broker.auto_creation import ensure_internal_topic
from raftka.broker.request import Context, handles
from raftka.model.access import CLUSTER_NAME, PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_BROKER, Endpoint, parse_uuid
from raftka.model.internal_topics import OFFSETS, SHARE_STATES, TRANSACTIONS
from raftka.model.key_hash import partition_of_key
from raftka.model.text import java_int
from raftka.net.protocol.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)

_MANY_FROM = 4
_SHARE = 2
_SHARE_FROM = 6
_TOPICS = {
    0: (OFFSETS, "group", ResourceType.GROUP),
    1: (TRANSACTIONS, "transactional id", ResourceType.TRANSACTIONAL_ID),
    _SHARE: (SHARE_STATES, "share-partition", ResourceType.CLUSTER),
}
"""By key type: the topic that holds its keys, and what the key names."""
_NOWHERE = Endpoint("", -1)


@handles(FindCoordinatorRequest, versions=(0, 6), access=PER_RESOURCE)
async def find_coordinator(
    context: Context, request: FindCoordinatorRequest
) -> FindCoordinatorResponse:
    missing = ""
    keys = request.coordinator_keys if context.api_version >= _MANY_FROM else [request.key]
    if request.key_type in _TOPICS:
        topic, _, kind = _TOPICS[request.key_type]
        if any(context.may(*_needed(kind, key), quietly=True) for key in keys):
            missing = await ensure_internal_topic(context.node, topic)
    if context.api_version >= _MANY_FROM:
        return FindCoordinatorResponse(
            coordinators=[_find(context, request.key_type, key, missing) for key in keys]
        )
    found = _find(context, request.key_type, request.key, missing)
    return FindCoordinatorResponse(
        error_code=found.error_code,
        error_message=found.error_message,
        node_id=found.node_id,
        host=found.host,
        port=found.port,
    )


def _find(context: Context, key_type: int, key: str, missing: str) -> Coordinator:
    broker_id, endpoint, code, message = NO_BROKER, _NOWHERE, ErrorCode.NONE, None
    try:
        broker_id, endpoint = _locate(context, key_type, key, missing)
    except KafkaError as error:
        code, message = error.code, error.message
    return Coordinator(
        key=key,
        node_id=broker_id,
        host=endpoint.host,
        port=endpoint.port,
        error_code=code,
        error_message=message,
    )


def _locate(context: Context, key_type: int, key: str, missing: str) -> tuple[int, Endpoint]:
    """(broker id, its endpoint for the client's listener). Raises KafkaError.

    `missing` is why the coordinators' topic could not be created, if known.
    """
    if key_type not in _TOPICS or (key_type == _SHARE and context.api_version < _SHARE_FROM):
        raise KafkaError(
            ErrorCode.INVALID_REQUEST, f"there are no coordinators of key type {key_type}"
        )
    internal, word, kind = _TOPICS[key_type]
    context.require(*_needed(kind, key))
    if key_type == _SHARE:
        _check_share_partition(key)
    node = context.node
    topic = node.image.topics.get(internal.name)
    if topic is None:
        words = f"{internal.name} could not be created yet"
        raise KafkaError(
            ErrorCode.COORDINATOR_NOT_AVAILABLE, f"{words}: {missing}" if missing else words
        )
    index = partition_of_key(key, len(topic.partitions))
    broker = node.image.brokers.get(topic.partitions[index].leader)
    endpoint = None if broker is None or broker.fenced else broker.endpoint(context.listener)
    if broker is None or endpoint is None:
        raise KafkaError(
            ErrorCode.COORDINATOR_NOT_AVAILABLE,
            f"{internal.name}-{index}, where {word} {key!r} is kept, has no leader to connect to",
        )
    return broker.broker_id, endpoint


def _needed(kind: ResourceType, key: str) -> tuple[Operation, ResourceType, str]:
    """The permission that a caller needs; only brokers ask for share-partitions."""
    if kind is ResourceType.CLUSTER:
        return Operation.CLUSTER_ACTION, kind, CLUSTER_NAME
    return Operation.DESCRIBE, kind, key


def _check_share_partition(key: str) -> None:
    """Raises KafkaError INVALID_REQUEST unless the key is `group:topic id:partition`."""
    try:
        group_id, topic_id, partition = key.rsplit(":", 2)
        parse_uuid(topic_id)
        java_int(partition)  # Kafka accepts any number, even a negative one.
        if not group_id:
            raise ValueError(key)
    except ValueError as error:
        words = f"{key!r} is no share-partition: write group:topic id:partition"
        raise KafkaError(ErrorCode.INVALID_REQUEST, words) from error
