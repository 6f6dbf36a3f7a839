"""ShareFetch (key 78): acquires records for a member of a share group (KIP-932).

The member's acknowledgements are applied first. Then it is answered as soon as min_bytes are
available, or something is urgent, otherwise after max_wait; records are acquired when the answer is
built, so that their lock starts when they are sent. Version notes: 2 has an acquire mode that
splits batches at max_records (KIP-1206), and renewals, which fetch nothing (KIP-1222).
"""

from __future__ import annotations

from raftka.broker.request import Context, handles
from raftka.broker.share import requests
from raftka.broker.share.acknowledging import Acknowledging, read_batches
from raftka.broker.share.fetching import ShareFetching
from raftka.broker.share.key import SharePartitionKey
from raftka.broker.share.sessions import FINAL_EPOCH, INITIAL_EPOCH, ShareSession
from raftka.broker.share.terms import Acknowledged
from raftka.model.access import PER_RESOURCE
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.share_fetch import AcknowledgementBatch, ShareFetchRequest
from raftka.net.router import Pending


@handles(ShareFetchRequest, versions=(1, 2), access=PER_RESOURCE)
def share_fetch(context: Context, request: ShareFetchRequest) -> Pending:
    group_id, member_id = requests.check(context, request.group_id, request.member_id)
    _check(request)
    session, wanted = _session(context, request, group_id, member_id)
    said: dict[SharePartitionKey, list[Acknowledged]] = {}
    refused: dict[SharePartitionKey, KafkaError] = {}
    for key, batches in wanted.items():
        if batches:
            try:
                requests.check_topic(context, key)
                said[key] = read_batches(batches, renews=request.is_renew_ack)
            except KafkaError as error:
                refused[key] = error
    share = context.node.share
    fetching = ShareFetching(context, request, session)
    now_s = context.node.clock.monotonic()
    Acknowledging(share.partitions, member_id, now_s, refused, fetching.begin).start(said)
    if request.share_session_epoch == FINAL_EPOCH:
        share.end(session)
    return fetching.pending


def _check(request: ShareFetchRequest) -> None:
    """Raises KafkaError INVALID_REQUEST for contradictory fields."""
    if request.is_renew_ack and any(
        (request.max_wait, request.min_bytes, request.max_bytes, request.max_records)
    ):
        raise KafkaError(
            ErrorCode.INVALID_REQUEST, "a request that renews fetches nothing: its limits must be 0"
        )
    if request.share_session_epoch == INITIAL_EPOCH and any(
        each.acknowledgement_batches for topic in request.topics for each in topic.partitions
    ):
        raise KafkaError(
            ErrorCode.INVALID_REQUEST, "a request that begins a share session acknowledges nothing"
        )


def _session(
    context: Context, request: ShareFetchRequest, group_id: str, member_id: str
) -> tuple[ShareSession, dict[SharePartitionKey, list[AcknowledgementBatch]]]:
    """The request's session, and its partitions with their acknowledgements. Raises KafkaError."""
    share = context.node.share
    epoch = request.share_session_epoch
    if epoch == INITIAL_EPOCH:
        session = share.begin(group_id, member_id)
        context.session.on_close.append(lambda: share.end(session))
    else:
        session = share.sessions.resume(group_id, member_id, epoch)
    wanted = {
        SharePartitionKey(
            group_id, bytes(topic.topic_id), each.partition_index
        ): each.acknowledgement_batches
        for topic in request.topics
        for each in topic.partitions
    }
    if epoch != FINAL_EPOCH:
        session.partitions |= dict.fromkeys(wanted)
        for topic in request.forgotten_topics_data:
            for index in topic.partitions:
                session.partitions.pop(
                    SharePartitionKey(group_id, bytes(topic.topic_id), index), None
                )
    return session, wanted
