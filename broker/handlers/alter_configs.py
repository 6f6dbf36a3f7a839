"""AlterConfigs (key 33): give a resource exactly these settings and no others (KIP-133).

Old clients use it; IncrementalAlterConfigs took its place, since this one loses what somebody else
has just set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.broker.request import Context, handles
from raftka.kraft.controller.configs import Answers, replace_all
from raftka.kraft.image import ConfigResource
from raftka.model.access import PER_RESOURCE
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)

if TYPE_CHECKING:
    pass


@handles(AlterConfigsRequest, versions=(0, 2), access=PER_RESOURCE, forward=True)
async def handle_alter_configs(
    context: Context, request: AlterConfigsRequest
) -> AlterConfigsResponse:
    node = context.node
    controller = node.controller
    wishes = [
        (
            ConfigResource(each.resource_type, each.resource_name),
            [(config.name, config.value) for config in each.configs],
        )
        for each in request.resources
    ]
    answers: Answers
    try:
        answers = await controller.submit(
            lambda image: replace_all(image, controller.rules, controller.schema, wishes),
            validate_only=request.validate_only,
        )
    except KafkaError as error:
        answers = [(resource, error) for resource, _ in wishes]
    return AlterConfigsResponse(
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
