"""A ShareFetch between its arrival and its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raftka.broker.share import requests
from raftka.broker.share.key import SharePartitionKey
from raftka.broker.share.partitions import Led
from raftka.broker.share.reading import Batches, read
from raftka.broker.share.sessions import FINAL_EPOCH, ShareSession
from raftka.broker.share.terms import Acquired, Wish
from raftka.model.errors import ErrorCode, KafkaError
from raftka.net.protocol.messages.share_fetch import (
    AcquiredRecords,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionData,
    ShareFetchableTopicResponse,
    ShareFetchRequest,
    ShareFetchResponse,
)
from raftka.net.router import Pending

if TYPE_CHECKING:
    from raftka.broker.request import Context

_RECORD_LIMIT: Final = 1
"""The acquire mode in which batches are split at max_records."""
_TRIES: Final = 16
"""How often a fetch skips batches that have no records for the group."""

Errors = dict[SharePartitionKey, KafkaError]


class ShareFetching:
    """Implements session.Held, sessions.WaitingFetch, and the Watchers of share-partitions and of
    replicas."""

    __slots__ = (
        "_acknowledged",
        "_bucket",
        "_context",
        "_errors",
        "_found",
        "_is_held",
        "_is_queued",
        "_led",
        "_request",
        "_session",
        "pending",
    )

    def __init__(self, context: Context, request: ShareFetchRequest, session: ShareSession) -> None:
        self.pending = Pending()
        self._context = context
        self._request = request
        self._session = session
        self._acknowledged: dict[SharePartitionKey, KafkaError | None] = {}
        self._led: dict[SharePartitionKey, Led] = {}
        self._errors: Errors = {}
        self._found: dict[SharePartitionKey, tuple[list[Acquired], Batches]] = {}
        self._bucket = -1
        self._is_held = False
        self._is_queued = False

    def begin(self, acknowledged: dict[SharePartitionKey, KafkaError | None]) -> None:
        """The acknowledgements are applied: fetch, unless the member only wanted to acknowledge."""
        self._acknowledged = acknowledged
        request, node = self._request, self._context.node
        if request.share_session_epoch == FINAL_EPOCH or request.is_renew_ack:
            self._respond()
            return
        for key in self._session.in_turn():
            try:
                requests.check_topic(self._context, key)
                self._led[key] = node.share.partitions.find(key)
            except KafkaError as error:
                self._errors[key] = error
        if not self._try(is_last=request.max_wait <= 0 or not self._led):
            self._hold(node.clock.monotonic() + request.max_wait / 1000)

    # ---- looking

    def _try(self, *, is_last: bool) -> bool:
        """Answer if there is enough, or if this is the last chance."""
        for _ in range(_TRIES):
            size, reads = self._look()
            is_enough = bool(reads) and size >= self._request.min_bytes
            if not (is_enough or is_last or self._errors):
                return False
            if reads and self._may_send(size):
                self._is_queued = True  # Do not wake it meanwhile: it would acquire twice.
                self._acquire(reads)
                self._is_queued = False
                if not self._found and not self._errors:
                    continue  # Nothing of it was for the group: try the records after it.
            self._respond()
            return True
        if is_last:
            self._respond()
        return is_last

    def _look(self) -> tuple[int, list[tuple[Led, Batches]]]:
        """(bytes, batches) in the order of the session, within the limits."""
        request, partitions = self._request, self._context.node.share.partitions
        left = min(request.max_bytes, self._context.node.fetch_max_bytes)
        metering = self._context.metering
        if metering is not None and (most := metering.most_to_fetch()) is not None:
            left = min(left, int(most))
        settings = partitions.settings(self._session.group_id)
        size = 0
        reads: list[tuple[Led, Batches]] = []
        for key, led in list(self._led.items()):
            if size and size >= left:
                break
            try:
                partitions.refresh(led)
                machine = led.machine
                offset = None if machine is None else machine.next_fetch_offset()
                found = (
                    None
                    if offset is None
                    else read(
                        led.replica,
                        offset,
                        max(left - size, 0),
                        max(request.max_records, 1),
                        committed=settings.reads_committed,
                    )
                )
            except KafkaError as error:
                self._errors[key] = error
                del self._led[key]
                continue
            if found is not None:
                size += found.size
                reads.append((led, found))
        return size, reads

    def _may_send(self, size: int) -> bool:
        """Whether the client's quota allows that now; otherwise nothing is acquired."""
        metering = self._context.metering
        return metering is None or metering.fetched(size)

    def _acquire(self, reads: list[tuple[Led, Batches]]) -> None:
        request, node = self._request, self._context.node
        left = request.max_records
        for led, batches in reads:
            machine = led.machine
            if machine is None or left <= 0:
                continue
            wish = Wish(left, request.batch_size, request.share_acquire_mode == _RECORD_LIMIT)
            acquired = machine.acquire(
                self._session.member_id,
                batches.fetched_from,
                batches.spans,
                wish,
                node.clock.monotonic(),
            )
            if acquired:
                self._found[led.key] = (acquired, batches)
                left -= sum(each.last - each.first + 1 for each in acquired)
                led.replica.traffic.bytes_out += batches.size
            led.replica.traffic.fetch_requests += 1
            node.share.partitions.touched(led, wakes=False)

    # ---- waiting

    def _hold(self, deadline_s: float) -> None:
        self._is_held = True
        self._session.waiting = self
        for led in self._led.values():
            led.watchers[self] = None
            led.replica.consumers[self] = None
        self._bucket = self._context.node.deadlines.add(self, deadline_s)
        self._context.session.held[self] = None

    def changed(self) -> None:
        """Check once the current turn has ended, with all its changes."""
        if not self._is_queued:
            self._is_queued = True
            self._context.node.turn.before_end(self._look_again)

    def changed_quietly(self) -> None:
        """The log has lost records: there is nothing new."""

    def high_watermark_moved(self) -> None:
        self.changed()

    def _look_again(self) -> None:
        self._is_queued = False
        if self._is_held:
            self._try(is_last=False)

    def expire(self) -> None:
        """The wait is over: answer with what is available."""
        self._try(is_last=True)

    def hurry(self) -> None:
        """The session's next request has arrived: return no records that it might miss."""
        self._respond()

    def abandon(self, code: ErrorCode) -> None:
        """The connection is closed."""
        self._end()
        self.pending.resolve(ShareFetchResponse(error_code=int(code)))

    def _end(self) -> None:
        if not self._is_held:
            return
        self._is_held = False
        node = self._context.node
        node.deadlines.remove(self, self._bucket)
        self._context.session.held.pop(self, None)
        if self._session.waiting is self:
            self._session.waiting = None
        for led in self._led.values():
            led.watchers.pop(self, None)
            led.replica.consumers.pop(self, None)

    # ---- answering

    def _respond(self) -> None:
        self._end()
        settings = self._context.node.share.partitions.settings(self._session.group_id)
        response = ShareFetchResponse(acquisition_lock_timeout=settings.lock_ms)
        topics: dict[bytes, ShareFetchableTopicResponse] = {}
        leaders: list[int] = []
        for key in {**self._acknowledged, **self._errors, **self._found}:
            topic = topics.get(key.topic_id)
            if topic is None:
                topic = topics[key.topic_id] = ShareFetchableTopicResponse(topic_id=key.topic_id)
                response.responses.append(topic)
            topic.partitions.append(self._part(key, leaders))
        response.node_endpoints = requests.endpoints(self._context, leaders, NodeEndpoint)
        self.pending.resolve(response)

    def _part(self, key: SharePartitionKey, leaders: list[int]) -> PartitionData:
        part = PartitionData(partition_index=key.partition, records=b"")
        refusal = self._acknowledged.get(key)
        if refusal is not None:
            part.acknowledge_error_code = int(refusal.code)
            part.acknowledge_error_message = refusal.message
        error = self._errors.get(key)
        if error is not None:
            part.error_code, part.error_message = int(error.code), error.message
        for each in (error, refusal):
            leader = None if each is None else requests.leader_of(self._context, key, each)
            if leader is not None:
                part.current_leader = LeaderIdAndEpoch(leader_id=leader[0], leader_epoch=leader[1])
                leaders.append(leader[0])
        found = self._found.get(key)
        if found is not None:
            acquired, batches = found
            part.records = batches.pieces(acquired)
            part.acquired_records = [
                AcquiredRecords(first_offset=first, last_offset=last, delivery_count=deliveries)
                for first, last, deliveries in acquired
            ]
        return part
