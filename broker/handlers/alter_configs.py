"""AlterConfigs (key 33): replaces all overrides of a resource (KIP-133).

Old clients use it; IncrementalAlterConfigs replaced it, since this one loses concurrent changes of
other clients. A broker first validates the result for its own settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from raftka.broker import altering
from raftka.broker.request import Context, handles
from raftka.kraft.controller.configs import repeats, replace_all, replaced
from raftka.kraft.image import ConfigResource
from raftka.model.access import PER_RESOURCE, Operation
from raftka.model.errors import KafkaError
from raftka.net.protocol.messages.alter_configs import AlterConfigsRequest, AlterConfigsResponse
from raftka.net.router import Answer

if TYPE_CHECKING:
    from raftka.broker.node import Node

Wishes = Sequence[tuple[ConfigResource, Sequence[tuple[str, str | None]]]]


@handles(
    AlterConfigsRequest,
    versions=(0, 2),
    access=PER_RESOURCE,
    forward=True,
    looks_first=True,
    refusal=altering.refusal,
)
async def handle_alter_configs(context: Context, request: AlterConfigsRequest) -> Answer:
    decided = _look(context, _wishes(request))
    decide = partial(_decide, context.node)
    return await altering.through_controller(context, request, decided, decide)


def _look(context: Context, wishes: Wishes) -> dict[int, KafkaError | None]:
    """The errors that this node finds itself, by position in the request."""
    node = context.node
    is_broker = node.listener_kind(context.listener) == "broker"
    decided: dict[int, KafkaError | None] = {}
    repeated = repeats([resource for resource, _ in wishes])
    for place, (resource, entries) in enumerate(wishes):
        if resource in repeated:
            continue
        try:
            altering.authorize(context, Operation.ALTER_CONFIGS, resource.type, resource.name)
            wanted = partial(replaced, entries)
            altering.check_own_configs(node, resource, wanted, as_broker=is_broker)
        except KafkaError as error:
            decided[place] = error
    return decided


async def _decide(node: Node, request: AlterConfigsRequest) -> AlterConfigsResponse:
    """Decide as the active controller."""
    controller, wishes = node.controller, _wishes(request)
    answers = await controller.submit(
        lambda image: replace_all(image, controller.rules, controller.schema, wishes),
        validate_only=request.validate_only,
    )
    outcomes = zip(request.resources, answers, strict=True)
    return AlterConfigsResponse(
        responses=[
            altering.outcome(type(request), each, failure) for each, (_, failure) in outcomes
        ]
    )


def _wishes(request: AlterConfigsRequest) -> Wishes:
    return [
        (
            ConfigResource(each.resource_type, each.resource_name),
            [(config.name, config.value) for config in each.configs],
        )
        for each in request.resources
    ]
