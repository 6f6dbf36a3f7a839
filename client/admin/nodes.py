"""The cluster's nodes: brokers, the metadata quorum and its voters, and each one's API versions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from raftka.client.admin.calls import Calls
from raftka.client.admin.outcomes import raise_for
from raftka.client.metadata import Broker
from raftka.model.errors import KafkaError
from raftka.model.ids import Endpoint
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.messages.add_raft_voter import AddRaftVoterRequest, Listener
from raftka.net.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from raftka.net.protocol.messages.describe_cluster import DescribeClusterRequest
from raftka.net.protocol.messages.describe_quorum import (
    DescribeQuorumRequest,
    ReplicaState,
    RequestPartitionData,
    RequestTopicData,
)
from raftka.net.protocol.messages.remove_raft_voter import RemoveRaftVoterRequest
from raftka.net.protocol.messages.unregister_broker import UnregisterBrokerRequest

_METADATA_TOPIC = "__cluster_metadata"
BROKERS = 1
CONTROLLERS = 2


@dataclass(frozen=True, slots=True)
class Node(Broker):
    """A broker or controller; a fenced broker serves no client."""

    fenced: bool = False


@dataclass(frozen=True, slots=True)
class ClusterDescription:
    """The cluster as one node sees it; `controller_id` is -1 where none is known."""

    cluster_id: str
    controller_id: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class QuorumReplica:
    """A voter or observer of the metadata log; times in ms since 1970, -1 where unknown."""

    id: int
    directory_id: bytes
    log_end_offset: int
    last_fetch_ms: int
    last_caught_up_ms: int


@dataclass(frozen=True, slots=True)
class QuorumInfo:
    """The quorum as its leader sees it (KIP-595); offsets are of the metadata log."""

    leader_id: int
    leader_epoch: int
    high_watermark: int
    voters: tuple[QuorumReplica, ...]
    observers: tuple[QuorumReplica, ...]
    endpoints: dict[int, dict[str, Endpoint]]
    """Endpoints by node id and listener name."""


async def describe_cluster(
    admin: Calls, *, controllers: bool = False, include_fenced: bool = False
) -> ClusterDescription:
    """The cluster's id, its controller, and its brokers or controllers."""
    answer = await admin.ask(
        DescribeClusterRequest(
            endpoint_type=CONTROLLERS if controllers else BROKERS,
            include_fenced_brokers=include_fenced,
        )
    )
    raise_for(answer.error_code, answer.error_message)
    nodes = [Node(b.broker_id, b.host, b.port, b.rack, b.is_fenced) for b in answer.brokers]
    return ClusterDescription(
        answer.cluster_id,
        answer.controller_id,
        tuple(sorted(nodes, key=lambda node: node.id)),
    )


async def describe_quorum(admin: Calls) -> QuorumInfo:
    """Leader, voters and observers of the metadata log."""
    answer = await admin.ask(
        DescribeQuorumRequest(
            topics=[
                RequestTopicData(
                    topic_name=_METADATA_TOPIC,
                    partitions=[RequestPartitionData(partition_index=0)],
                )
            ]
        )
    )
    raise_for(answer.error_code, answer.error_message)
    part = answer.topics[0].partitions[0]
    raise_for(part.error_code, part.error_message)
    return QuorumInfo(
        part.leader_id,
        part.leader_epoch,
        part.high_watermark,
        _replicas(part.current_voters),
        _replicas(part.observers),
        {
            node.node_id: {
                listener.name: Endpoint(listener.host, listener.port) for listener in node.listeners
            }
            for node in answer.nodes
        },
    )


async def add_raft_voter(
    admin: Calls,
    voter_id: int,
    directory_id: bytes,
    endpoints: dict[str, Endpoint],
    *,
    cluster_id: str | None = None,
) -> None:
    """Make a controller a voter (KIP-853). `endpoints` by listener name."""
    answer = await admin.ask(
        AddRaftVoterRequest(
            cluster_id=cluster_id,
            timeout=admin.timeout_ms,
            voter_id=voter_id,
            voter_directory_id=directory_id,
            listeners=[
                Listener(name=name, host=endpoint.host, port=endpoint.port)
                for name, endpoint in endpoints.items()
            ],
        )
    )
    raise_for(answer.error_code, answer.error_message)


async def remove_raft_voter(
    admin: Calls, voter_id: int, directory_id: bytes, *, cluster_id: str | None = None
) -> None:
    """Remove a voter from the quorum (KIP-853)."""
    answer = await admin.ask(
        RemoveRaftVoterRequest(
            cluster_id=cluster_id, voter_id=voter_id, voter_directory_id=directory_id
        )
    )
    raise_for(answer.error_code, answer.error_message)


async def unregister_broker(admin: Calls, broker_id: int) -> None:
    """Remove the registration of a broker that will not come back."""
    answer = await admin.ask(UnregisterBrokerRequest(broker_id=broker_id))
    raise_for(answer.error_code, answer.error_message)


async def api_versions(admin: Calls, broker_id: int) -> ApiVersionsResponse:
    """The API versions that one broker reports."""
    answer = await admin.ask_broker(
        broker_id,
        ApiVersionsRequest(client_software_name="raftka", client_software_version="1"),
    )
    raise_for(answer.error_code)
    return answer


async def all_api_versions(admin: Calls) -> dict[Broker, ApiVersionsResponse | str]:
    """The API versions of each broker, or the error that explains why it did not answer."""
    nodes = await admin.retrying(admin.know_brokers)
    found: dict[Broker, ApiVersionsResponse | str] = {}
    for node in nodes:
        broker = admin.cluster.view.brokers[node]
        try:
            await admin.cluster.channel_to(node)
            found[broker] = await api_versions(admin, node)
        except (BrokenConnection, KafkaError) as error:
            found[broker] = str(error)
    return found


def _replicas(item: Iterable[ReplicaState]) -> tuple[QuorumReplica, ...]:
    return tuple(
        QuorumReplica(
            replica.replica_id,
            replica.replica_directory_id,
            replica.log_end_offset,
            replica.last_fetch_timestamp,
            replica.last_caught_up_timestamp,
        )
        for replica in item
    )
