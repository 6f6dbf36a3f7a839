"""ElectLeaders (key 43): the preferred leader (type 0), or any live replica (type 1, unclean).

Version notes: 0 knows only preferred elections (KIP-183), 1 brought the type (KIP-460). For all
partitions (a null list) only those are answered where an election was needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raftka.broker.request import Context, handles
from raftka.kraft.controller.election import Election
from raftka.kraft.controller.leaders import elect_leaders
from raftka.model.access import Cluster
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.net.protocol.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)

if TYPE_CHECKING:
    pass

_TYPES = {0: Election.PREFERRED, 1: Election.UNCLEAN}


@handles(ElectLeadersRequest, versions=(0, 2), access=Cluster.ALTER, forward=True)
async def handle_elect_leaders(
    context: Context, request: ElectLeadersRequest
) -> ElectLeadersResponse:
    node = context.node
    controller = node.controller
    try:
        election = _TYPES.get(request.election_type if context.api_version >= 1 else 0)
        if election is None:
            words = f"Election type {request.election_type} is unknown; 0 and 1 are known."
            raise KafkaError(ErrorCode.INVALID_REQUEST, words)
        chosen = election
        wanted = None
        if request.topic_partitions is not None:
            wanted = [
                TopicPartition(each.topic, index)
                for each in request.topic_partitions
                for index in each.partitions
            ]
        outcomes = await controller.submit(
            lambda image: elect_leaders(image, controller.rules, chosen, wanted),
            timeout_ms=request.timeout,
        )
    except KafkaError as error:
        return ElectLeadersResponse(error_code=int(error.code))
    topics: dict[str, list[PartitionResult]] = {}
    for which, failure in outcomes:
        topics.setdefault(which.topic, []).append(
            PartitionResult(
                partition_id=which.partition,
                error_code=int(ErrorCode.NONE if failure is None else failure.code),
                error_message=None if failure is None else failure.message,
            )
        )
    return ElectLeadersResponse(
        replica_election_results=[
            ReplicaElectionResult(topic=topic, partition_result=results)
            for topic, results in topics.items()
        ]
    )
