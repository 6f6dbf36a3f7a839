"""Fetch (key 1): read record batches, as a consumer or as a follower.

It is answered as soon as there are min_bytes of records, an error, or something else urgent;
otherwise after the request's max_wait. The first partition with records returns at least one batch,
however small the limits, so that no reader gets stuck (KIP-74).

Version notes: 7 has sessions (KIP-227). 9 fences by leader epoch (KIP-320). 11 lets consumers read
from followers (KIP-392). 12 reports diverging epochs (KIP-595). 13 names topics by id. 15 has the
follower's broker epoch (KIP-903). 16 names the new leader's endpoint (KIP-951).

With isolation level read_committed the answer has records up to the last stable offset and lists
the aborted transactions among them, whose records the consumer skips (KIP-98).
"""

from __future__ import annotations

from functools import partial

from raftka.broker.endpoints import node_endpoints
from raftka.broker.replication.fetch_reader import (
    Fetched,
    FetchLimits,
    count_throttled,
    count_traffic,
)
from raftka.broker.replication.fetch_session import (
    FINAL_EPOCH,
    INITIAL_EPOCH,
    NO_SESSION,
    Feed,
    FetchSession,
)
from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_EPOCH
from raftka.model.isolation import READ_COMMITTED, READ_UNCOMMITTED
from raftka.model.ports import Piece
from raftka.net.protocol.fetch_writer import (
    SINCE_FLEXIBLE,
    FetchedPartition,
    NodeEndpoint,
    write_fetch_response,
)
from raftka.net.protocol.messages.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from raftka.net.protocol.primitives import size_of
from raftka.net.router import Pending


@handles(FetchRequest, versions=(4, 18), access=PER_RESOURCE)
def fetch(context: Context, request: FetchRequest) -> FetchResponse | list[Piece] | Pending:
    node = context.node
    now_s = node.clock.monotonic()
    limits = _limits(context, request)
    if not READ_UNCOMMITTED <= request.isolation_level <= READ_COMMITTED:
        return _refused(request, context.api_version)
    try:
        feed, full = _feed(context, request, limits.replica_id, now_s)
    except KafkaError as error:
        return FetchResponse(error_code=int(error.code))
    if context.authorizer is not None:
        _authorize(context, feed, limits)
    feed.last_fetch_s = now_s
    feed.wants_high_watermark = limits.is_follower and node.fetch_reader.select_replica is not None
    fetched, available, urgent = node.fetch_reader.collect(
        feed, limits, full=full, arrival=True, now_s=now_s
    )
    # A follower needs its session's id for its next request, so it is answered at once.
    urgent = urgent or (full and limits.is_follower and isinstance(feed, FetchSession))
    if urgent or available >= limits.min_bytes or request.max_wait <= 0 or not feed.entries:
        return respond(context, feed, limits, fetched, full)
    return HeldFetch(context, feed, limits, full).hold(now_s + request.max_wait / 1000)


def _refused(request: FetchRequest, version: int) -> FetchResponse:
    """The answer to an unknown isolation level.

    The error is in the whole answer, and until version 12 also in each partition.
    """
    code = int(ErrorCode.UNKNOWN_SERVER_ERROR)
    answer = FetchResponse(error_code=code)
    if version < 13:
        for topic in request.topics:
            partitions = [
                PartitionData(partition_index=each.partition, error_code=code, high_watermark=-1)
                for each in topic.partitions
            ]
            answer.responses.append(
                FetchableTopicResponse(topic=topic.topic, partitions=partitions)
            )
    return answer


