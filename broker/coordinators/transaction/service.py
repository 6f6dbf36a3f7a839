"""The API of transactions for handlers: finds the shard, gets producer ids, answers.

broker/coordinators/host.py finds shards and decides when an answer may be sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from raftka.broker.coordinators.host import (
    CoordinatorHost,
    PendingAnswer,
    coordinator_error,
    when_committed,
)
from raftka.broker.coordinators.outbox import Producer
from raftka.broker.coordinators.runtime import CoordinatorLog, ShardRuntime
from raftka.broker.coordinators.shard import CoordinatorTopic
from raftka.broker.coordinators.transaction.config import TransactionConfig
from raftka.broker.coordinators.transaction.core import NeedsProducerId, WriteMarkers
from raftka.broker.coordinators.transaction.marker_queue import Wish
from raftka.broker.coordinators.transaction.shard import TransactionShard
from raftka.broker.coordinators.transaction.state import (
    EPOCH_BUMPS,
    PREPARED,
    State,
    Transaction,
)
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TRANSACTION_TOPIC, TopicPartition
from raftka.model.ports import Clock
from raftka.model.rules import ALL_HOLD, RulesOff
from raftka.net.protocol.messages.describe_transactions import TransactionState
from raftka.net.protocol.messages.end_txn import EndTxnRequest, EndTxnResponse
from raftka.net.protocol.messages.init_producer_id import (
    InitProducerIdRequest,
    InitProducerIdResponse,
)
from raftka.net.protocol.messages.list_transactions import (
    ListedTransaction,
    ListTransactionsRequest,
    ListTransactionsResponse,
)

SendMarkers = Callable[[Wish], None]
"""Has the leaders of the partitions write markers, with retries until all have them."""

_INIT_KNOWS_FENCED_FROM = 4
_END_KNOWS_FENCED_FROM = 2
_END_BUMPS_FROM = 5

R = TypeVar("R")
Runtime = ShardRuntime[TransactionShard]


class TransactionCoordinatorService:
    """The entry points for handlers, metadata publishers and replicas.

    Operations raise KafkaError: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS,
    COORDINATOR_NOT_AVAILABLE, and the shard's refusals.
    """

    def __init__(
        self,
        config: TransactionConfig,
        coordinator_log: CoordinatorLog,
        clock: Clock,
        *,
        new_producer_id: Callable[[], Awaitable[int]],
        send_markers: SendMarkers,
        rules_off: RulesOff = ALL_HOLD,
    ) -> None:
        self._clock = clock
        self._new_producer_id = new_producer_id
        self._send_markers = send_markers
        self._host = CoordinatorHost[TransactionShard](
            CoordinatorTopic(
                TRANSACTION_TOPIC,
                commit_timeout_ms=config.commit_timeout_ms,
                commit_timeout_setting="the broker's request.timeout.ms",
                max_batch_bytes=config.max_record_bytes,
            ),
            coordinator_log,
            clock,
            make_shard=lambda _partition, epoch: TransactionShard(config, epoch, rules_off),
            perform=self._perform,
            key="transactional",
            invalid_key=ErrorCode.INVALID_REQUEST,
            may_be_empty=False,
        )
        # Called by the broker, in addition to the operations.
        self.run = self._host.run
        self.publish = self._host.publish
        self.became_leader = self._host.became_leader
        self.resigned = self._host.resigned
        self.loads = self._host.loads
        self.on_partition_elected = self._host.on_partition_elected
        self.on_partition_resigned = self._host.on_partition_resigned

    # ---- producers

    async def init_producer_id(
        self, request: InitProducerIdRequest, version: int
    ) -> InitProducerIdResponse:
        """The producer id and epoch to use; the answer contains errors."""

        def operation(runtime: Runtime, kept: _Kept, new_id: int | None) -> None:
            runtime.shard.init_producer_id(request, kept, runtime.now(), new_id)

        response = InitProducerIdResponse
        try:
            return await self._ask(request.transactional_id or "", response, operation)
        except KafkaError as error:
            code = known_code(error.code, version >= _INIT_KNOWS_FENCED_FROM)
            return response(error_code=code, producer_id=-1, producer_epoch=-1)

    async def end_transaction(self, request: EndTxnRequest, version: int) -> EndTxnResponse:
        """Commit or abort; answered once the decision is committed. The answer contains errors."""
        client_version = EPOCH_BUMPS if version >= _END_BUMPS_FROM else 0

        def operation(runtime: Runtime, kept: _Kept, new_id: int | None) -> None:
            shard = runtime.shard
            shard.end_transaction(request, client_version, kept, runtime.now(), new_id)

        try:
            return await self._ask(request.transactional_id, EndTxnResponse, operation)
        except KafkaError as error:
            code = known_code(error.code, version >= _END_KNOWS_FENCED_FROM)
            return EndTxnResponse(error_code=code)

    def add_partitions(
        self,
        transactional_id: str,
        producer: Producer,
        partitions: Iterable[TopicPartition],
        client_version: int,
        answer: PendingAnswer,
        response: object,
    ) -> None:
        """Add partitions to a transaction; answer with `response` once that is committed.

        Refuses what `TransactionShard.add_partitions` refuses. Does not raise.
        """

        def add(runtime: Runtime) -> None:
            runtime.shard.add_partitions(
                transactional_id, producer, partitions, client_version, runtime.now()
            )
            runtime.answer(answer, response)

        self._host.answer_later(answer, transactional_id, add)

    def verify_partitions(
        self,
        transactional_id: str,
        producer: Producer,
        partitions: Iterable[TopicPartition],
        answer: PendingAnswer,
        respond: Callable[[dict[TopicPartition, ErrorCode]], object],
    ) -> None:
        """Whether partitions are in a transaction, once that is committed. Does not raise."""

        def verify(runtime: Runtime) -> None:
            found = runtime.shard.verify_partitions(transactional_id, producer, partitions)
            runtime.answer(answer, respond(found))

        self._host.answer_later(answer, transactional_id, verify, writing=False)

    # ---- administration

    async def describe(self, transactional_id: str) -> TransactionState:
        """Describe a transactional id for DescribeTransactions; the answer contains errors."""
        try:
            runtime = self._host.runtime_of(transactional_id, writing=False)
            return await when_committed(runtime, runtime.shard.describe(transactional_id))
        except KafkaError as error:
            return TransactionState(
                error_code=error.code,
                transactional_id=transactional_id,
                transaction_timeout=0,
                transaction_start_time=0,
                producer_id=0,
            )

    async def list_transactions(
        self,
        request: ListTransactionsRequest,
        matches: Callable[[str], bool] = lambda _transactional_id: True,
    ) -> ListTransactionsResponse:
        """The transactional ids that this broker coordinates and that pass the filters.

        `matches` is the request's pattern. Raises KafkaError COORDINATOR_LOAD_IN_PROGRESS.
        """
        labels = {state.label for state in State}
        wanted = set(request.state_filters)
        now_ms = self._clock.wall_ms()
        response = ListTransactionsResponse(unknown_state_filters=sorted(wanted - labels))

        def is_wanted(name: str, found: Transaction) -> bool:
            ids, duration = request.producer_id_filters, request.duration_filter
            return (
                (not wanted or found.state.label in wanted)
                and (not ids or found.producer_id in ids)
                and (duration < 0 or now_ms - found.started_ms > duration)
                and matches(name)
            )

        for runtime in self._host.runtimes():
            found = await when_committed(runtime, runtime.shard.transactions())
            response.transaction_states += [
                ListedTransaction(
                    transactional_id=name,
                    producer_id=transaction.producer_id,
                    transaction_state=transaction.state.label,
                )
                for name, transaction in found.items()
                if is_wanted(name, transaction)
            ]
        return response

    def without_record(self) -> int:
        """The number of transactions with all their markers and no Complete record yet."""
        return sum(
            found.state in PREPARED and not found.partitions
            for runtime in self._host.loaded()
            for found in runtime.shard.transactions().values()
        )

    # ---- inside

    async def _ask(
        self,
        transactional_id: str,
        response: type[R],
        operation: Callable[[Runtime, _Kept, int | None], None],
    ) -> R:
        """Run an operation and return its answer once committed; get it a producer id if it needs
        one.

        The shard may have changed by the time the id arrives, so it is looked up again.
        """
        new_id: int | None = None
        while True:
            runtime = self._host.runtime_of(transactional_id)
            kept = _Kept()
            try:
                operation(runtime, kept, new_id)
            except NeedsProducerId:
                new_id = await self._new_producer_id()
                continue
            await when_committed(runtime, None)
            if not isinstance(kept.answer, response):
                raise kept.error or KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)
            return kept.answer

    def _perform(self, runtime: Runtime, effect: object) -> None:
        """Execute the runtime's effects: a decision is committed, so its markers may be written."""
        assert isinstance(effect, WriteMarkers), effect
        wanted = effect

        def written(partitions: frozenset[TopicPartition]) -> None:
            if runtime.is_live:
                runtime.shard.markers_written(
                    wanted.transactional_id, wanted.marker, partitions, runtime.now()
                )
                runtime.settle()

        if wanted.partitions:
            self._send_markers(Wish(wanted, written, lambda: runtime.is_live))
        else:
            written(frozenset())


class _Kept:
    """A ticket that stores its answer."""

    def __init__(self) -> None:
        self.answer: object = None
        self.error: KafkaError | None = None

    def resolve(self, answer: object) -> None:
        self.answer = answer

    def fail(self, error: KafkaError) -> None:
        self.error = coordinator_error(error)


def known_code(code: int, knows_fenced: bool) -> int:
    """The error code for a version that may predate PRODUCER_FENCED (KIP-588)."""
    if code == ErrorCode.PRODUCER_FENCED and not knows_fenced:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    return code
