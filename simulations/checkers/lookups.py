"""What ListOffsets returns to consumers: log start and end, and offsets by time.

The end is the high watermark: every in-sync replica has the records before it, and it covers every
record that clients knew when they asked. A lookup by time finds the first record with at least that
timestamp.
"""

from __future__ import annotations

from typing import Any, Final

from raftka.kraft.image import PartitionImage
from raftka.model.offset_specs import EARLIEST, LATEST
from raftka.simulations.checkers.answers import AnswerChecker
from raftka.simulations.checkers.looks import Looks
from raftka.simulations.checkers.replicas import ReplicaChecker
from raftka.simulations.observers.kafka_wire import Watched
from raftka.simulations.observers.metadata import ObservedMetadata
from raftka.simulations.observers.partition_log import Key, PartitionLogs
from raftka.simulations.violation import About, Report

_HEADER_BYTES: Final = 61
"""The size of a batch without records."""
_CONSUMER: Final = -1


class LookUps:
    """Checks responses of partition leaders."""

    def __init__(
        self,
        watched: Watched,
        metadata: ObservedMetadata,
        logs: PartitionLogs,
        replicas: ReplicaChecker,
        answers: AnswerChecker,
        report: Report,
    ) -> None:
        """`replicas` knows what clients learned, `answers` what a high watermark promises."""
        self.looks = Looks()
        self._metadata = metadata
        self._logs = logs
        self._replicas = replicas
        self._answers = answers
        self._report = report
        self._known: dict[int, tuple[Any, dict[Key, int]]] = {}
        """The end of the records that clients knew when each request was sent."""
        watched.request("ListOffsets", self._asked)
        watched.answer("ListOffsets", self._told)

    def _asked(self, client: str, server: str, request: Any) -> None:
        keys = [
            (topic.name, partition.partition_index)
            for topic in request.topics
            for partition in topic.partitions
        ]
        truths = self._replicas.truths
        self._known[id(request)] = (request, {k: truths[k].end for k in keys if k in truths})

    def _told(self, client: str, server: str, request: Any, response: Any) -> None:
        _, known = self._known.pop(id(request), (None, {}))
        if request.replica_id != _CONSUMER:
            return
        wanted = {
            (topic.name, partition.partition_index): partition.timestamp
            for topic in request.topics
            for partition in topic.partitions
        }
        for topic in response.topics:
            for data in topic.partitions:
                key = (topic.name, data.partition_index)
                partition = self._metadata.image.partition(*key)
                leads = partition is not None and f"n{partition.leader}" == server
                if data.error_code or key not in wanted or partition is None or not leads:
                    continue
                if self._replicas.promises_nothing(key):
                    continue
                self.looks("end-before-what-is-known", "look-up-by-time")
                if wanted[key] == LATEST and request.isolation_level:
                    continue  # The last stable offset: clients may know later records.
                if wanted[key] == LATEST:
                    self._check_end(key, partition, server, data.offset, known.get(key, 0))
                elif wanted[key] == EARLIEST:
                    self._answers.check_start(key, server, data.offset)
                elif wanted[key] >= 0:
                    self._check_time(key, server, wanted[key], data)

    def _check_end(
        self, key: Key, partition: PartitionImage, server: str, offset: int, known: int
    ) -> None:
        self._answers.check_committed(key, partition, server, offset)
        if offset < known and self._holds_all(key, server):
            self._report(
                "end-before-what-is-known",
                f"{server} says that {key[0]}-{key[1]} ends at {offset}, but clients knew of"
                f" records up to {known} when it was asked",
                about=About(key, offset, node=server),
            )

    def _holds_all(self, key: Key, server: str) -> bool:
        truth = self._replicas.truth(key)
        return int(server[1:]) not in truth.losers

    def _check_time(self, key: Key, server: str, timestamp: int, data: Any) -> None:
        """No batch known to clients before the returned offset has so late a timestamp."""
        mirror = self._logs.replica(server, key)
        truth = self._replicas.truth(key)
        if mirror is None:
            return
        found = data.offset if data.offset >= 0 else truth.end
        if data.offset >= 0 and data.timestamp < timestamp:
            self._report(
                "look-up-by-time",
                f"{server} was asked for the first record of {key[0]}-{key[1]} from {timestamp} on"
                f" and answers offset {data.offset} of {data.timestamp}, which is before",
                about=About(key, data.offset, node=server),
            )
        for batch in mirror.batches():
            if batch.last_offset >= min(found, truth.end):
                return
            # The cleaner keeps the timestamp of a batch that it empties, as Apache Kafka does.
            has_records = batch.size > _HEADER_BYTES
            is_late = has_records and batch.max_timestamp >= timestamp
            if batch.base_offset >= truth.start and is_late:
                self._report(
                    "look-up-by-time",
                    f"{server} was asked for the first record of {key[0]}-{key[1]} from {timestamp}"
                    f" on: it says {data.offset if data.offset >= 0 else 'none'},"
                    f" but offsets {batch.base_offset} to {batch.last_offset} have one of"
                    f" {batch.max_timestamp}",
                    about=About(key, batch.base_offset, node=server),
                )
                return
