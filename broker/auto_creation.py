"""Topics that are created because a client asks for them (auto.create.topics.enable).

Internal topics have settings of their own and are created on first use, whatever that setting is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

from raftka.broker.forwarding import address_bytes, principal_bytes
from raftka.model.errors import ErrorCode
from raftka.model.internal_topics import INTERNAL_TOPICS, InternalTopic
from raftka.model.logs import get_logger
from raftka.model.ports import BrokenConnection, Piece
from raftka.net.protocol import codec
from raftka.net.protocol.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from raftka.net.protocol.messages.envelope import EnvelopeRequest

if TYPE_CHECKING:
    from raftka.broker.node import Node
    from raftka.broker.request import Context

log = get_logger(__name__)

_WAIT_S = 2.0
_BY_DEFAULT = -1
_NEWEST: Final = CreateTopicsRequest.VALID_VERSIONS[1]


async def create_missing(node: Node, names: Sequence[str]) -> None:
    """Create topics at the defaults and wait a moment for them to appear on this node.

    A topic that cannot be created stays missing, which the client sees in the answer.
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

    Returns the reason why it could not be created; "" if it was, or if no reason is known.
    """
    if topic.name in node.image.topics:
        return ""
    return await _create(node, [_creatable(node, topic)])


async def create_topic(node: Node, name: str, settings: Mapping[str, str]) -> str:
    """Create a topic at the defaults, with some overrides, and wait a moment for it.

    Returns the reason why it could not be created; "" if it was, even if by another node.
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


async def create_for(context: Context, topics: Sequence[CreatableTopic]) -> list[tuple[str, str]]:
    """Create topics with the client's permissions and quota, and wait for them.

    Returns those that could not be created, with the reasons.
    """
    request = CreateTopicsRequest(topics=list(topics), timeout=int(_WAIT_S * 1000))
    envelope = EnvelopeRequest(
        request_data=_without_size(codec.encode_request(request, _NEWEST, 0, context.client_id)),
        request_principal=principal_bytes(context.principal),
        client_host_address=address_bytes(context.client_address),
    )
    node = context.node
    try:
        wrapped = await node.ask_controller(envelope, timeout_s=_WAIT_S)
    except BrokenConnection as error:
        log.warning(f"topics {[each.name for each in topics]} cannot be created now: {error}")
        return [(each.name, await node.no_controller.why()) for each in topics]
    if wrapped.error_code != ErrorCode.NONE or wrapped.response_data is None:
        why = ErrorCode(wrapped.error_code).name
        return [(each.name, why) for each in topics]
    _, answer = codec.decode_response(CreateTopicsResponse, _NEWEST, wrapped.response_data)
    return await _await_created(node, answer)


def _without_size(frame: list[Piece]) -> bytes:
    return b"".join(cast(list[bytes], frame))[4:]


async def _create(node: Node, topics: list[CreatableTopic]) -> str:
    """Returns the reason why a topic could not be created; "" if there is none."""
    request = CreateTopicsRequest(topics=topics, timeout=int(_WAIT_S * 1000))
    try:
        answer = await node.ask_controller(request, timeout_s=_WAIT_S)
    except BrokenConnection as error:
        log.warning(f"topics {[each.name for each in topics]} cannot be created now: {error}")
        return await node.no_controller.why()
    failed = await _await_created(node, answer)
    return failed[-1][1] if failed else ""


async def _await_created(node: Node, answer: CreateTopicsResponse) -> list[tuple[str, str]]:
    """Wait a moment for the created topics; return the rest, with reasons."""
    created = []
    failed = []
    for result in answer.topics:
        if result.error_code in (ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS):
            created.append(result.name)
        else:
            code = ErrorCode(result.error_code)
            log.warning(
                f"topic {result.name} cannot be created: {code.name}: {result.error_message}"
            )
            failed.append((result.name, result.error_message or code.name))
    with node.clock.within(_WAIT_S):
        await node.loader.wait_until(
            lambda image: all(
                name in image.topics and all(p.has_leader for p in image.topics[name].partitions)
                for name in created
            )
        )
    return failed
