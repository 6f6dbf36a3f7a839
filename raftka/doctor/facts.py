"""The facts about a cluster, gathered through the admin client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import trio

from raftka.client.admin import Admin
from raftka.client.admin.configs import Resource, ResourceType
from raftka.client.admin.nodes import Node, QuorumInfo
from raftka.client.admin.partitions import LogDirDescription
from raftka.client.admin.topics import TopicDescription
from raftka.doctor.clients import Clients
from raftka.doctor.clients import gather as gather_clients
from raftka.model.errors import KafkaError
from raftka.model.ports import BrokenConnection

_CONNECT_S = 3.0


@dataclass
class Facts:
    """A cluster at one time."""

    brokers: tuple[Node, ...]
    """All registered brokers, fenced ones included."""
    quorum: QuorumInfo | None
    """None while no controller is active."""
    topics: Mapping[str, TopicDescription]
    min_isr: Mapping[str, int]
    """min.insync.replicas by topic."""
    log_dirs: Mapping[int, list[LogDirDescription]]
    unreachable: Mapping[int, str] = field(default_factory=dict)
    """Brokers that cannot be reached where they are advertised, and why."""
    no_quorum: str = ""
    """Why there is no `quorum`."""
    versions: Mapping[int, Mapping[int, tuple[int, int]]] = field(default_factory=dict)
    """The versions that each broker speaks, by broker and API key."""
    clients: Clients = field(default_factory=Clients)
    """The versions that clients of the brokers use."""
    now_ms: int = 0
    """The time by the asking machine's clock."""


async def gather(admin: Admin, now_ms: int) -> Facts:
    """Ask the cluster. Raises KafkaError and BrokenConnection when no broker of it answers."""
    described = await admin.describe_cluster(include_fenced=True)
    alive = [node for node in described.nodes if not node.fenced]
    unreachable = await _unreachable(alive)
    reachable = [node.id for node in alive if node.id not in unreachable]
    topics = await admin.describe_topics(await admin.list_topics())
    configs = await admin.describe_configs(
        [Resource(ResourceType.TOPIC, name) for name in topics], names=["min.insync.replicas"]
    )
    min_isr = {
        resource.name: int(entries["min.insync.replicas"].value or 1)
        for resource, entries in configs.items()
    }
    log_dirs: dict[int, list[LogDirDescription]] = {}
    versions: dict[int, dict[int, tuple[int, int]]] = {}
    for broker_id in reachable:
        try:
            log_dirs |= await admin.describe_log_dirs([broker_id])
            spoken = await admin.api_versions(broker_id)
        except (BrokenConnection, KafkaError) as error:
            unreachable[broker_id] = str(error)
        else:
            versions[broker_id] = {
                each.api_key: (each.min_version, each.max_version) for each in spoken.api_keys
            }
    quorum, no_quorum = None, ""
    try:
        quorum = await admin.describe_quorum()
    except (BrokenConnection, KafkaError) as error:
        no_quorum = error.message if isinstance(error, KafkaError) else str(error)
    return Facts(
        brokers=described.nodes,
        quorum=quorum,
        no_quorum=no_quorum,
        topics=topics,
        min_isr=min_isr,
        log_dirs=log_dirs,
        unreachable=unreachable,
        versions=versions,
        clients=await gather_clients(admin, [each for each in alive if each.id in versions]),
        now_ms=now_ms,
    )


async def _unreachable(brokers: list[Node]) -> dict[int, str]:
    """The brokers whose advertised address this machine cannot reach."""
    found: dict[int, str] = {}

    async def knock(broker: Node) -> None:
        try:
            with trio.fail_after(_CONNECT_S):
                stream = await trio.open_tcp_stream(broker.host, broker.port)
                await stream.aclose()
        except trio.TooSlowError:
            found[broker.id] = f"no answer within {_CONNECT_S:g} s"
        except OSError as error:
            found[broker.id] = _why(error)

    async with trio.open_nursery() as nursery:
        for broker in brokers:
            nursery.start_soon(knock, broker)
    return found


def _why(error: OSError) -> str:
    """Why a connection failed: trio has the error of each address as its cause."""
    cause = error.__cause__
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    if isinstance(cause, OSError):
        error = cause
    return error.strerror or str(error)
