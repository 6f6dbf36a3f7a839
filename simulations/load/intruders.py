"""Clients that try forbidden things, at every broker and under every fault.

eve is known and has no ACL, mallory may do everything with topics but write, the stranger does not
log in, and others try a known name with another password, or a certificate of another authority.
Where brokers speak TLS, some connect without it, with an expired certificate, or stop in the middle
of a handshake. Brokers must refuse each request, or close the connection; an answer with error
NONE, or with a topic or a record, is a violation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Final, NamedTuple

import trio

from raftka.client.admin.acls import Acl, AclEntry, ResourcePattern
from raftka.model.access import CLUSTER_NAME, WILDCARD, Operation, Permission, ResourceType
from raftka.model.ports import BrokenConnection, Connection, Network
from raftka.model.records import Record, encode_batch
from raftka.net.channel import Channel
from raftka.net.protocol.message import Request
from raftka.net.protocol.messages import create_acls, incremental_alter_configs
from raftka.net.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from raftka.net.protocol.messages.delete_topics import DeleteTopicsRequest
from raftka.net.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from raftka.net.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from raftka.net.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from raftka.net.protocol.messages.offset_fetch import OffsetFetchRequest
from raftka.net.protocol.messages.produce import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from raftka.simulations.machines import logins
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.life import current_node
from raftka.simulations.machines.machine import BROKER_PORT
from raftka.simulations.machines.tls_records import HANDSHAKE, Writer
from raftka.simulations.world import World

_TIMEOUT_S: Final = 4.0
_PAUSE_S: Final = 1.0
_STOLEN: Final = "stolen"
"""A topic that no principal may create."""

Codes = Callable[[Any], Iterable[int]]


class Try(NamedTuple):
    """A forbidden request."""

    request: Request[Any]
    version: int
    codes: Codes
    """The error codes of an answer, one for each requested item."""


def _metadata(topic: str) -> Try:
    request = MetadataRequest(
        topics=[MetadataRequestTopic(name=topic)], allow_auto_topic_creation=False
    )
    return Try(request, 9, lambda answer: [each.error_code for each in answer.topics])


def _all_topics(_: str) -> Try:
    """No topic may be shown: each counts as an answer NONE."""
    return Try(MetadataRequest(topics=None), 9, lambda answer: [0 for _ in answer.topics] or [-1])


def _produce(topic: str) -> Try:
    batch = encode_batch([Record(0, 1000, None, b"forged", ())])
    data = [PartitionProduceData(index=0, records=batch)]
    topics = [TopicProduceData(name=topic, partition_data=data)]
    return Try(
        ProduceRequest(acks=-1, timeout=2000, topic_data=topics),
        9,
        lambda answer: [
            each.error_code for found in answer.responses for each in found.partition_responses
        ],
    )


def _fetch(topic: str) -> Try:
    partitions = [FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=10_000)]
    return Try(
        FetchRequest(
            max_wait=0,
            min_bytes=0,
            max_bytes=10_000,
            session_epoch=-1,
            topics=[FetchTopic(topic=topic, partitions=partitions)],
        ),
        11,
        lambda answer: [
            0 if each.records else each.error_code
            for found in answer.responses
            for each in found.partitions
        ],
    )


def _list_offsets(topic: str) -> Try:
    partitions = [ListOffsetsPartition(partition_index=0, timestamp=-1)]
    return Try(
        ListOffsetsRequest(
            replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=partitions)]
        ),
        5,
        lambda answer: [each.error_code for found in answer.topics for each in found.partitions],
    )


def _create(_: str) -> Try:
    topics = [CreatableTopic(name=_STOLEN, num_partitions=1, replication_factor=1)]
    return Try(CreateTopicsRequest(topics=topics, timeout=2000), 5, _of_topics)


def _delete(topic: str) -> Try:
    request = DeleteTopicsRequest(topic_names=[topic], timeout=2000)
    return Try(request, 5, lambda answer: [each.error_code for each in answer.responses])


def _of_topics(answer: Any) -> list[int]:
    return [each.error_code for each in answer.topics]


def _alter(topic: str) -> Try:
    config = incremental_alter_configs.AlterableConfig(
        name="retention.ms", config_operation=0, value="1"
    )
    resource = incremental_alter_configs.AlterConfigsResource(
        resource_type=2, resource_name=topic, configs=[config]
    )
    return Try(
        incremental_alter_configs.IncrementalAlterConfigsRequest(resources=[resource]),
        1,
        lambda answer: [each.error_code for each in answer.responses],
    )


def _permit(_: str) -> Try:
    acl = create_acls.AclCreation(
        resource_type=2,
        resource_name="*",
        resource_pattern_type=3,
        principal=f"User:{logins.EVE}",
        host="*",
        operation=2,
        permission_type=3,
    )
    return Try(
        create_acls.CreateAclsRequest(creations=[acl]),
        2,
        lambda answer: [each.error_code for each in answer.results],
    )


def _offsets(_: str) -> Try:
    request = OffsetFetchRequest(group_id="stolen", topics=None)
    return Try(request, 7, lambda answer: [answer.error_code])


_EVES: Final = (
    *(_metadata, _all_topics, _produce, _fetch, _list_offsets),
    *(_create, _delete, _alter, _permit, _offsets),
)


class Intruder(NamedTuple):
    """A client, and what it is not allowed to do."""

    name: str
    tries: tuple[Callable[[str], Try], ...]
    user: str | None = None
    """The user that logs in; None without a login."""
    secret: str | None = None
    """The password that is tried, when it is not the user's."""
    is_late: bool = False
    """Whether the client's certificate has expired."""
    without_tls: bool = False
    half_way: bool = False
    """Whether it sends only the first bytes of a handshake, and waits."""


