"""Produce (key 0): appends record batches to the partitions that this broker leads.

acks=0 is never answered, and a failure closes the connection so that the producer notices; acks=1
is answered as soon as the leader has the records; acks=-1 (all) once every in-sync replica has
them, or with REQUEST_TIMED_OUT after the request's timeout, although the records may still be
committed.

Version notes: 8 lists the records because of which a batch was refused (KIP-467). 10 has the new
leader if the producer asked the wrong broker (KIP-951). 12 adds the partitions of a transaction by
their first batch, which version 11 only verifies (KIP-890). 13 names topics by id (KIP-516).
"""

from __future__ import annotations

from collections.abc import Set
from functools import partial
from typing import TYPE_CHECKING, Final

from raftka.broker.endpoints import node_endpoints
from raftka.broker.replication.verifier import Returned, Verified
from raftka.broker.request import Context, handles
from raftka.model.access import PER_RESOURCE, Operation, ResourceType
from raftka.model.compression import NAMES
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_OFFSET, NO_TIMESTAMP, ZERO_UUID
from raftka.model.internal_topics import INTERNAL_TOPICS
from raftka.model.ports import Piece
from raftka.model.record_batch import COMPRESSION_MASK, HEADER_BYTES
from raftka.net.protocol.messages.produce import (
    BatchIndexAndErrorMessage,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from raftka.net.protocol.produce_reader import Repeated
from raftka.net.protocol.produce_writer import write_produced
from raftka.net.router import CloseConnection, Pending
from raftka.storage.admission import RecordsRefused
from raftka.storage.verification import WITHOUT_ID, Guard

if TYPE_CHECKING:
    from raftka.broker.node import Node
    from raftka.broker.replication.replica import Replica
    from raftka.storage.log import AppendInfo

_ALL: Final = -1
_ACKS: Final = (1, _ALL, 0)
_BY_ID: Final = 13
_ZSTD_FROM: Final = 7
_NONE: Final[Set[str | bytes]] = frozenset()
_ADMIN_CLIENT: Final = "__admin_client"
"""The only client.id that Kafka allows to produce to internal topics."""


@handles(
    ProduceRequest,
    versions=(3, 13),
    access=PER_RESOURCE,
    carries_records=True,
    keep=Repeated.keep,
)
def produce(
    context: Context, request: ProduceRequest, verified: Verified | None = None
) -> Returned:
    """`verified` is set when a transactional producer's request returns from the verifier."""
    node = context.node
    acks = request.acks
    if context.metering is not None and verified is None:
        context.metering.produced(len(context.frame))
        if acks == 0:
            context.metering.exempt()
    if request.transactional_id is not None and verified is None:
        return _verify_first(context, request)
    refusal = None if verified is None else verified.refusal
    if refusal is None and acks not in _ACKS:
        # Each partition gets this error.
        words = f"acks must be -1, 0 or 1, not {acks}"
        refusal = KafkaError(ErrorCode.INVALID_REQUIRED_ACKS, words)
    now_s = node.clock.monotonic()
    by_id = context.api_version >= _BY_ID
    outcomes: list[Outcome] = []
    appended: list[Outcome] = []
    denied: Set[str | bytes] = _NONE if verified is None else verified.denied
    if context.authorizer is not None and verified is None:
        denied = _denied(context, request, by_id=by_id)
    for name, data in _named_once(request, by_id=by_id):
        outcome = Outcome(name, data.index)
        outcomes.append(outcome)
        try:
            if name in denied:
                raise KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
            if refusal is not None:
                raise refusal
            if context.api_version < _ZSTD_FROM:
                _check_no_zstd(data)
            guard: Guard | None = WITHOUT_ID
            if verified is not None:
                guard = _guard(verified, (name, data.index))
            _append(node, outcome, data, acks, now_s, context.client_id, guard)
            appended.append(outcome)
        except KafkaError as error:
            outcome.error = error
    if acks == 0:
        if any(outcome.error is not None for outcome in outcomes):
            raise CloseConnection("records sent with acks=0 could not be appended")
        return None
    if acks == _ALL and appended:
        waiting = WaitingProduce(context, outcomes, appended)
        waiting.start(now_s + request.timeout / 1000)
        return waiting
    return answer(context, outcomes)


class Outcome:
    """The result of one partition's records."""

    __slots__ = ("error", "index", "info", "replica", "topic")

    replica: Replica
    """Set once it was found."""

    def __init__(self, topic: str | bytes, index: int) -> None:
        self.topic = topic
        """Its name, or its id from version 13 on."""
        self.index = index
        self.info: AppendInfo | None = None
        """Where the records are, even if they were not committed in time."""
        self.error: KafkaError | None = None


def _named_once(
    request: ProduceRequest, *, by_id: bool
) -> list[tuple[str | bytes, PartitionProduceData]]:
    """Each partition's records, with the topic's name or id.

    If a partition is repeated, its last records count, as in Kafka.
    """
    topics = request.topic_data
    if len(topics) == 1 and len(topics[0].partition_data) == 1:
        only = topics[0]
        return [(only.topic_id if by_id else only.name, only.partition_data[0])]
    named: list[tuple[str | bytes, PartitionProduceData]] = [
        (topic.topic_id if by_id else topic.name, data)
        for topic in topics
        for data in topic.partition_data
    ]
    if len(named) > 1:
        named = list({(name, data.index): (name, data) for name, data in named}.values())
    return named


def _verify_first(context: Context, request: ProduceRequest) -> Returned:
    """Ask a transactional producer's coordinator first, if its transaction requires that."""
    name, version = request.transactional_id or "", context.api_version
    refusal, denied = None, _NONE
    if context.authorizer is not None:
        denied = _denied(context, request, by_id=version >= _BY_ID)
        if not context.may(Operation.WRITE, ResourceType.TRANSACTIONAL_ID, name):
            refusal = KafkaError(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    append = partial(produce, context, request)
    return context.node.verifier.admit(context.session, request, version, refusal, denied, append)


def _guard(verified: Verified, key: tuple[str | bytes, int]) -> Guard | None:
    """The guard with which a batch may open a transaction. Raises the coordinator's KafkaError."""
    error = verified.errors.get(key)
    if error is not None:
        raise error
    return verified.guards.get(key)


def _denied(context: Context, request: ProduceRequest, *, by_id: bool) -> Set[str | bytes]:
    """The topics that the client may not write to, by name or id as in the request."""
    found: set[str | bytes] = set()
    for each in request.topic_data:
        name: str | None = each.name
        if by_id:
            topic = context.node.image.topic_by_id(each.topic_id)
            name = None if topic is None else topic.name
        # An unknown id has its own error in the answer.
        if name is not None and not context.may(Operation.WRITE, ResourceType.TOPIC, name):
            found.add(each.topic_id if by_id else each.name)
    return found


def _check_no_zstd(data: PartitionProduceData) -> None:
    """Refuse zstd, which consumers of this version's time could not decompress (KIP-110)."""
    records = data.records
    if isinstance(records, list) or records is None or len(records) < HEADER_BYTES:
        return
    if records[22] & COMPRESSION_MASK == NAMES.index("zstd"):
        raise KafkaError(
            ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
            f"zstd may be produced from version {_ZSTD_FROM} of Produce on",
        )


def _append(
    node: Node,
    outcome: Outcome,
    data: PartitionProduceData,
    acks: int,
    now_s: float,
    client_id: str | None,
    guard: Guard | None,
) -> None:
    replica = outcome.replica = node.replicas.find((outcome.topic, outcome.index))
    topic = replica.topic_partition.topic
    if topic in INTERNAL_TOPICS and client_id != _ADMIN_CLIENT:
        raise KafkaError(
            ErrorCode.INVALID_TOPIC_EXCEPTION, f"Cannot append to internal topic {topic}"
        )
    records = data.records
    if not records or isinstance(records, list):
        raise KafkaError(ErrorCode.INVALID_RECORD, "a produce request must carry a record batch")
    room = node.disk_room
    room.unseen -= len(records)
    if room.unseen < 0 or room.full:
        room.check(node.logs.directory_of(replica.topic_partition))
    outcome.info = node.replicas.append(replica, records, acks, now_s, guard=guard)


def answer(context: Context, outcomes: list[Outcome]) -> list[Piece] | ProduceResponse:
    """The answer once all outcomes are known."""
    if len(outcomes) == 1:
        outcome = outcomes[0]
        info = outcome.info
        if info is not None and outcome.error is None:
            frame = write_produced(
                context.api_version,
                context.correlation_id,
                outcome.topic,
                outcome.index,
                info.base_offset,
                info.log_append_time,
                info.log_start_offset,
            )
            return [frame]
    node = context.node
    response = ProduceResponse()
    topics: dict[str | bytes, TopicProduceResponse] = {}
    for outcome in outcomes:
        name = outcome.topic
        topic = topics.get(name)
        if topic is None:
            topic = topics[name] = TopicProduceResponse(
                name=name if isinstance(name, str) else "",
                topic_id=ZERO_UUID if isinstance(name, str) else name,
            )
            response.responses.append(topic)
        topic.partition_responses.append(_part(node, outcome))
    leaders = [
        part.current_leader.leader_id
        for topic in response.responses
        for part in topic.partition_responses
        if part.current_leader.leader_epoch >= 0
    ]
    if leaders and context.api_version >= 10:
        response.node_endpoints = node_endpoints(
            node.image, context.listener, leaders, NodeEndpoint
        )
    return response


def _part(node: Node, outcome: Outcome) -> PartitionProduceResponse:
    part = PartitionProduceResponse(index=outcome.index, base_offset=NO_OFFSET)
    info, error = outcome.info, outcome.error
    if info is not None:
        part.base_offset = info.base_offset
        part.log_append_time = info.log_append_time
        part.log_start_offset = info.log_start_offset
    if error is not None:
        part.error_code = int(error.code)
        part.log_append_time = NO_TIMESTAMP
        part.error_message = error.message
        if isinstance(error, RecordsRefused):
            part.record_errors = [
                BatchIndexAndErrorMessage(batch_index=index, batch_index_error_message=words)
                for index, words in error.records
            ]
        hint = node.replicas.leader_hint((outcome.topic, outcome.index), error.code)
        if hint is not None:
            part.current_leader = LeaderIdAndEpoch(leader_id=hint[0], leader_epoch=hint[1])
    return part


class WaitingProduce(Pending):
    """A request with acks=all whose records are in the leader's log and not committed yet."""

    __slots__ = ("_appended", "_bucket", "_context", "_left", "_outcomes")

    def __init__(self, context: Context, outcomes: list[Outcome], appended: list[Outcome]) -> None:
        self.done = False
        self._answer = self._notify = None
        self._context = context
        self._outcomes = outcomes
        self._appended = appended
        self._left = len(appended)
        self._bucket = -1

    def start(self, deadline_s: float) -> None:
        """Wait in all partitions until `deadline_s`."""
        for slot, outcome in enumerate(self._appended):
            info = outcome.info
            assert info is not None
            outcome.replica.wait_for(info.last_offset + 1, self, slot)
        if not self.done:
            self._bucket = self._context.node.deadlines.add(self, deadline_s)

    def acknowledged(self, slot: int, code: ErrorCode) -> None:
        """Store the outcome of one partition."""
        if self.done:
            return
        if code is not ErrorCode.NONE:
            self._appended[slot].error = KafkaError(code)
        self._left -= 1
        if self._left == 0:
            if self._bucket >= 0:
                self._context.node.deadlines.remove(self, self._bucket)
            self._finish()

    def expire(self) -> None:
        """The producer's timeout: uncommitted records are reported as such."""
        for outcome in self._appended:
            state = outcome.replica.state
            if outcome.error is None and state.acknowledgement(_required(outcome)) is None:
                outcome.error = KafkaError(
                    ErrorCode.REQUEST_TIMED_OUT,
                    "the in-sync replicas did not have the records in time",
                )
        self._finish()

    def _finish(self) -> None:
        self.resolve(answer(self._context, self._outcomes))


def _required(outcome: Outcome) -> int:
    """The offset that the high watermark must reach."""
    assert outcome.info is not None
    return outcome.info.last_offset + 1
