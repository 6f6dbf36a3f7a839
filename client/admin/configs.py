"""Settings of topics, brokers and groups (KIP-133, KIP-226, KIP-339)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from raftka.client.admin.calls import Calls
from raftka.client.admin.outcomes import checked, error_of, raise_for
from raftka.model.errors import KafkaError
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages import incremental_alter_configs as incremental
from raftka.net.protocol.messages.alter_configs import (
    AlterableConfig,
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResponse,
)
from raftka.net.protocol.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
)
from raftka.net.protocol.messages.incremental_alter_configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from raftka.net.protocol.messages.list_config_resources import ListConfigResourcesRequest

R = TypeVar("R", bound=Response)
Altered = TypeVar("Altered", AlterConfigsResponse, IncrementalAlterConfigsResponse)


class ResourceType(enum.IntEnum):
    """The types of resources with settings, by the numbers of the protocol (KIP-133)."""

    UNKNOWN = 0
    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


class ConfigSource(enum.IntEnum):
    """Where a value comes from; of several, the smallest number wins."""

    UNKNOWN = 0
    DYNAMIC_TOPIC_CONFIG = 1
    DYNAMIC_BROKER_CONFIG = 2
    DYNAMIC_DEFAULT_BROKER_CONFIG = 3
    STATIC_BROKER_CONFIG = 4
    DEFAULT_CONFIG = 5
    DYNAMIC_BROKER_LOGGER_CONFIG = 6
    DYNAMIC_CLIENT_METRICS_CONFIG = 7
    DYNAMIC_GROUP_CONFIG = 8


class AlterOp(enum.IntEnum):
    """The operations on one setting (KIP-339); the last two are for lists."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class Resource(NamedTuple):
    """A resource with settings; the name of a broker is its id, "" stands for all brokers."""

    type: ResourceType
    name: str


@dataclass(frozen=True, slots=True)
class Alteration:
    """One change to one setting; append and subtract are for lists."""

    name: str
    value: str | None = None
    op: AlterOp = AlterOp.SET


class Synonym(NamedTuple):
    """The value that one source gives a setting."""

    name: str
    value: str | None
    source: ConfigSource


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """One setting as a broker describes it; a sensitive value is None."""

    name: str
    value: str | None
    source: ConfigSource
    read_only: bool
    sensitive: bool
    synonyms: tuple[Synonym, ...] = ()
    documentation: str | None = None


Entries = dict[str, ConfigEntry]


async def describe_configs(
    admin: Calls,
    resources: Iterable[Resource],
    *,
    names: Sequence[str] | None = None,
    synonyms: bool = False,
    documentation: bool = False,
) -> dict[Resource, Entries]:
    """All settings of each resource, or those named. Raises SomeFailed."""
    outcomes: dict[Resource, Entries | KafkaError] = {}
    for node, group in _by_broker(resources).items():
        request = DescribeConfigsRequest(
            resources=[
                DescribeConfigsResource(
                    resource_type=resource.type,
                    resource_name=resource.name,
                    configuration_keys=None if names is None else list(names),
                )
                for resource in group
            ],
            include_synonyms=synonyms,
            include_documentation=documentation,
        )
        answer = await _ask_one(admin, node, request)
        for item in answer.results:
            resource = Resource(ResourceType(item.resource_type), item.resource_name)
            outcomes[resource] = error_of(item.error_code, item.error_message) or {
                config.name: _entry(config) for config in item.configs
            }
    return checked(outcomes)


async def incremental_alter_configs(
    admin: Calls,
    changes: Mapping[Resource, Sequence[Alteration]],
    *,
    validate_only: bool = False,
) -> None:
    """Change single settings and leave the others alone. Raises SomeFailed."""

    def altering(group: list[Resource]) -> IncrementalAlterConfigsRequest:
        resources = [
            incremental.AlterConfigsResource(
                resource_type=resource.type,
                resource_name=resource.name,
                configs=[
                    incremental.AlterableConfig(
                        name=change.name, config_operation=change.op, value=change.value
                    )
                    for change in changes[resource]
                ],
            )
            for resource in group
        ]
        return IncrementalAlterConfigsRequest(resources=resources, validate_only=validate_only)

    await _alter(admin, changes, altering)


async def alter_configs(
    admin: Calls, settings: Mapping[Resource, Mapping[str, str]], *, validate_only: bool = False
) -> None:
    """Replace all settings of each resource. Raises SomeFailed."""

    def replacing(group: list[Resource]) -> AlterConfigsRequest:
        resources = [
            AlterConfigsResource(
                resource_type=resource.type,
                resource_name=resource.name,
                configs=[
                    AlterableConfig(name=name, value=value)
                    for name, value in settings[resource].items()
                ],
            )
            for resource in group
        ]
        return AlterConfigsRequest(resources=resources, validate_only=validate_only)

    await _alter(admin, settings, replacing)


async def _ask_one(admin: Calls, node: int | None, request: Request[R]) -> R:
    """Send a request to that broker, or to any."""
    return await (admin.ask(request) if node is None else admin.ask_broker(node, request))


async def _alter(
    admin: Calls,
    resources: Iterable[Resource],
    request_for: Callable[[list[Resource]], Request[Altered]],
) -> None:
    """Send each broker the request about its resources. Raises SomeFailed."""
    outcomes: dict[Resource, KafkaError | None] = {}
    for node, group in _by_broker(resources).items():
        answer = await _ask_one(admin, node, request_for(group))
        for each in answer.responses:
            resource = Resource(ResourceType(each.resource_type), each.resource_name)
            outcomes[resource] = error_of(each.error_code, each.error_message)
    checked(outcomes)


async def list_config_resources(admin: Calls, types: Iterable[ResourceType] = ()) -> list[Resource]:
    """The resources that have settings of their own (KIP-1142)."""
    answer = await admin.ask(ListConfigResourcesRequest(resource_types=list(types)))
    raise_for(answer.error_code)
    return [
        Resource(ResourceType(item.resource_type), item.resource_name)
        for item in answer.config_resources
    ]


def _by_broker(resources: Iterable[Resource]) -> dict[int | None, list[Resource]]:
    """Group by the broker to ask: only a broker knows its own; any answers for the rest (None)."""
    found: dict[int | None, list[Resource]] = {}
    for resource in resources:
        own = resource.type in (ResourceType.BROKER, ResourceType.BROKER_LOGGER) and resource.name
        found.setdefault(int(resource.name) if own else None, []).append(resource)
    return found


def _entry(item: DescribeConfigsResourceResult) -> ConfigEntry:
    return ConfigEntry(
        item.name,
        item.value,
        ConfigSource(max(0, item.config_source)),
        item.read_only,
        item.is_sensitive,
        tuple(Synonym(s.name, s.value, ConfigSource(s.source)) for s in item.synonyms),
        item.documentation,
    )
