"""The contents of running nodes' flight recorders, fetched from addresses that the caller names.

Each node, broker or controller, is asked at exactly that address: the cluster's layout plays no
role, and a silent node delays no other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import trio

from raftka.client.admin.outcomes import raise_for
from raftka.client.config import admin_config
from raftka.client.connections import Connections
from raftka.client.security import secured
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import Endpoint
from raftka.model.ports import BrokenConnection, Clock, Dice, Network
from raftka.net.channel import Channel
from raftka.net.clock import system_clock, system_dice
from raftka.net.protocol.messages.describe_cluster import (
    DescribeClusterRequest,
    DescribeClusterResponse,
    RecorderAfter,
    RecorderPart,
)
from raftka.net.transport import TcpNetwork

PATIENCE_S: Final = 10.0
"""The timeout for all answers of one node."""
_BROKERS, _CONTROLLERS = 1, 2
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RecorderContent:
    """The slots of one node's recorder: numbers, and JSON as the node wrote it."""

    node_id: int
    events: list[tuple[int, bytes]] = field(default_factory=list)
    samples: list[tuple[int, bytes]] = field(default_factory=list)


async def recorder_contents(
    config: Mapping[str, object], endpoints: Iterable[Endpoint], **options: Any
) -> dict[Endpoint, RecorderContent | str]:
    """The recorders of these nodes, as for `ask_each`."""
    return await ask_each(config, endpoints, _content, **options)


async def ask_each(
    config: Mapping[str, object],
    endpoints: Iterable[Endpoint],
    work: Callable[[Channel, float], Awaitable[T]],
    *,
    network: Network | None = None,
    clock: Clock | None = None,
    dice: Dice | None = None,
    patience_s: float = PATIENCE_S,
) -> dict[Endpoint, T | str]:
    """Ask all nodes at once; returns each one's answer, or why there is none. `config`: Kafka's
    admin client settings. Raises ConfigError.
    """
    clock, dice = clock or system_clock(), dice or system_dice()
    settings = admin_config(config)
    asked = list(dict.fromkeys(endpoints))
    found: dict[Endpoint, T | str] = {}
    network = secured(settings, network or TcpNetwork(), clock, dice)
    async with trio.open_nursery() as nursery:
        connections = Connections(nursery, settings, network, clock, dice)

        async def ask(endpoint: Endpoint) -> None:
            found[endpoint] = f"{endpoint} did not answer within {patience_s:g} s"
            with clock.within(patience_s):
                try:
                    channel = await connections.channel(endpoint)
                    found[endpoint] = await work(channel, patience_s)
                except (BrokenConnection, KafkaError) as error:
                    found[endpoint] = _words(endpoint, error)

        async with trio.open_nursery() as asking:
            for endpoint in asked:
                asking.start_soon(ask, endpoint)
        connections.close()
        nursery.cancel_scope.cancel()
    return {endpoint: found[endpoint] for endpoint in asked}


def _words(endpoint: Endpoint, error: BrokenConnection | KafkaError) -> str:
    words = error.message if isinstance(error, KafkaError) else str(error)
    return words if str(endpoint) in words else f"{endpoint}: {words}"


async def _content(channel: Channel, patience_s: float) -> RecorderContent:
    """Everything that the node has recorded: the rings as of the first answer. Raises KafkaError,
    BrokenConnection.
    """
    first = await _part(channel, RecorderAfter(), patience_s)
    content = RecorderContent(first.node_id)
    newest, part = first, first
    while True:
        content.events.extend((each.number, bytes(each.content)) for each in part.events)
        content.samples.extend((each.number, bytes(each.content)) for each in part.samples)
        if not part.events and not part.samples:
            return content
        after = RecorderAfter(
            event=content.events[-1][0] if content.events else newest.newest_event,
            sample=content.samples[-1][0] if content.samples else newest.newest_sample,
        )
        if after.event >= newest.newest_event and after.sample >= newest.newest_sample:
            return content
        part = await _part(channel, after, patience_s)


async def _part(channel: Channel, after: RecorderAfter, patience_s: float) -> RecorderPart:
    answer = await describe(channel, DescribeClusterRequest(recorder=[after]), patience_s)
    if not answer.recorder:
        raise KafkaError(
            ErrorCode.UNSUPPORTED_VERSION,
            f"{channel.peer} keeps no flight recorder that can be asked for: it is no raftka"
            " (Apache Kafka has none), or one of a version before `raftka trace HOST:PORT`; on its"
            " own machine a node is named by its log directory",
        )
    part = answer.recorder[0]
    raise_for(part.error_code, part.error_message)
    return part


async def describe(
    channel: Channel, request: DescribeClusterRequest, patience_s: float
) -> DescribeClusterResponse:
    """The answer of a node, broker or controller. Raises KafkaError, BrokenConnection."""
    version = channel.version_for(DescribeClusterRequest)
    answer = None
    for kind in (_BROKERS, _CONTROLLERS):
        request.endpoint_type = kind
        answer = await channel.request(request, version, patience_s)
        if answer.error_code != ErrorCode.MISMATCHED_ENDPOINT_TYPE:
            break
    assert answer is not None
    raise_for(answer.error_code, answer.error_message)
    return answer
