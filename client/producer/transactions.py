"""A producer's transactions on the wire: its state's requests, sent to the coordinators.

Sources: KIP-98 (transactions), KIP-360 (a new epoch after an error), KIP-447 (offsets carry the
consumer's membership), KIP-588 (timeouts), KIP-890 (transaction.version 2), KIP-1050 (errors).

Each call runs in its caller's task and may be cancelled. The next call completes unfinished work: a
commit another commit, an abort anything else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from math import inf
from typing import Final

import trio

from raftka.client.cluster import Cluster
from raftka.client.group_offsets import GroupMetadata, OffsetAndMetadata
from raftka.client.opening import LAST_WORDS_S
from raftka.client.producer.accumulator import Accumulator
from raftka.client.producer.batch import NO_IDENTITY, Identity
from raftka.client.producer.transaction_errors import (
    ABORTS,
    MustAbort,
    MustRetry,
    TransactionError,
    Verdict,
    error_for,
    of_leader,
)
from raftka.client.producer.transaction_requests import TransactionRequests
from raftka.client.producer.transaction_state import Phase, TransactionState
from raftka.client.settings import ClientConfig
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition

log = logging.getLogger("raftka.producer")

_FEATURE: Final = "transaction.version"
_JOINS_BY_WRITING: Final = 2
"""The level of transaction.version from which KIP-890's protocol is spoken."""

_LAST_PRODUCE_V1: Final = 11
"""The newest Produce that does not make partitions join."""


