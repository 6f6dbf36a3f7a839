"""IncrementalAlterConfigs (key 44): set, delete, append to or subtract from settings (KIP-339).

Of topics and of brokers; the broker with the empty name stands for all of them. Every broker sends
this on to the controller; the setting reaches the brokers by the metadata log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.broker.request import Context, handles
from raftka.kraft.controller.configs import Alteration, Answers, alter_incrementally
from raftka.kraft.image import ConfigResource
from raftka.model.access import PER_RESOURCE
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

if TYPE_CHECKING:
    pass


@handles(IncrementalAlterConfigsRequest, versions=(0, 1), access=PER_RESOURCE, forward=True)
async def handle_incremental_alter_configs(
    context: Context, request: IncrementalAlterConfigsRequest
) -> IncrementalAlterConfigsResponse:
    node = context.node
    controller = node.controller
    resources = [_resource(each) for each in request.resources]
    answers: Answers
    wishes = [
        (resource, [_alteration(config) for config in each.configs])
        for resource, each in zip(resources, request.resources, strict=True)
    ]
    try:
        answers = await controller.submit(
            lambda image: alter_incrementally(image, controller.rules, controller.schema, wishes),
            validate_only=request.validate_only,
        )
    except KafkaError as error:
        answers = [(resource, error) for resource in resources]
    return IncrementalAlterConfigsResponse(
        responses=[
            AlterConfigsResourceResponse(
                error_code=int(ErrorCode.NONE if failure is None else failure.code),
                error_message=None if failure is None else failure.message,
                resource_type=resource.type,
                resource_name=resource.name,
            )
            for resource, failure in answers
        ]
    )


def _resource(resource: AlterConfigsResource) -> ConfigResource:
    return ConfigResource(resource.resource_type, resource.resource_name)


def _alteration(config: AlterableConfig) -> Alteration:
    return Alteration(config.name, config.config_operation, config.value)
