"""ElectLeaders (key 43): elects the preferred leader (type 0), or any live replica (type 1,
unclean).

Version notes: 0 knows only preferred elections (KIP-183), 1 brought the type (KIP-460). With a null
list (all partitions), the answer has only partitions that needed an election.
"""

from __future__ import annotations

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

_TYPES = {0: Election.PREFERRED, 1: Election.UNCLEAN}


def refusal(request: ElectLeadersRequest, error: KafkaError) -> ElectLeadersResponse:
    """Repeat an error of the whole request for each partition: version 0 has no field for it."""
    named = ((each.topic, each.partitions) for each in request.topic_partitions or ())
    return ElectLeadersResponse(
        error_code=int(error.code),
        replica_election_results=[
            ReplicaElectionResult(
                topic=topic, partition_result=[_result(index, error) for index in partitions]
            )
            for topic, partitions in named
        ],
    )


@handles(
    ElectLeadersRequest,
    versions=(0, 2),
    access=Cluster.ALTER,
    forward=True,
    refusal=refusal,
)
async def handle_elect_leaders(
    context: Context, request: ElectLeadersRequest
) -> ElectLeadersResponse:
    node = context.node
    controller = node.controller
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
    topics: dict[str, list[PartitionResult]] = {}
    for which, failure in outcomes:
        topics.setdefault(which.topic, []).append(_result(which.partition, failure))
    return ElectLeadersResponse(
        replica_election_results=[
            ReplicaElectionResult(topic=topic, partition_result=results)
            for topic, results in topics.items()
        ]
    )


def _result(index: int, failure: KafkaError | None) -> PartitionResult:
    return PartitionResult(
        partition_id=index,
        error_code=int(ErrorCode.NONE if failure is None else failure.code),
        error_message=None if failure is None else failure.message,
    )
