"""The cluster's nodes: brokers, the metadata quorum and its voters, and each one's API versions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from raftka.client.admin.base import AdminBase
from raftka.client.admin.outcomes import raise_for
from raftka.client.metadata import Broker
from raftka.model.errors import KafkaError
from raftka.model.ids import Endpoint
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.messages import add_raft_voter, describe_quorum
from raftka.net.protocol.messages.add_raft_voter import AddRaftVoterRequest
from raftka.net.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from raftka.net.protocol.messages.describe_cluster import DescribeClusterRequest
from raftka.net.protocol.messages.describe_quorum import DescribeQuorumRequest
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
    """By node id and listener name."""


class NodeOperations(AdminBase):
    """See the module."""

    async def describe_cluster(
        self, *, controllers: bool = False, include_fenced: bool = False
    ) -> ClusterDescription:
        """The cluster's id, its controller, and its brokers or controllers."""
        answer = await self._ask(
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

    async def describe_quorum(self) -> QuorumInfo:
        """Leader, voters and observers of the metadata log."""
        answer = await self._ask(
            DescribeQuorumRequest(
                topics=[
                    describe_quorum.RequestTopicData(
                        topic_name=_METADATA_TOPIC,
                        partitions=[describe_quorum.RequestPartitionData(partition_index=0)],
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
                    listener.name: Endpoint(listener.host, listener.port)
                    for listener in node.listeners
                }
                for node in answer.nodes
            },
        )

    async def add_raft_voter(
        self,
        voter_id: int,
        directory_id: bytes,
        endpoints: dict[str, Endpoint],
        *,
        cluster_id: str | None = None,
    ) -> None:
        """Make a controller a voter (KIP-853). `endpoints` by listener name."""
        answer = await self._ask(
            AddRaftVoterRequest(
                cluster_id=cluster_id,
                timeout=self._timeout_ms,
                voter_id=voter_id,
                voter_directory_id=directory_id,
                listeners=[
                    add_raft_voter.Listener(name=name, host=endpoint.host, port=endpoint.port)
                    for name, endpoint in endpoints.items()
                ],
            )
        )
        raise_for(answer.error_code, answer.error_message)

    async def remove_raft_voter(
        self, voter_id: int, directory_id: bytes, *, cluster_id: str | None = None
    ) -> None:
        """Remove a voter from the quorum (KIP-853)."""
        answer = await self._ask(
            RemoveRaftVoterRequest(
                cluster_id=cluster_id, voter_id=voter_id, voter_directory_id=directory_id
            )
        )
        raise_for(answer.error_code, answer.error_message)

    async def unregister_broker(self, broker_id: int) -> None:
        """Remove the registration of a broker that will not come back."""
        answer = await self._ask(UnregisterBrokerRequest(broker_id=broker_id))
        raise_for(answer.error_code, answer.error_message)

    async def api_versions(self, broker_id: int) -> ApiVersionsResponse:
        """The API versions that one broker reports."""
        answer = await self._ask_broker(
            broker_id,
            ApiVersionsRequest(client_software_name="raftka", client_software_version="1"),
        )
        raise_for(answer.error_code)
        return answer

    async def all_api_versions(self) -> dict[Broker, ApiVersionsResponse | str]:
        """The API versions of each broker, or why it did not answer."""
        nodes = await self._retrying(self._know_brokers)
        found: dict[Broker, ApiVersionsResponse | str] = {}
        for node in nodes:
            broker = self._cluster.view.brokers[node]
            try:
                await self._cluster.channel_to(node)
                found[broker] = await self.api_versions(node)
            except (BrokenConnection, KafkaError) as error:
                found[broker] = str(error)
        return found


def _replicas(told: Iterable[describe_quorum.ReplicaState]) -> tuple[QuorumReplica, ...]:
    return tuple(
        QuorumReplica(
            replica.replica_id,
            replica.replica_directory_id,
            replica.log_end_offset,
            replica.last_fetch_timestamp,
            replica.last_caught_up_timestamp,
        )
        for replica in told
    )
