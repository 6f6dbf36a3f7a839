"""Verifies a transactional producer's request before its records are appended (KIP-890).

If the producer's transaction is not open in a partition yet, its coordinator must confirm that the
producer has added the partition, or with transaction.version 2 (Produce 12) add it. The guard of
each partition is created before the coordinator is asked, so that a marker that overtakes the
answer invalidates it (storage/verification.py).

Requests of one connection keep their order: while one waits, later ones wait too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Set
from typing import TYPE_CHECKING, Final, NamedTuple

from raftka.broker.replication.joining import Codes, Joining, Question
from raftka.broker.replication.replica_index import ReplicaIndex
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import Clock
from raftka.model.record_batch import HEADER_BYTES, parse_header
from raftka.model.rules import ALL_HOLD, Rule, RulesOff
from raftka.net.answers import Turn
from raftka.net.protocol.messages.produce import PartitionProduceData, ProduceRequest
from raftka.net.router import Answer, CloseConnection, Pending
from raftka.net.session import Session

if TYPE_CHECKING:
    from raftka.storage.verification import Guard

_BY_ID: Final = 13
_JOINS_FROM: Final = 12
_KNOWS_ABORTABLE_FROM: Final = 11

_MOST_WAITING: Final = 16
"""Requests of one connection whose records are held: three times what a producer may pipeline."""

_COORDINATOR_AWAY: Final = frozenset(
    {
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NETWORK_EXCEPTION,
    }
)

Key = tuple[str | bytes, int]
"""(topic name, or its id from Produce 13 on; partition)"""


Returned = Answer | Pending


class Verified(NamedTuple):
    """The coordinator's answers, for the partitions of one request."""

    guards: Mapping[Key, Guard] = {}
    errors: Mapping[Key, KafkaError] = {}
    refusal: KafkaError | None = None
    """The error of the whole request."""
    denied: Set[str | bytes] = frozenset()
    """The topics that the client may not write to."""


class _First(NamedTuple):
    """The first transactional batch of a partition in a request."""

    key: Key
    producer_id: int
    epoch: int
    sequence: int


