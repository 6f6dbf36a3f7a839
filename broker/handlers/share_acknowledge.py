"""ShareAcknowledge (key 79): a member acknowledges records that it has acquired (KIP-932).

It is answered when the share coordinator has the acknowledgements. With the final epoch the
member's session ends, and its remaining records are released. Version notes: 2 can renew
acquisitions (KIP-1222), and its answer has the lock duration.
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.broker.share import requests
from raftka.broker.share.acknowledging import Acknowledging, read_batches
from raftka.broker.share.key import SharePartitionKey
from raftka.broker.share.sessions import FINAL_EPOCH, INITIAL_EPOCH, ShareSession
from raftka.broker.share.terms import Acknowledged
from raftka.model.access import PER_RESOURCE
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.share_acknowledge import (
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionData,
    ShareAcknowledgeRequest,
    ShareAcknowledgeResponse,
    ShareAcknowledgeTopicResponse,
)
from raftka.net.router import Pending


@handles(ShareAcknowledgeRequest, versions=(1, 2), access=PER_RESOURCE)
def share_acknowledge(context: Context, request: ShareAcknowledgeRequest) -> Pending:
    group_id, member_id = requests.check(context, request.group_id, request.member_id)
    share = context.node.share
    epoch = request.share_session_epoch
    if epoch == INITIAL_EPOCH:
        raise KafkaError(
            ErrorCode.INVALID_SHARE_SESSION_EPOCH,
            "a share session begins with ShareFetch, not with an acknowledgement",
        )
    session = share.sessions.resume(group_id, member_id, epoch)
    said: dict[SharePartitionKey, list[Acknowledged]] = {}
    refused: dict[SharePartitionKey, KafkaError] = {}
    for topic in request.topics:
        for each in topic.partitions:
            key = SharePartitionKey(group_id, bytes(topic.topic_id), each.partition_index)
            try:
                requests.check_topic(context, key)
                said[key] = read_batches(each.acknowledgement_batches, renews=request.is_renew_ack)
            except KafkaError as error:
                refused[key] = error
    answer = Pending()

    def finished(outcomes: dict[SharePartitionKey, KafkaError | None]) -> None:
        answer.resolve(_response(context, session, outcomes))

    now_s = context.node.clock.monotonic()
    Acknowledging(share.partitions, member_id, now_s, refused, finished).start(said)
    if epoch == FINAL_EPOCH:
        share.end(session)
    return answer


def _response(
    context: Context,
    session: ShareSession,
    outcomes: dict[SharePartitionKey, KafkaError | None],
) -> ShareAcknowledgeResponse:
    settings = context.node.share.partitions.settings(session.group_id)
    response = ShareAcknowledgeResponse(acquisition_lock_timeout=settings.lock_ms)
    topics: dict[bytes, ShareAcknowledgeTopicResponse] = {}
    leaders: list[int] = []
    for key, error in outcomes.items():
        topic = topics.get(key.topic_id)
        if topic is None:
            topic = topics[key.topic_id] = ShareAcknowledgeTopicResponse(topic_id=key.topic_id)
            response.responses.append(topic)
        part = PartitionData(partition_index=key.partition)
        topic.partitions.append(part)
        if error is not None:
            part.error_code, part.error_message = int(error.code), error.message
            leader = requests.leader_of(context, key, error)
            if leader is not None:
                part.current_leader = LeaderIdAndEpoch(leader_id=leader[0], leader_epoch=leader[1])
                leaders.append(leader[0])
    response.node_endpoints = requests.endpoints(context, leaders, NodeEndpoint)
    return response
