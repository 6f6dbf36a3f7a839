"""Common checks of ShareFetch and ShareAcknowledge: permissions, and hints at leaders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from raftka.broker.endpoints import node_endpoints
from raftka.broker.share.key import SharePartitionKey
from raftka.broker.share.settings import SHARE_VERSION
from raftka.model.access import Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from raftka.broker.request import Context

E = TypeVar("E")


def check(context: Context, group_id: str | None, member_id: str | None) -> tuple[str, str]:
    """The group and the member that a request names.

    Raises KafkaError: UNSUPPORTED_VERSION while share.version is 0, GROUP_AUTHORIZATION_FAILED,
    INVALID_REQUEST.
    """
    check_version(context)
    context.require(Operation.READ, ResourceType.GROUP, group_id or "")
    if not group_id or not member_id:
        raise KafkaError(ErrorCode.INVALID_REQUEST, "the request names no group, or no member")
    return group_id, member_id


def check_version(context: Context) -> None:
    """Raises KafkaError UNSUPPORTED_VERSION while share.version is 0."""
    if context.node.image.features.get(SHARE_VERSION, 0) < 1:
        raise KafkaError(
            ErrorCode.UNSUPPORTED_VERSION,
            "share groups are off: turn them on with kafka-features upgrade --feature"
            f" {SHARE_VERSION}=1",
        )


def check_topic(context: Context, key: SharePartitionKey) -> None:
    """Check that the client may read the topic.

    Raises KafkaError: UNKNOWN_TOPIC_ID, TOPIC_AUTHORIZATION_FAILED.
    """
    name = context.node.image.topic_names.get(key.topic_id)
    if name is None:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)
    context.require(Operation.READ, ResourceType.TOPIC, name)


def leader_of(
    context: Context, key: SharePartitionKey, error: KafkaError
) -> tuple[int, int] | None:
    """(leader, its epoch) if the error means that the client asked the wrong broker."""
    return context.node.replicas.index.leader_hint((key.topic_id, key.partition), error.code)


def endpoints(context: Context, leaders: Iterable[int], endpoint: Callable[..., E]) -> list[E]:
    """The endpoints of the leaders in an answer."""
    return node_endpoints(context.node.image, context.listener, leaders, endpoint)
