"""Group commit: many operations, each decided on the result of the previous one, are proposed as
one batch.

While the quorum replicates one batch, operations are queued for the next. Each is decided on an
image that contains the previous ones, and answered when the batch is committed and replayed here,
so that an answer never depends on uncommitted records.

An operation that has more to decide (`Result.then`) continues in the same batch while that is
small, and otherwise in the next one, before anything else is decided.

At most one batch is in flight. That keeps fencing simple: a batch expects its own offset, and if
another entry (a change of voters) takes that offset, the batch is discarded and decided again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import field
from typing import Any, Final, TypeVar

import trio

from raftka.kraft.codec import encode_records
from raftka.kraft.controller.assignments import check_batch
from raftka.kraft.controller.features import check_readable
from raftka.kraft.controller.result import Result, Rules
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage
from raftka.kraft.raft.port import NotLeader, ProposalVoid, QuorumPort
from raftka.kraft.records import (
    FIRST_METADATA_VERSION,
    METADATA_VERSION,
    RAFTKA_VERSION,
    BatchStampRecord,
    MetadataRecord,
)
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import NO_BROKER
from raftka.model.logs import get_logger
from raftka.model.ports import Clock

log = get_logger(__name__)

R = TypeVar("R")
Decide = Callable[[MetadataImage], Result[R]]

_MAX_RECORDS_A_BATCH: Final = 10_000
"""A batch is closed when it has this many; a single operation may have as many."""
_MAX_QUEUED: Final = 50_000


@dataclass(slots=True, eq=False)
class _Operation:
    """One operation that waits for its decision and commit."""

    decide: Decide[Any]
    deadline_s: float
    last_of_batch: bool
    done: trio.Event = field(default_factory=trio.Event)
    then: Decide[Any] | None = None
    """Its continuation, once its first batch is committed."""
    after_this: Decide[Any] | None = None
    """The same while the previous batch is in flight."""
    answered_first: bool = False
    """Whether the caller is answered before that."""
    is_unheard: bool = False
    """Whether it continues after the caller was answered, so that no caller would get its error."""
    response: Any = None
    offset: int = -1
    failure: Exception | None = None


class MetadataWriter:
    """Writes the active controller's decisions to the metadata log. Closed until `open`."""

    def __init__(
        self,
        quorum: QuorumPort,
        clock: Clock,
        image: Callable[[], MetadataImage],
        rules: Rules,
    ) -> None:
        self._quorum = quorum
        self._clock = clock
        self._image = image
        self._rules = rules
        self._epoch: int | None = None
        self._introduction: tuple[int, str] | None = None
        """This term's first batch: the controller, and why it was elected."""
        self._queue: deque[_Operation] = deque()
        self._in_flight: list[_Operation] = []
        self._at_most: int | None = None
        """The limit of operations in the next batch, after one that was too large."""
        self._work = trio.Event()
        self._published = trio.Event()

    def open(self, epoch: int, controller: int, reason: str) -> None:
        """Accept operations as the controller of that epoch; its first batch has its reason."""
        self._epoch = epoch
        self._introduction = (controller, reason)

    def close(self) -> None:
        """Drop everything uncommitted; all waiting callers get NOT_CONTROLLER."""
        self._epoch = None
        waiting = [*self._in_flight, *self._queue]
        self._queue.clear()
        self._in_flight = []
        for operation in waiting:
            operation.failure = not_controller()
            operation.done.set()

    def published(self) -> None:
        """The image was replaced by a newer one, for which operations may be waiting."""
        self._published.set()
        self._published = trio.Event()

    async def submit(
        self, decide: Decide[R], *, timeout_s: float = 60.0, last_of_batch: bool = False
    ) -> tuple[R, int]:
        """Decide and commit; return the response and the offset of the batch.

        The offset is -1 if there was nothing to commit. `last_of_batch` closes the batch after the
        operation. Raises KafkaError: the errors of `decide`; NOT_CONTROLLER; REQUEST_TIMED_OUT if
        `timeout_s` passes before the decision.
        """
        if self._epoch is None:
            raise not_controller()
        if len(self._queue) >= _MAX_QUEUED:
            words = f"The controller has {len(self._queue)} operations to decide before this one."
            raise KafkaError(ErrorCode.REQUEST_TIMED_OUT, words)
        deadline_s = self._clock.monotonic() + timeout_s
        operation = _Operation(decide, deadline_s, last_of_batch)
        self._queue.append(operation)
        self._work.set()
        await operation.done.wait()
        if operation.failure is not None:
            raise operation.failure
        response: R = operation.response
        return response, operation.offset

    async def run(self) -> None:
        """Write batches until cancelled."""
        while True:
            if not self._queue:
                self._work = trio.Event()
                await self._work.wait()
            await self._write_batch()

    async def _write_batch(self) -> None:
        """Decide the queued operations, commit the batch, answer the callers."""
        epoch, expected = self._epoch, self._quorum.log_end_offset
        delta, records = self._decide_queued(expected)
        stamps = bool(delta.image.features.get(RAFTKA_VERSION)) and self._introduction is not None
        if epoch is not None and (records or stamps):
            try:
                await self._commit(delta, records, epoch, expected)
            except ProposalVoid:
                # A change of voters took its offset: decide everything again, in the next batch.
                await self._decide_again()
                return
            except NotLeader:
                self._fail_in_flight(not_controller())
            except KafkaError as error:
                if error.code is ErrorCode.MESSAGE_TOO_LARGE and len(self._in_flight) > 1:
                    self._at_most = len(self._in_flight) // 2
                    await self._decide_again()
                    return
                self._fail_in_flight(_refused(error))
            except Exception as error:
                log.exception(f"a batch of {len(records)} metadata records cannot be written")
                self._fail_in_flight(_defect(error))
        self._at_most = None
        # After `close` nothing is in flight: every caller has its answer.
        in_flight, self._in_flight = self._in_flight, []
        for operation in in_flight:
            if operation.failure is not None and operation.is_unheard:
                log.warning(
                    "a change is committed and answered, but its follow-up failed and is dropped:"
                    f" {operation.failure}"
                )
            rest = operation.after_this if operation.failure is None else None
            if rest is None or operation.answered_first:
                operation.done.set()
            if rest is not None:
                self._queue.appendleft(_going_on(operation, rest))

    async def _decide_again(self) -> None:
        self._queue.extendleft(reversed(self._in_flight))
        self._in_flight = []
        await self._clock.sleep(0)

    async def _commit(
        self, delta: MetadataDelta, records: list[MetadataRecord], epoch: int, expected: int
    ) -> None:
        metadata_version = delta.image.features.get(METADATA_VERSION, FIRST_METADATA_VERSION)
        own = delta.image.features.get(RAFTKA_VERSION, 0)
        controller, reason = self._introduction or (NO_BROKER, "")
        stamp = BatchStampRecord(self._clock.wall_ms(), controller, reason)
        # Releases before the stamp cannot read its record.
        stamped = [stamp, *records] if own else records
        payload = encode_records(stamped, metadata_version, own)
        offset = await self._quorum.propose(payload, epoch, expected)
        if self._epoch == epoch:
            self._introduction = None
        for operation in self._in_flight:
            operation.offset = offset
        while self._image().offset < offset and self._epoch == epoch:
            await self._published.wait()

    def _decide_queued(self, expected: int) -> tuple[MetadataDelta, list[MetadataRecord]]:
        """Decide the operations of the next batch, each on the result of the previous ones."""
        delta = MetadataDelta(self._image())
        records: list[MetadataRecord] = []
        now_s = self._clock.monotonic()
        while (
            self._queue
            and len(records) < _MAX_RECORDS_A_BATCH
            and (self._at_most is None or len(self._in_flight) < self._at_most)
        ):
            operation = self._queue.popleft()
            operation.failure = None
            self._in_flight.append(operation)
            if operation.deadline_s < now_s and operation.then is None:
                words = "The controller could not decide in time."
                operation.failure = KafkaError(ErrorCode.REQUEST_TIMED_OUT, words)
                continue
            before = len(records)
            try:
                self._decide(operation, delta, records, expected)
            except KafkaError as error:
                operation.failure = error
            except Exception as error:
                log.exception("a decision of the controller failed")
                operation.failure = _defect(error)
            if operation.after_this is not None:
                break
            if operation.last_of_batch and len(records) > before:
                break
        return delta, records

    def _decide(
        self,
        operation: _Operation,
        delta: MetadataDelta,
        records: list[MetadataRecord],
        expected: int,
    ) -> None:
        """Add the decisions of an operation and its continuations to a batch.

        Raises KafkaError: the decision's error, or POLICY_VIOLATION for too many records at once.
        """
        operation.after_this = None
        decide = operation.then
        while True:
            result = (decide or operation.decide)(delta.image)
            check_batch(result.records)
            check_readable(delta.image, result.records)
            delta.replay_all(result.records, expected)
            records += result.records
            if decide is None:
                operation.response = result.response
                operation.answered_first = result.answered_first
            decide = result.then
            if decide is None:
                return
            if len(records) >= self._rules.changes_at_once:
                operation.after_this = decide
                return

    def _fail_in_flight(self, failure: Exception) -> None:
        for operation in self._in_flight:
            operation.failure = failure


def _going_on(operation: _Operation, rest: Decide[Any]) -> _Operation:
    """The operation that continues after the first batch was committed: a new one if the caller
    already has its answer, which must not change any longer."""
    if operation.done.is_set():
        operation = _Operation(rest, operation.deadline_s, last_of_batch=False, is_unheard=True)
    operation.then, operation.after_this = rest, None
    return operation


def not_controller() -> KafkaError:
    """The error for callers that ask the wrong node, or one that is being deposed."""
    words = "This node is not the active controller."
    return KafkaError(ErrorCode.NOT_CONTROLLER, words)


def _refused(error: KafkaError) -> KafkaError:
    """The error for a client whose operation the quorum refuses."""
    if error.code is not ErrorCode.MESSAGE_TOO_LARGE:
        return error
    words = f"Ask for less in one request: {error.message}."
    return KafkaError(ErrorCode.POLICY_VIOLATION, words)


def _defect(error: Exception) -> KafkaError:
    words = f"{type(error).__name__}; the controller's log has the details"
    return KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, words)
