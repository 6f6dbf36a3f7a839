"""An acknowledged batch is at the acknowledged offset, also after retries.

A leader does not append a retry again, sent after a lost answer, a timeout or an election: it
answers with the offset that it remembers (KIP-98). Its producer state must follow the log through
copies, truncations and restarts, or the acknowledged offset would hold another record. Each answer
is compared with the log on the leader's disk at the moment at which it is sent: a batch with the
CRC of the one that was sent begins at that offset.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from raftka.model.record_batch import BatchHeader, parse_header
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.observers.kafka_wire import Watched
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import Batch, Key, PartitionLogs
from raftka.simulations.violation import About, Report

_ALL: Final = -1
_REWRITES: Final = ("compression.type", "message.timestamp.type")
"""Settings of topics whose leaders may store other bytes than were sent."""


class ProducedOffsets:
    """Checks responses to Produce requests."""

    def __init__(
        self,
        watched: Watched,
        metadata: ObservedMetadata,
        logs: PartitionLogs,
        report: Report,
        *,
        is_excused: Callable[[Key], bool],
        note: Callable[[str], None],
    ) -> None:
        """`is_excused`: whether a partition lost more disks than its guarantees cover."""
        self.looks = Looks()
        self._metadata = metadata
        self._logs = logs
        self._report = report
        self._is_excused = is_excused
        self._note = note
        self._told: dict[tuple[Key, int, int, int], str] = {}
        """The last host to answer for a batch, by partition, producer id, epoch and first sequence.
        """
        watched.answer("Produce", self._answered)

    def _answered(self, client: str, server: str, request: Any, response: Any) -> None:
        names = self._metadata.image.topic_names
        sent = {
            (topic.name or names.get(topic.topic_id), data.index): data.records
            for topic in request.topic_data
            for data in topic.partition_data
        }
        for topic in response.responses:
            name = topic.name or names.get(topic.topic_id)
            for data in topic.partition_responses:
                records = sent.get((name, data.index))
                if name is not None and not data.error_code and records:
                    key = (name, data.index)
                    header = parse_header(memoryview(records))
                    self._check(key, client, server, header, data.base_offset, request.acks)

    def _check(
        self, key: Key, client: str, server: str, header: BatchHeader, offset: int, acks: int
    ) -> None:
        partition = self._metadata.image.partition(*key)
        mirror = self._logs.replica(server, key)
        if partition is None or mirror is None or self._is_excused(key):
            return
        leads = f"n{partition.leader}" == server
        if offset < mirror.start_offset or (acks != _ALL and not leads):
            return
        self.looks("told-another-offset")
        self._notice(key, server, header)
        found = mirror.find(offset)
        if found is not None and found.base_offset == offset and self._is_same(key, header, found):
            return
        there = "nothing" if found is None else f"the batch of {found.base_offset} to"
        there += "" if found is None else f" {found.last_offset}, leader epoch {found.epoch}"
        self._report(
            "told-another-offset",
            f"{server} answers {client} that its batch of {header.record_count} records, sequence"
            f" {header.base_sequence} of producer {header.producer_id}, is at offset {offset} of"
            f" {key[0]}-{key[1]}, and has {there} there",
            about=About(key, offset, node=server, other=client),
        )

    def _is_same(self, key: Key, header: BatchHeader, found: Batch) -> bool:
        if found.last_offset - found.base_offset != header.last_offset_delta:
            return False
        config = self._metadata.image.topic_config(key[0])
        return found.crc == header.crc or any(name in config for name in _REWRITES)

    def _notice(self, key: Key, server: str, header: BatchHeader) -> None:
        if header.producer_id < 0:
            return
        batch = (key, header.producer_id, header.producer_epoch, header.base_sequence)
        before = self._told.get(batch)
        if before is not None:
            self._note("batch answered again" + ("" if before == server else " by another leader"))
        self._told[batch] = server
