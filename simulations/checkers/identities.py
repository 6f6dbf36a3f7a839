"""Producer ids: each goes to one producer only, whichever controller allocates it.

If two producers shared an id, a leader would take one's records for the other's retries (KIP-98).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raftka.simulations.checkers.looks import Looks
from raftka.simulations.observers.kafka_wire import Watched

Report = Callable[[str, str], None]


class ProducerIds:
    """Checks the blocks of ids that controllers allocate to brokers, and the ids that producers
    receive.
    """

    def __init__(
        self, watched: Watched, report: Report, *, is_excused: Callable[[], bool] = lambda: False
    ) -> None:
        """`is_excused`: whether coordinators may have lost the state of transactional ids."""
        self.looks = Looks()
        self._is_excused = is_excused
        self._report = report
        self._blocks: list[tuple[int, int, str]] = []
        """(first id, the id after the last one, the producer that has the block)"""
        self._owners: dict[tuple[int, int], str] = {}
        """The producer that received an id with an epoch."""
        watched.answer("AllocateProducerIds", self._allocated)
        watched.answer("InitProducerId", self._given)

    def _allocated(self, client: str, server: str, request: Any, response: Any) -> None:
        if response.error_code:
            return
        self.looks("producer-ids-given-twice")
        first = response.producer_id_start
        end = first + response.producer_id_len
        for other_first, other_end, who in self._blocks:
            if first < other_end and other_first < end:
                self._report(
                    "producer-ids-given-twice",
                    f"controller {server} gives {client} the producer ids {first} to {end - 1};"
                    f" {who} has {other_first} to {other_end - 1}",
                )
        self._blocks.append((first, end, client))

    def _given(self, client: str, server: str, request: Any, response: Any) -> None:
        if response.error_code:
            return
        self.looks("producer-ids-given-twice")
        identity = (response.producer_id, response.producer_epoch)
        before = self._owners.get(identity)
        self._owners[identity] = client
        if before is not None and not (request.transactional_id and self._is_excused()):
            self._report(
                "producer-ids-given-twice",
                f"{server} gives {client} the producer id {identity[0]} with epoch {identity[1]},"
                f" which {before} has already",
            )
