"""Topics that are created because a client asks for them (auto.create.topics.enable).

Internal topics have settings of their own and are created on first use, whatever that setting says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from raftka.model.errors import ErrorCode
from raftka.model.internal_topics import INTERNAL_TOPICS, InternalTopic
from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)

if TYPE_CHECKING:
    from raftka.broker.node import Node

log = get_logger(__name__)

_WAIT_S = 2.0
_BY_DEFAULT = -1


async def create_missing(node: Node, names: Sequence[str]) -> None:
    """Create topics at the defaults and wait a moment for them to appear on this node.

    A name that cannot be created stays missing; the client sees that in the answer.
    """
    await _create(
        node,
        [
            CreatableTopic(name=name, num_partitions=_BY_DEFAULT, replication_factor=_BY_DEFAULT)
            if (internal := INTERNAL_TOPICS.get(name)) is None
            else _creatable(node, internal)
            for name in dict.fromkeys(names)
        ],
    )


async def ensure_internal_topic(node: Node, topic: InternalTopic) -> str:
    """Create an internal topic unless it exists, and wait a moment for it.

    Returns why it could not be created, in words; "" when it was, or when nothing is known.
    """
    if topic.name in node.image.topics:
        return ""
    return await _create(node, [_creatable(node, topic)])


async def create_topic(node: Node, name: str, settings: Mapping[str, str]) -> str:
    """Create a topic at the defaults with some settings of its own, and wait a moment for it.

    Returns why it could not be created; "" when it was, also by somebody else.
    """
    wanted = CreatableTopic(
        name=name,
        num_partitions=_BY_DEFAULT,
        replication_factor=_BY_DEFAULT,
        configs=[CreatableTopicConfig(name=n, value=v) for n, v in settings.items()],
    )
    return await _create(node, [wanted])


def _creatable(node: Node, topic: InternalTopic) -> CreatableTopic:
    config = node.config
    settings = topic.topic_settings(config)
    return CreatableTopic(
        name=topic.name,
        num_partitions=config.int(topic.partitions),
        replication_factor=config.int(topic.replicas),
        configs=[CreatableTopicConfig(name=n, value=v) for n, v in settings.items()],
    )


async def _create(node: Node, topics: list[CreatableTopic]) -> str:
    """Returns why some topic could not be created; "" for no such reason."""
    request = CreateTopicsRequest(topics=topics, timeout=int(_WAIT_S * 1000))
    try:
        answer = await node.ask_controller(request, timeout_s=_WAIT_S)
    except BrokenConnection as error:
        log.warning(f"topics {[each.name for each in topics]} cannot be created now: {error}")
        return await node.no_controller.why()
    created = []
    reason = ""
    for result in answer.topics:
        if result.error_code in (ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS):
            created.append(result.name)
        else:
            code = ErrorCode(result.error_code)
            log.warning(
                f"topic {result.name} cannot be created: {code.name}: {result.error_message}"
            )
            reason = result.error_message or code.name
    with node.clock.within(_WAIT_S):
        await node.loader.wait_until(
            lambda image: all(
                name in image.topics and all(p.has_leader for p in image.topics[name].partitions)
                for name in created
            )
        )
    return reason
