"""A transactional producer's requests, retried at the current coordinator until it answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Final, TypeVar

from raftka.client.cluster import Cluster
from raftka.client.coordinator import GROUP, TRANSACTION, Coordinator
from raftka.client.group_offsets import GroupMetadata, OffsetAndMetadata
from raftka.client.producer import transaction_messages as messages
from raftka.client.producer.batch import Identity
from raftka.client.producer.transaction_errors import (
    ABORTS,
    PASSING,
    TransactionError,
    Verdict,
    error_for,
    of_coordinator,
)
from raftka.client.settings import ClientConfig
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import BrokenConnection
from raftka.net.protocol.message import Request, Response
from raftka.net.protocol.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from raftka.net.protocol.messages.end_txn import EndTxnRequest
from raftka.net.protocol.messages.init_producer_id import InitProducerIdRequest

log = logging.getLogger("raftka.producer")

R = TypeVar("R", bound=Response)

_ANY: Final = frozenset(ErrorCode)
_SOON_S: Final = 0.02
"""The first pause while the coordinator still ends the last transaction, which takes moments."""

# The newest versions with the semantics before transaction.version 2, or that name topics.
_LAST_INIT: Final = 5
_LAST_ADD_PARTITIONS: Final = 3
_LAST_END_V1: Final = 4
_LAST_OFFSETS_V1: Final = 4
_LAST_OFFSETS_BY_NAME: Final = 5


class TransactionRequests:
    """Requests of one transactional id. Each raises MustAbort, MustClose."""

    def __init__(
        self,
        cluster: Cluster,
        config: ClientConfig,
        id: str,
        note: Callable[[TransactionError, Verdict], None],
    ) -> None:
        """`note` records an error before it is raised."""
        self._cluster = cluster
        self._id = id
        self._timeout_ms = config.number("transaction.timeout.ms")
        self._note = note
        self._coordinator = Coordinator(cluster, id, TRANSACTION)
        self._groups: dict[str, Coordinator] = {}

    async def fetch_identity(self, current: Identity) -> Identity:
        """A new epoch, or the one after `current` (KIP-360); fences all earlier ones."""
        request = InitProducerIdRequest(
            transactional_id=self._id,
            transaction_timeout=self._timeout_ms,
            producer_id=current.producer_id,
            producer_epoch=current.epoch,
        )
        answer = await self._ask(
            self._coordinator,
            request,
            lambda answer: answer.error_code,
            "no producer id",
            highest=_LAST_INIT,
            abortable=(),
        )
        log.info(
            "transactional id %s: producer id %d, epoch %d",
            self._id,
            answer.producer_id,
            answer.producer_epoch,
        )
        return Identity(answer.producer_id, answer.producer_epoch)

    async def add_partitions(
        self, identity: Identity, targets: Sequence[TopicPartition], wanted: Callable[[], bool]
    ) -> None:
        """Add partitions, before anything is written to them. Stops when not `wanted`."""
        await self._ask(
            self._coordinator,
            messages.add_partitions(self._id, identity, targets),
            messages.added,
            f"{', '.join(map(str, targets[:5]))} cannot join the transaction",
            highest=_LAST_ADD_PARTITIONS,
            wanted=wanted,
        )

    async def add_offsets(self, identity: Identity, group_id: str) -> None:
        """Add the offsets of a group, before they are committed."""
        request = AddOffsetsToTxnRequest(
            transactional_id=self._id,
            producer_id=identity.producer_id,
            producer_epoch=identity.epoch,
            group_id=group_id,
        )
        await self._ask(
            self._coordinator, request, lambda answer: answer.error_code, _no_join(group_id)
        )

    async def commit_offsets(
        self,
        identity: Identity,
        offsets: Mapping[TopicPartition, OffsetAndMetadata],
        group: GroupMetadata,
        wanted: Callable[[], bool],
        *,
        by_writing: bool,
    ) -> None:
        """Send offsets to the group's coordinator; with `by_writing` that adds them, too."""
        coordinator = self._groups.setdefault(
            group.group_id, Coordinator(self._cluster, group.group_id, GROUP)
        )
        await self._ask(
            coordinator,
            messages.commit_offsets(self._id, identity, offsets, group),
            messages.offsets_committed,
            _no_join(group.group_id),
            highest=_LAST_OFFSETS_BY_NAME if by_writing else _LAST_OFFSETS_V1,
            wanted=wanted,
        )

    async def end(self, identity: Identity, *, commit: bool, by_writing: bool) -> Identity | None:
        """End the transaction; returns the identity of the next one if the coordinator sends it.

        An abort raises MustAbort only when the coordinator has forgotten the producer.
        """
        request = EndTxnRequest(
            transactional_id=self._id,
            producer_id=identity.producer_id,
            producer_epoch=identity.epoch,
            committed=commit,
        )
        answer = await self._ask(
            self._coordinator,
            request,
            lambda answer: answer.error_code,
            f"the transaction cannot be {'committed' if commit else 'aborted'}",
            highest=None if by_writing else _LAST_END_V1,
            abortable=_ANY if commit else {ErrorCode.INVALID_PRODUCER_ID_MAPPING},
        )
        if answer.producer_id < 0:
            return None
        return Identity(answer.producer_id, answer.producer_epoch)

    async def _ask(
        self,
        coordinator: Coordinator,
        request: Request[R],
        code_of: Callable[[R], int],
        step: str,
        *,
        highest: int | None = None,
        abortable: Container[ErrorCode] = _ANY,
        wanted: Callable[[], bool] = lambda: True,
    ) -> R:
        """Ask the current coordinator until there is an answer.

        `abortable`: the codes that an abort may cure here. Stops when no longer `wanted`. Raises
        MustAbort, MustClose, after noting it.
        """
        failures = 0
        while True:
            try:
                channel = await coordinator.channel()
                answer = await self._cluster.ask(channel, request, highest=highest)
                code = ErrorCode(code_of(answer))
                if code == ErrorCode.NONE:
                    return answer
            except BrokenConnection as error:
                coordinator.lost(str(error))
                code = ErrorCode.NETWORK_EXCEPTION
            except KafkaError as error:
                code = error.code
            verdict = of_coordinator(code)
            if verdict in PASSING and not wanted():
                # It may have been done without an answer: only a new epoch is safe after that.
                verdict = Verdict.ABORT_AND_RENEW
            if verdict not in PASSING:
                if verdict in ABORTS and code not in abortable:
                    verdict = Verdict.CLOSE
                failure = error_for(verdict, code, step)
                self._note(failure, verdict)
                raise failure
            if verdict is Verdict.LOOK_UP:
                coordinator.lost(code.name)
            failures += 1
            log.debug("%s: %s, attempt %d", step, code.name, failures)
            pause = self._cluster.retry_backoff.pause(failures)
            if code == ErrorCode.CONCURRENT_TRANSACTIONS:
                pause = min(pause, _SOON_S * failures)
            await self._cluster.clock.sleep(pause)


def _no_join(group_id: str) -> str:
    return f"the offsets of group {group_id} cannot join the transaction"