class Transactions:
    """The transactions of one producer with a transactional.id."""

    def __init__(
        self, cluster: Cluster, accumulator: Accumulator, config: ClientConfig, id: str
    ) -> None:
        self.id = id
        self.state = TransactionState()
        self.wake: Callable[[], None] = lambda: None
        """Wakes the sender."""
        self._cluster = cluster
        self._clock = cluster.clock
        self._accumulator = accumulator
        self._max_block_s = config.seconds("max.block.ms")
        self._requests = TransactionRequests(cluster, config, id, self._note)
        self._asking = trio.Lock()
        """Sends the transaction's requests one after the other, its end last."""
        self._wanted = cluster.clock.alarm()

    # For the sender

    @property
    def current(self) -> Identity:
        """The producer id and epoch of new batches."""
        return self.state.identity

    async def prepare(self) -> None:
        """Nothing: `initialize` has fetched the identity."""
        await trio.lowlevel.checkpoint()

    @property
    def newest_produce(self) -> int | None:
        """The newest version of Produce that means the same to this transaction; None for any."""
        return None if self.state.joins_by_writing else _LAST_PRODUCE_V1

    @property
    def takes_retries(self) -> bool:
        """Whether a batch that failed may be sent again within this transaction."""
        return self.state.phase in (Phase.OPEN, Phase.COMMITTING)

    def batch_failed(self, target: TopicPartition, code: ErrorCode) -> None:
        """A batch will not be sent again: the transaction cannot be committed."""
        verdict = of_leader(code)
        self._note(error_for(verdict, code, f"a batch for {target} failed"), verdict)

    def want(self, target: TopicPartition) -> None:
        """Accept a record for the partition. Raises KafkaError when no transaction is open."""
        self.state.check_open("send")
        if self.state.want(target):
            self._wanted.ring()

    async def keep_joining(self) -> None:
        """Ask the coordinator to add partitions as records for them come; until cancelled."""
        while True:
            await self._wanted.wait(inf)
            while self.state.wanted:
                await self._add_partitions()

    # For the caller

    async def initialize(self) -> None:
        """Fetch an identity that fences former producers. Raises MustRetry, MustClose."""
        self.state.initialize()
        with self._clock.within(self._max_block_s):
            async with self._asking:
                identity = await self._requests.fetch_identity(NO_IDENTITY)
                self.state.initialized(identity)
                self._accumulator.restart(identity)
            return
        raise self._no_answer("init_transactions")

    def begin(self) -> None:
        """Open a transaction, by the protocol that the cluster has agreed on by now."""
        level = self._cluster.connections.features.levels.get(_FEATURE, 0)
        self.state.begin(joins_by_writing=level >= _JOINS_BY_WRITING)

    async def send_offsets(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata], group: GroupMetadata
    ) -> None:
        """Add a group's positions to the transaction. Raises MustAbort, MustClose."""
        self.state.check_open("send_offsets_to_transaction")
        if not offsets:
            await trio.lowlevel.checkpoint()
            return
        with self._clock.within(self._max_block_s):
            async with self._asking:
                self.state.check_open("send_offsets_to_transaction")
                joined = False
                try:
                    await self._join_offsets(offsets, group)
                    joined = True
                finally:
                    if not joined:
                        # Also when the caller was cancelled: they may be in or not.
                        self.state.spoil(_no_offsets(group.group_id), renew=False)
            return
        raise _no_offsets(group.group_id)

    async def commit(self) -> None:
        """Flush, and commit. Raises MustRetry, MustAbort, MustClose."""
        self.state.commit()
        with self._clock.within(self._max_block_s):
            await self._flush()
            async with self._asking:
                self.state.decide()
                self._ended(await self._end(commit=True))
            return
        raise self._no_answer("commit_transaction")

    async def abort(self) -> None:
        """Drop waiting records, and abort. Raises MustRetry, MustClose."""
        self.state.abort()
        self._drop_waiting(MustAbort(ErrorCode.TRANSACTION_ABORTABLE, "the transaction is aborted"))
        with self._clock.within(self._max_block_s):
            for batch in self._accumulator.in_flight():
                await batch.done.wait()
            async with self._asking:
                identity = await self._end(commit=False)
                if self.state.needs_new_epoch:
                    identity = await self._requests.fetch_identity(self.state.identity)
                self._ended(identity)
            return
        raise self._no_answer("abort_transaction")

    async def finish_abort(self) -> None:
        """Finish an abort that had no answer so far. Raises MustRetry, MustClose."""
        if self.state.phase is Phase.ABORTING:
            await self.abort()
        await trio.lowlevel.checkpoint()

    async def end_in_order(self) -> None:
        """End a transaction that its caller has left: abort it, or finish a commit in progress.

        Takes LAST_WORDS_S at most; after that transaction.timeout.ms aborts it.
        """
        if not self.state.in_transaction:
            return
        with trio.CancelScope(shield=True), self._clock.within(LAST_WORDS_S):
            try:
                if self.state.phase is Phase.DECIDED:
                    await self.commit()
                else:
                    await self.abort()
                return
            except TransactionError:
                # Keep the error: beginning the next transaction raises it.
                return
        log.warning(
            "transactional id %s: no answer of its coordinator within %g s to the end of its"
            " transaction",
            self.id,
            LAST_WORDS_S,
        )

    # Steps

    async def _flush(self) -> None:
        self._accumulator.begin_flush()
        self.wake()
        try:
            for batch in self._accumulator.unfinished():
                await batch.done.wait()
        finally:
            self._accumulator.end_flush()

    def _ended(self, identity: Identity | None) -> None:
        self.state.ended(identity)
        if identity is not None:
            self._accumulator.restart(identity)

    async def _add_partitions(self) -> None:
        async with self._asking:
            targets = self.state.wanted
            if not targets:
                return
            try:
                await self._requests.add_partitions(
                    self.current, targets, lambda: self.takes_retries
                )
                self.state.joined(targets)
            except TransactionError:
                # Noted: the next call of the caller raises it.
                return
        self.wake()

    async def _join_offsets(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata], group: GroupMetadata
    ) -> None:
        by_writing = self.state.joins_by_writing
        if not by_writing:
            await self._requests.add_offsets(self.current, group.group_id)
        self.state.offsets_joined()
        await self._requests.commit_offsets(
            self.current, offsets, group, lambda: self.takes_retries, by_writing=by_writing
        )

    async def _end(self, *, commit: bool) -> Identity | None:
        """End the transaction at the coordinator; returns the next identity, if it sends one."""
        if not self.state.needs_end:
            return None
        try:
            return await self._requests.end(
                self.current, commit=commit, by_writing=self.state.joins_by_writing
            )
        except MustAbort:
            if commit or not self.state.needs_new_epoch:
                raise
            # The coordinator has forgotten the producer, and the transaction with it.
            return None

    def _note(self, error: TransactionError, verdict: Verdict) -> None:
        before = self.state.phase
        if verdict in ABORTS:
            self.state.spoil(error, renew=verdict is Verdict.ABORT_AND_RENEW)
        else:
            self.state.die(error)
        if self.state.phase is not before:
            log.warning("transactional id %s: %s", self.id, error)
            self._drop_waiting(error)

    def _drop_waiting(self, error: TransactionError) -> None:
        """Fail the records that were not sent yet, or not successfully."""
        if self._accumulator.drop_waiting(error):
            self.state.spoil(error, renew=True)

    def _no_answer(self, call: str) -> MustRetry:
        if self._cluster.last_error is not None:
            why = str(self._cluster.unreachable())
        elif self.state.phase is Phase.COMMITTING:
            why = f"{len(self._accumulator.unfinished())} batches of records are not stored yet"
        else:
            why = f"the coordinator of transactional id {self.id} has not answered"
        return MustRetry(
            ErrorCode.REQUEST_TIMED_OUT,
            f"{call} has no result within max.block.ms = {self._max_block_s * 1000:g}: {why}. Call"
            " it again to wait for the result, or close the producer",
        )


def _no_offsets(group_id: str) -> MustAbort:
    return MustAbort(
        ErrorCode.REQUEST_TIMED_OUT,
        f"it is not known whether the offsets of group {group_id} are in the transaction: abort it,"
        " and do it again",
    )
