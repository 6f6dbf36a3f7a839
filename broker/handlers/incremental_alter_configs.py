"""IncrementalAlterConfigs (key 44): sets, deletes, appends to or subtracts from settings (KIP-339).

The broker with the empty name stands for all brokers. A broker validates the result for its own
settings and changes its log levels (KIP-412); the controller decides the rest, and the metadata log
distributes it to the brokers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from raftka.broker import altering
from raftka.broker.altering import BROKER_LOGGER_RESOURCE
from raftka.broker.request import Context, handles
from raftka.kraft.controller.configs import (
    Alteration,
    alter_incrementally,
    altered,
    repeats,
)
from raftka.kraft.image import ConfigResource
from raftka.model.access import PER_RESOURCE, Operation
from raftka.model.errors import KafkaError
from raftka.net.protocol.messages.incremental_alter_configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from raftka.net.router import Answer

if TYPE_CHECKING:
    from raftka.broker.node import Node

Wishes = Sequence[tuple[ConfigResource, Sequence[Alteration]]]


@handles(
    IncrementalAlterConfigsRequest,
    versions=(0, 1),
    access=PER_RESOURCE,
    forward=True,
    looks_first=True,
    refusal=altering.refusal,
)
async def handle_incremental_alter_configs(
    context: Context, request: IncrementalAlterConfigsRequest
) -> Answer:
    decided = _look(context, _wishes(request), validate_only=request.validate_only)
    decide = partial(_decide, context.node)
    return await altering.through_controller(context, request, decided, decide)


def _look(context: Context, wishes: Wishes, *, validate_only: bool) -> dict[int, KafkaError | None]:
    """The results that this node decides itself, by position in the request."""
    node = context.node
    is_broker = node.listener_kind(context.listener) == "broker"
    decided: dict[int, KafkaError | None] = {}
    schema = altering.schema_of(node)
    repeated = repeats([resource for resource, _ in wishes])
    for place, (resource, alterations) in enumerate(wishes):
        if resource in repeated:
            continue
        try:
            altering.authorize(context, Operation.ALTER_CONFIGS, resource.type, resource.name)
            if resource.type == BROKER_LOGGER_RESOURCE:
                altering.check_levels(node, resource.name, alterations)
                if not validate_only:
                    altering.set_levels(alterations)
                decided[place] = None
            else:
                wanted = partial(altered, schema, resource, alterations)
                altering.check_own_configs(node, resource, wanted, as_broker=is_broker)
        except KafkaError as error:
            decided[place] = error
    return decided


async def _decide(
    node: Node, request: IncrementalAlterConfigsRequest
) -> IncrementalAlterConfigsResponse:
    """Decide as the active controller."""
    controller, wishes = node.controller, _wishes(request)
    answers = await controller.submit(
        lambda image: alter_incrementally(image, controller.rules, controller.schema, wishes),
        validate_only=request.validate_only,
    )
    outcomes = zip(request.resources, answers, strict=True)
    return IncrementalAlterConfigsResponse(
        responses=[
            altering.outcome(type(request), each, failure) for each, (_, failure) in outcomes
        ]
    )


def _wishes(request: IncrementalAlterConfigsRequest) -> Wishes:
    return [
        (
            ConfigResource(each.resource_type, each.resource_name),
            [Alteration(c.name, c.config_operation, c.value) for c in each.configs],
        )
        for each in request.resources
    ]