def _limits(context: Context, request: FetchRequest) -> FetchLimits:
    version = context.api_version
    if version >= 15:
        replica_id = request.replica_state.replica_id
        broker_epoch = request.replica_state.replica_epoch
    else:
        replica_id, broker_epoch = request.replica_id, -1
    max_bytes = min(request.max_bytes, context.node.fetch_max_bytes)
    if context.metering is not None:
        if replica_id >= 0:
            context.metering.exempt()
        elif (most := context.metering.most_to_fetch()) is not None:
            max_bytes = min(max_bytes, int(most))
    return FetchLimits(
        replica_id=replica_id,
        broker_epoch=broker_epoch,
        min_bytes=min(request.min_bytes, max_bytes),
        max_bytes=max_bytes,
        rack=request.rack_id if version >= 11 else None,
        read_committed=request.isolation_level == READ_COMMITTED,
    )


def _feed(
    context: Context, request: FetchRequest, replica_id: int, now_s: float
) -> tuple[Feed, bool]:
    """The feed of the request, and whether the answer must contain all of it."""
    node = context.node
    by_id = context.api_version >= 13
    sessions = node.fetch_sessions
    epoch, session_id = request.session_epoch, request.session_id
    full = epoch in (INITIAL_EPOCH, FINAL_EPOCH)
    feed: Feed
    if full:
        if session_id != NO_SESSION:
            sessions.remove(session_id)
        size = sum(len(topic.partitions) for topic in request.topics)
        created = (
            sessions.create(replica_id, by_id, size, now_s)
            if epoch == INITIAL_EPOCH and size
            else None
        )
        feed = Feed(replica_id) if created is None else created
        if created is not None and created.privileged:
            # A follower begins a new session with each connection.
            context.session.on_close.append(partial(sessions.remove, created.session_id))
    else:
        feed = sessions.resume(session_id, epoch, by_id)
    for topic in request.topics:
        name: str | bytes = bytes(topic.topic_id) if by_id else topic.topic
        for wanted in topic.partitions:
            entry = feed.entry(name, wanted.partition)
            entry.fetch_offset = wanted.fetch_offset
            entry.max_bytes = wanted.partition_max_bytes
            # Any epoch below 0 skips the check here, as in Kafka; in other APIs only -1 does.
            epoch = wanted.current_leader_epoch
            entry.current_leader_epoch = epoch if epoch >= 0 else NO_EPOCH
            entry.last_fetched_epoch = wanted.last_fetched_epoch
            entry.log_start_offset = wanted.log_start_offset
    for forgotten in request.forgotten_topics_data:
        name = bytes(forgotten.topic_id) if by_id else forgotten.topic
        for index in forgotten.partitions:
            feed.forget(name, index)
    return feed, full


def _authorize(context: Context, feed: Feed, limits: FetchLimits) -> None:
    """Check which partitions the fetcher may read, with each request, since ACLs change."""
    image = context.node.image
    may: dict[str | bytes, bool] = {}
    is_node = limits.is_follower and context.may_with_cluster(Operation.CLUSTER_ACTION)
    for entry in feed.entries.values():
        topic, _ = entry.key
        if topic not in may:
            if limits.is_follower:
                may[topic] = is_node
            elif isinstance(topic, str):
                may[topic] = context.may(Operation.READ, ResourceType.TOPIC, topic)
            else:
                found = image.topic_by_id(topic)
                # An unknown id has its own error in the answer.
                may[topic] = found is None or context.may(
                    Operation.READ, ResourceType.TOPIC, found.name
                )
        if entry.denied == may[topic]:
            entry.denied = not may[topic]
            feed.dirty[entry] = None


