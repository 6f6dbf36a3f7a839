"""The part of altering settings that a broker does before the controller (KIP-226, KIP-412).

Only a broker knows its own file, so it validates the resulting settings, and it changes its own log
levels. It forwards the rest to the controller; the answers keep the order of the request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from raftka.broker.controller.schema import SettingsSchema
from raftka.broker.security import check_certificates
from raftka.kraft.controller.configs import Alteration, Op, Wanted, check_names
from raftka.kraft.image import (
    BROKER_RESOURCE,
    CLUSTER_DEFAULT,
    GROUP_RESOURCE,
    TOPIC_RESOURCE,
    ConfigResource,
)
from raftka.model import logs
from raftka.model.access import Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.logs import Level
from raftka.model.ports import Piece, bytes_of
from raftka.model.settings.altering_brokers import validate_broker_configs, would_be
from raftka.model.text import java_int
from raftka.net.protocol import codec
from raftka.net.protocol.message import Response
from raftka.net.protocol.messages import alter_configs, incremental_alter_configs
from raftka.net.router import Answer

if TYPE_CHECKING:
    from raftka.broker.node import Node
    from raftka.broker.request import Context

BROKER_LOGGER_RESOURCE: Final = 8
_SIZE_BYTES: Final = 4
_OUTCOMES: Final[Mapping[type[Any], type[Any]]] = {
    alter_configs.AlterConfigsRequest: alter_configs.AlterConfigsResourceResponse,
    incremental_alter_configs.IncrementalAlterConfigsRequest: (
        incremental_alter_configs.AlterConfigsResourceResponse
    ),
}
Decided = Mapping[int, KafkaError | None]
"""By a resource's position in the request: this node's result; None for success."""


def authorize(context: Context, operation: Operation, kind: int, name: str) -> None:
    """Raise KafkaError unless the client may describe, or alter, the settings of a resource."""
    if kind == TOPIC_RESOURCE:
        context.require(operation, ResourceType.TOPIC, name)
    elif kind == GROUP_RESOURCE:
        context.require(operation, ResourceType.GROUP, name)
    else:
        context.require_cluster(operation)


def check_own_configs(
    node: Node, resource: ConfigResource, wanted: Wanted, *, as_broker: bool
) -> None:
    """Raise KafkaError unless this node, or every broker, may have these settings.

    A controller that is asked at its own listener decides for every node, and validates its own
    certificates; it does not know the files of the others.
    """
    if resource.type != BROKER_RESOURCE:
        return
    if not as_broker:
        if resource.name == str(node.node_id):
            _check_certificates(node, wanted(node.image.configs.get(resource, {})))
        return
    if resource.name != CLUSTER_DEFAULT:
        check_node_id(node, resource.name, "Unexpected broker id, expected {0} or empty string,")
    entries = wanted(node.image.configs.get(resource, {}))
    cluster_wide = resource.name == CLUSTER_DEFAULT
    validate_broker_configs(node.config, entries, cluster_wide=cluster_wide)
    _check_certificates(node, entries, cluster_wide=cluster_wide)


def _check_certificates(
    node: Node, entries: Mapping[str, str], *, cluster_wide: bool = False
) -> None:
    protocols = {name: each.protocol for name, each in node.listeners.items()}
    wanted_config = would_be(node.config, entries, cluster_wide=cluster_wide)
    check_certificates(protocols, node.config, wanted_config, node.tls_port)


def check_node_id(node: Node, name: str, words: str) -> None:
    """Raise KafkaError INVALID_REQUEST unless a resource's name is this node's id."""
    try:
        found = java_int(name)
    except ValueError:
        said = f"Node id must be an integer, but it is: {name}"
        raise KafkaError(ErrorCode.INVALID_REQUEST, said) from None
    if found != node.node_id:
        said = f"{words.format(node.node_id)} but received {name}"
        raise KafkaError(ErrorCode.INVALID_REQUEST, said)


def schema_of(node: Node) -> SettingsSchema:
    """The known settings of this broker."""
    return SettingsSchema(node.config)


# ---- log levels


def check_levels(node: Node, name: str, alterations: Sequence[Alteration]) -> None:
    """Raise KafkaError unless these changes of this node's log levels are valid."""
    check_names([(each.name, each.value, each.op == Op.DELETE) for each in alterations])
    check_node_id(node, name, "Unexpected node id. Expected {0},")
    for each in alterations:
        if each.op not in (Op.SET, Op.DELETE):
            kind = Op(each.op).name if each.op in tuple(Op) else f"operation {each.op}"
            words = f"{kind} operation is not allowed for the BROKER_LOGGER resource"
            raise KafkaError(ErrorCode.INVALID_REQUEST, words)
        if not logs.exists(each.name):
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"Logger {each.name} does not exist!")
        if each.op == Op.DELETE and each.name == logs.ROOT:
            words = "Removing the log level of the root logger is not allowed"
            raise KafkaError(ErrorCode.INVALID_REQUEST, words)
        if each.op == Op.SET and each.value not in Level.__members__:
            words = (
                f"Cannot set the log level of {each.name} to {each.value} as it is not a supported"
                f" log level. Valid log levels are {', '.join(sorted(Level.__members__))}"
            )
            raise KafkaError(ErrorCode.INVALID_CONFIG, words)


def set_levels(alterations: Sequence[Alteration]) -> None:
    """Apply changes that `check_levels` has accepted."""
    for each in alterations:
        logs.set_level(each.name, Level[each.value or ""] if each.op == Op.SET else None)


# ---- forwarding to the controller


async def through_controller(
    context: Context, request: Any, decided: Decided, decide: Callable[[Any], Awaitable[Any]]
) -> Answer:
    """The answer to a request about resources: this node's results and the controller's.

    `request` is AlterConfigs or IncrementalAlterConfigs; `decide` answers one as the controller. A
    request about which this node decides nothing is forwarded unchanged, and so is its answer.
    """
    left = [each for place, each in enumerate(request.resources) if place not in decided]
    smaller = request
    if decided:
        smaller = type(request)(resources=left, validate_only=request.validate_only)
        pieces = codec.encode_request(
            smaller, context.api_version, context.correlation_id, context.client_id
        )
        context = replace(context, frame=memoryview(_joined(pieces))[_SIZE_BYTES:])
    sent_on = context.node.forward(context) if left or not decided else None
    if sent_on is not None and not decided:
        return await sent_on
    answer = request.RESPONSE()
    try:
        if sent_on is not None:
            frame = _joined(await sent_on)[_SIZE_BYTES:]
            _, answer = codec.decode_response(request.RESPONSE, context.api_version, frame)
        elif left or not decided:
            answer = await decide(smaller)
    except KafkaError as error:
        answer = refusal(smaller, error)
    others = iter(answer.responses)
    answer.responses = [
        outcome(type(request), each, decided[place]) if place in decided else next(others)
        for place, each in enumerate(request.resources)
    ]
    return cast(Response, answer)


def refusal(request: Any, error: KafkaError) -> Any:
    """The answer to a request that failed completely: the error for each resource that it names."""
    answer = request.RESPONSE()
    answer.responses = [outcome(type(request), each, error) for each in request.resources]
    return answer


def outcome(request: type[Any], resource: Any, failure: KafkaError | None) -> Any:
    """The result for one resource of a request of that type."""
    made = _OUTCOMES[request]()
    made.resource_type, made.resource_name = resource.resource_type, resource.resource_name
    if failure is not None:
        made.error_code, made.error_message = int(failure.code), failure.message
    return made


def _joined(pieces: list[Piece]) -> bytes:
    return b"".join(map(bytes_of, pieces))
