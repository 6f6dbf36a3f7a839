"""DescribeConfigs (key 32): settings of topics, groups and brokers, and the source of each value.

Any broker answers for topics and groups; only a broker itself knows its own file. KIP-226: dynamic
settings and synonyms. KIP-569 (version 3): types and documentation.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from raftka.broker import altering
from raftka.broker.altering import BROKER_LOGGER_RESOURCE, check_node_id
from raftka.broker.request import Context, handles
from raftka.kraft.controller.topics import check_name
from raftka.kraft.image import (
    BROKER_RESOURCE,
    CLIENT_METRICS_RESOURCE,
    GROUP_RESOURCE,
    TOPIC_RESOURCE,
    ConfigResource,
)
from raftka.model.access import PER_RESOURCE, Operation
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.settings.describe import (
    Description,
    describe_broker,
    describe_broker_defaults,
    describe_client_metrics,
    describe_group,
    describe_loggers,
    describe_topic,
)
from raftka.net.protocol.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)

if TYPE_CHECKING:
    from raftka.broker.node import Node


@handles(DescribeConfigsRequest, versions=(1, 4), access=PER_RESOURCE, listeners="both")
def describe_configs(context: Context, request: DescribeConfigsRequest) -> DescribeConfigsResponse:
    results = []
    for resource in request.resources:
        result = DescribeConfigsResult(
            resource_type=resource.resource_type, resource_name=resource.resource_name
        )
        try:
            altering.authorize(
                context, Operation.DESCRIBE_CONFIGS, resource.resource_type, resource.resource_name
            )
            found = _describe(context.node, resource)
        except KafkaError as error:
            result.error_code, result.error_message = int(error.code), error.message
        else:
            result.configs = [
                _answer(each, request.include_synonyms, request.include_documentation)
                for each in found
            ]
        results.append(result)
    return DescribeConfigsResponse(results=results)


def _describe(node: Node, resource: DescribeConfigsResource) -> list[Description]:
    name = resource.resource_name
    # An empty list stands for all of them, as null does.
    names: Collection[str] | None = resource.configuration_keys or None
    if resource.resource_type == TOPIC_RESOURCE:
        check_name(name)
        if name not in node.image.topics:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return describe_topic(node.config, node.image.topic_config(name), names)
    if resource.resource_type == BROKER_RESOURCE:
        if not name:
            return describe_broker_defaults(node.image.broker_config(None), names)
        check_node_id(node, name, "Unexpected broker id, expected {0} or empty string,")
        return describe_broker(node.config, names)
    if resource.resource_type == GROUP_RESOURCE:
        if not name:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Group name must not be empty")
        # A group has settings even if it does not exist.
        own = node.image.configs.get(ConfigResource(GROUP_RESOURCE, name), {})
        return describe_group(node.config, own, names)
    if resource.resource_type == CLIENT_METRICS_RESOURCE:
        if not name:
            words = "Client metrics subscription name must not be empty"
            raise KafkaError(ErrorCode.INVALID_REQUEST, words)
        own = node.image.configs.get(ConfigResource(CLIENT_METRICS_RESOURCE, name), {})
        return describe_client_metrics(own, names)
    if resource.resource_type == BROKER_LOGGER_RESOURCE:
        check_node_id(node, name, "Unexpected node id. Expected {0},")
        return describe_loggers(names)
    raise KafkaError(
        ErrorCode.INVALID_REQUEST, f"resources of type {resource.resource_type} have no settings"
    )


def _answer(
    each: Description, synonyms: bool, documentation: bool
) -> DescribeConfigsResourceResult:
    return DescribeConfigsResourceResult(
        name=each.name,
        value=each.value,
        read_only=each.read_only,
        config_source=int(each.source),
        is_sensitive=each.sensitive,
        synonyms=(
            [
                DescribeConfigsSynonym(name=s.name, value=s.value, source=int(s.source))
                for s in each.synonyms
            ]
            if synonyms
            else []
        ),
        config_type=int(each.type),
        documentation=each.documentation if documentation else None,
    )