def respond(
    context: Context, feed: Feed, limits: FetchLimits, fetched: list[Fetched], full: bool
) -> list[Piece]:
    """The answer's frame, which the session records as sent."""
    node = context.node
    session_id = feed.session_id if isinstance(feed, FetchSession) else NO_SESSION
    names_aborted = limits.read_committed
    topics: dict[str | bytes, list[FetchedPartition]] = {}
    leaders: list[int] = []
    for each in fetched:
        name, index = each.entry.key
        part = FetchedPartition(
            index,
            each.error_code,
            each.high_watermark,
            each.last_stable_offset,
            each.log_start_offset,
            each.pieces,
            each.size,
            each.preferred_read_replica,
            each.aborted if names_aborted and not each.error_code else None,
            each.diverging_epoch,
            each.current_leader,
        )
        parts = topics.get(name)
        if parts is None:
            topics[name] = [part]
        else:
            parts.append(part)
        if each.current_leader is not None:
            leaders.append(each.current_leader[0])
    pieces = write_fetch_response(
        context.api_version,
        context.correlation_id,
        list(topics.items()),
        session_id=session_id,
        endpoints=node_endpoints(node.image, context.listener, leaders, NodeEndpoint)
        if leaders
        else (),
    )
    metering = context.metering
    if metering is not None and not limits.is_follower:
        # Kafka counts the body and the size field, not the header.
        header = 5 if context.api_version >= SINCE_FLEXIBLE else 4
        if not metering.fetched(size_of(pieces) - header):
            return _nothing(context, feed, full)
    if session_id != NO_SESSION:
        node.fetch_reader.answered(feed, fetched, full=full)
    count_traffic(fetched, limits.is_follower)
    if limits.is_follower:
        throttle = node.fetch_reader.throttle
        if throttle is not None and throttle.is_active:
            count_throttled(throttle, fetched, node.clock.monotonic())
    return pieces


def _nothing(context: Context, feed: Feed, full: bool) -> list[Piece]:
    """An empty answer for a throttled consumer; it records nothing as sent.

    If this request began a session, the session ends: the client has not learned its contents.
    """
    session_id = NO_SESSION
    if isinstance(feed, FetchSession):
        if full:
            context.node.fetch_sessions.remove(feed.session_id)
        else:
            session_id = feed.session_id
    return write_fetch_response(
        context.api_version, context.correlation_id, [], session_id=session_id
    )


class HeldFetch:
    """A fetch that waits until its answer is worth sending."""

    __slots__ = ("_bucket", "_context", "_feed", "_full", "_limits", "_pending", "_queued")

    def __init__(self, context: Context, feed: Feed, limits: FetchLimits, full: bool) -> None:
        self._context = context
        self._feed = feed
        self._limits = limits
        self._full = full
        self._pending = Pending()
        self._bucket = -1
        self._queued = False

    def hold(self, deadline_s: float) -> Pending:
        """Answer once there is enough, or at `deadline_s`."""
        self._feed.waiting = self
        if not self._feed.watching:
            self._feed.watch()
        self._bucket = self._context.node.deadlines.add(self, deadline_s)
        self._context.session.held[self] = None
        return self._pending

    def retry(self) -> None:
        """A replica has changed: check once the current turn has ended, with all its changes."""
        if not self._queued:
            self._queued = True
            self._context.node.turn.before_end(self._look_again)

    def _look_again(self) -> None:
        self._queued = False
        if self._pending.done:
            return
        fetched, available, urgent = self._collect()
        if urgent or available >= self._limits.min_bytes:
            self._resolve(fetched)

    def _collect(self) -> tuple[list[Fetched], int, bool]:
        node = self._context.node
        return node.fetch_reader.collect(
            self._feed,
            self._limits,
            full=self._full,
            arrival=False,
            now_s=node.clock.monotonic(),
        )

    def expire(self) -> None:
        """The wait is over: answer with what is available."""
        fetched, _, _ = self._collect()
        self._resolve(fetched)

    def hurry(self) -> None:
        """The fetcher has sent its next request already."""
        self.expire()

    def abandon(self, code: ErrorCode) -> None:
        """The session was removed, or the connection is closed."""
        self._end()
        self._pending.resolve(FetchResponse(error_code=int(code)))

    def _resolve(self, fetched: list[Fetched]) -> None:
        self._end()
        self._pending.resolve(respond(self._context, self._feed, self._limits, fetched, self._full))

    def _end(self) -> None:
        self._context.node.deadlines.remove(self, self._bucket)
        self._context.session.held.pop(self, None)
        self._feed.waiting = None
        if not isinstance(self._feed, FetchSession):
            self._feed.close()