_ALL: Final = (
    Intruder("eve", _EVES, logins.EVE),
    Intruder("mallory", (_produce,), logins.MALLORY),
    Intruder("stranger", (_metadata, _all_topics, _produce)),
    Intruder("guesser", (_metadata, _fetch), logins.LOAD, "a guess"),
)
_WITH_TLS: Final = (
    Intruder("plain", (_metadata,), without_tls=True),
    Intruder("half", (), half_way=True),
)
_LATE: Final = Intruder("late", (_metadata, _create), logins.NODE, is_late=True)


def intruders(protocol: str) -> tuple[Intruder, ...]:
    """The intruders for brokers that speak `protocol`."""
    late = (_LATE,) if protocol == "SSL" else ()
    return (*_ALL, *(_WITH_TLS if protocol.endswith("SSL") else ()), *late)


async def intrude(world: World, intruder: Intruder) -> None:
    """Try until the run ends."""
    current_node.set(intruder.name)
    dice = Random(f"{world.plan.seed} intruder {intruder.name}")
    topics = [topic.name for topic in world.plan.topics]
    while topics:
        await trio.sleep(dice.expovariate(1 / _PAUSE_S))
        where = dice.choice(world.cluster.brokers).host
        tries = [
            make(dice.choice(topics)) for make in dice.sample(intruder.tries, k=len(intruder.tries))
        ]
        try:
            await _visit(world, intruder, dice, where, tries)
        except* (BrokenConnection, trio.TooSlowError):
            pass  # Refused, or a fault: either is no answer.


async def _visit(
    world: World, intruder: Intruder, dice: Random, where: str, tries: Iterable[Try]
) -> None:
    clock = SimClock()
    network: Network = world.fabric.host(intruder.name)
    if (detail := world.trace.detail) is not None:
        network = detail.network(intruder.name, network)
    protocol = world.cluster.asks_for_logins
    if protocol is not None and not (intruder.without_tls or intruder.half_way):
        shown = None
        if intruder.is_late:
            shown = logins.expired(logins.NODE, clock.wall_ms())
        network = logins.as_user(
            *(network, clock, dice, protocol, intruder.user), secret=intruder.secret, shown=shown
        )
    with trio.fail_after(5 * _TIMEOUT_S):
        connection = await network.connect(where, BROKER_PORT, timeout_s=_TIMEOUT_S)
        if intruder.half_way:
            await _hang(world, dice, connection)
            return
        channel = Channel(connection, intruder.name, clock)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.run)
            try:
                for each in tries:
                    answer = await channel.request(each.request, each.version, _TIMEOUT_S)
                    check(world, intruder, where, each, answer)
            finally:
                channel.close("it has tried everything")
                nursery.cancel_scope.cancel()


async def _hang(world: World, dice: Random, connection: Connection) -> None:
    """Half a handshake; the node closes the connection of a client that does not go on."""
    hello = Writer().record(HANDSHAKE, b'{"kind": "hello", "versions": ["TLSv1.3"], "host": "n1"}')
    try:
        await connection.send([hello[: dice.randrange(1, len(hello))]])
        if not await connection.receive_into(bytearray(1)):
            world.note("intruder refused")
    finally:
        connection.close()


def check(world: World, intruder: Intruder, where: str, tried: Try, answer: Any) -> None:
    """A refusal has an error for each requested item."""
    whole = getattr(answer, "error_code", 0)
    codes = list(tried.codes(answer))
    if whole or (codes and all(codes)):
        world.note("intruder refused")
        return
    name = type(tried.request).__name__
    world.report(
        "denied-but-served",
        f"{intruder.name} asked {where} by {name} version {tried.version} for what it may not do,"
        f" and got {answer}",
    )


def permissions() -> list[Acl]:
    """The ACLs of the users in simulations/machines/logins.py."""
    kinds = (ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID)
    everything = [ResourcePattern(kind, WILDCARD) for kind in kinds]
    everything.append(ResourcePattern(ResourceType.CLUSTER, CLUSTER_NAME))
    topics = everything[0]
    return [
        *(Acl(each, AclEntry(f"User:{logins.LOAD}", Operation.ALL)) for each in everything),
        Acl(topics, AclEntry(f"User:{logins.MALLORY}", Operation.ALL)),
        Acl(
            topics,
            AclEntry(f"User:{logins.MALLORY}", Operation.WRITE, permission=Permission.DENY),
        ),
    ]