class Verifier:
    """Creates guards and asks coordinators for the partitions that this broker leads."""

    def __init__(
        self,
        joining: Joining,
        replicas: ReplicaIndex,
        clock: Clock,
        turn: Turn,
        verifies: Callable[[], bool],
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        """`verifies` returns the current transaction.partition.verification.enable."""
        self._may_ask = Rule.FIRST_WRITE_IS_VERIFIED not in rules_off
        self._joining = joining
        self._replicas = replicas
        self._clock = clock
        self._turn = turn
        self._verifies = verifies
        self._lines: dict[Session, _Line] = {}

    def admit(
        self,
        session: Session,
        request: ProduceRequest,
        version: int,
        refusal: KafkaError | None,
        denied: Set[str | bytes],
        append: Callable[[Verified], Returned],
    ) -> Returned:
        """The answer of `append`, at once or, as a Pending, after the coordinator has answered.

        `append` is called once, in the order of the connection's requests. `refusal` is the error
        if the transactional id may not be used. The coordinator is not asked about topics in
        `denied`.
        """
        batches = _transactional(request, by_id=version >= _BY_ID)
        if not batches:
            refusal = (
                None  # A transactional id without a transactional batch: nothing depends on it.
            )
        elif len({(each.producer_id, each.epoch) for each in batches}) > 1:
            refusal = refusal or KafkaError(
                ErrorCode.INVALID_PRODUCER_ID_MAPPING,
                "Transactional records contained more than one producer ID",
            )
        line = self._lines.get(session)
        if line is not None and len(line) >= _MOST_WAITING:
            refusal = refusal or KafkaError(
                ErrorCode.NOT_ENOUGH_REPLICAS,
                f"{_MOST_WAITING} requests of this connection wait for the coordinator; send"
                " fewer at a time (max.in.flight.requests.per.connection)",
            )
            return append(Verified(refusal=refusal, denied=denied))
        asks = not refusal and self._may_ask and (version >= _JOINS_FROM or self._verifies())
        wanted = [each for each in batches if each.key[0] not in denied] if asks else []
        name = request.transactional_id or ""
        waiting = _Waiting(self, name, version, wanted, denied, append)
        if line is None:
            if refusal is not None or not waiting.ask():
                return append(Verified(refusal=refusal, denied=denied))
            if waiting.verified is not None:
                return append(waiting.verified)
            line = self._lines[session] = _Line(self._turn, lambda: self._lines.pop(session))
        elif refusal is not None:
            waiting.verified = Verified(refusal=refusal, denied=denied)
        _keep_records(request)
        return line.add(waiting)

    def guards(
        self, batches: list[_First], *, bumps_epoch: bool
    ) -> dict[Key, tuple[TopicPartition, Guard]]:
        """The partitions whose coordinator must be asked. Those that cannot be written to are left
        out: the append will return their error."""
        found: dict[Key, tuple[TopicPartition, Guard]] = {}
        now_ms = self._clock.wall_ms()
        for each in batches:
            try:
                replica = self._replicas.find(each.key)
                replica.state.check_leader()
            except KafkaError:
                continue
            guard = replica.verify(
                each.producer_id, each.epoch, each.sequence, bumps_epoch=bumps_epoch, now_ms=now_ms
            )
            if guard is not None:
                found[each.key] = (replica.topic_partition, guard)
        return found

    def ask(self, question: Question, answered: Callable[[Codes], None]) -> None:
        self._joining.ask(question, answered)


class _Waiting:
    """One request, from its arrival to its append."""

    __slots__ = (
        "_append",
        "_batches",
        "_denied",
        "_name",
        "_verifier",
        "_version",
        "is_asked",
        "line",
        "pending",
        "verified",
    )

    def __init__(
        self,
        verifier: Verifier,
        name: str,
        version: int,
        batches: list[_First],
        denied: Set[str | bytes],
        append: Callable[[Verified], Returned],
    ) -> None:
        self.line: _Line | None = None
        self.pending = Pending()
        self.verified: Verified | None = None
        self.is_asked = False
        self._verifier = verifier
        self._name = name
        self._version = version
        self._batches = batches
        self._denied = denied
        self._append = append

    def ask(self) -> bool:
        """Create guards and ask the coordinator; False if there is nothing to ask."""
        self.is_asked = True
        joins = self._version >= _JOINS_FROM
        guards = self._verifier.guards(self._batches, bumps_epoch=joins)
        if not guards:
            self.verified = Verified(denied=self._denied)
            return False
        first = self._batches[0]
        partitions = frozenset(partition for partition, _ in guards.values())
        question = Question(self._name, first.producer_id, first.epoch, partitions, not joins)

        def answered(codes: Codes) -> None:
            errors, granted = {}, {}
            for key, (partition, guard) in guards.items():
                error = _for_producer(codes[partition], self._version)
                if error is None:
                    granted[key] = guard
                else:
                    errors[key] = error
            self.verified = Verified(granted, errors, denied=self._denied)
            if self.line is not None:
                self.line.advance()

        self._verifier.ask(question, answered)
        return True

    def finish(self) -> None:
        """Append, and answer once that has its outcome."""
        assert self.verified is not None
        try:
            answer = self._append(self.verified)
        except CloseConnection:
            answer = None  # With acks=0 there is no answer to report it.
        if isinstance(answer, Pending):
            answer.on_resolved(self.pending.resolve)
        else:
            self.pending.resolve(answer)


class _Line:
    """The waiting requests of one connection, in order."""

    def __init__(self, turn: Turn, ended: Callable[[], object]) -> None:
        self._turn = turn
        self._ended = ended
        self._waiting: deque[_Waiting] = deque()
        self._is_busy = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, waiting: _Waiting) -> Pending:
        waiting.line = self
        self._waiting.append(waiting)
        return waiting.pending

    def advance(self) -> None:
        """Append verified requests, and let the next one ask."""
        if self._is_busy:
            return
        self._is_busy = True
        self._turn.begin()
        try:
            while self._waiting:
                first = self._waiting[0]
                if first.verified is None and not first.is_asked:
                    first.ask()
                if first.verified is None:
                    return
                self._waiting.popleft()
                first.finish()
            self._ended()
        finally:
            self._is_busy = False
            self._turn.end()


def _transactional(request: ProduceRequest, *, by_id: bool) -> list[_First]:
    """The transactional batches in a request."""
    found: list[_First] = []
    for topic in request.topic_data:
        for data in topic.partition_data:
            records = data.records
            if records is None or isinstance(records, list) or len(records) < HEADER_BYTES:
                continue
            header = parse_header(records)
            if header.is_transactional and header.producer_id >= 0:
                key = (topic.topic_id if by_id else topic.name, data.index)
                found.append(
                    _First(key, header.producer_id, header.producer_epoch, header.base_sequence)
                )
    return found


def _keep_records(request: ProduceRequest) -> None:
    """Copy the records: the receive buffer is reused after this turn."""
    data: PartitionProduceData
    for topic in request.topic_data:
        for data in topic.partition_data:
            if data.records is not None and not isinstance(data.records, list):
                data.records = bytearray(data.records)


def _for_producer(code: ErrorCode, version: int) -> KafkaError | None:
    """Map the coordinator's code to the producer's answer; None if it may write.

    A code that its version of Produce does not know becomes an error that it retries, or that is
    fatal for it.
    """
    if code is ErrorCode.NONE:
        return None
    if code in _COORDINATOR_AWAY or (
        code is ErrorCode.CONCURRENT_TRANSACTIONS and version < _JOINS_FROM
    ):
        return KafkaError(
            ErrorCode.NOT_ENOUGH_REPLICAS,
            "Unable to verify the partition has been added to the transaction. Underlying error: "
            f"{code.name}",
        )
    if code is ErrorCode.PRODUCER_FENCED:
        return KafkaError(
            ErrorCode.INVALID_PRODUCER_EPOCH, "another producer has the transactional.id by now"
        )
    if code is ErrorCode.TRANSACTION_ABORTABLE and version < _KNOWS_ABORTABLE_FROM:
        code = ErrorCode.INVALID_TXN_STATE
    if code is ErrorCode.INVALID_TXN_STATE:
        return KafkaError(code, "Partition was not added to the transaction")
    return KafkaError(code)
