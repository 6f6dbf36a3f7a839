"""The contract of a coordinator's shard: a state machine per partition of its topic.

The shape is that of Apache Kafka's coordinator runtime (KIP-848): an operation decides in memory
and returns (records, response); the records are appended; the response is sent once they are
committed. State may run ahead of the log, so when an append fails the shard is discarded and
rebuilt by `replay`. No client has seen what was lost.

There are two kinds of operation:

- Ordinary ones. The shard applies its records at once and leaves them in its outbox; the log
  refuses them only together with the shard (another leader, a broken disk).
- Those of a producer's transaction. The log may refuse that producer alone (fenced), so the shard
  only decides; the runtime appends at once, and applies accepted records by `replay`. See
  `ShardRuntime.append_for_producer` and `.end_transaction`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from raftka.broker.coordinators.outbox import Outbox, Producer, Ticket
from raftka.broker.coordinators.timers import Moment
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import MetadataImage
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Buffer

STRING_BYTES_MAX: Final = 32_767
"""The longest string in a coordinator's record, in bytes; requests can hold longer ones."""


class Shard(Protocol):
    """One partition of a coordinator's topic, without I/O. The caller passes the time."""

    @property
    def outbox(self) -> Outbox:
        """The output of its operations, for the runtime."""
        ...

    def replay(self, key: Buffer, value: Buffer | None, producer: Producer | None = None) -> None:
        """Apply a record of the log; with a producer, as pending in its transaction."""
        ...

    def replay_end_transaction_marker(
        self, producer_id: int, producer_epoch: int, commit: bool
    ) -> None:
        """Apply or drop everything pending in the producer's transaction."""
        ...

    def metadata_changed(
        self, image: MetadataImage, delta: MetadataDelta | None, now: Moment
    ) -> None:
        """Apply new metadata; `delta` is None right after the shard was replayed."""
        ...

    def loaded(self, now: Moment) -> None:
        """The log is replayed and committed: start the timers and accept requests."""
        ...

    def next_deadline_s(self) -> float | None:
        """When `tick` is due, in monotonic seconds; None for never."""
        ...

    def tick(self, now: Moment) -> None:
        """Run the timers that are due."""
        ...

    def abandon(self) -> list[Ticket]:
        """Drop the requests that wait within the shard, and return their tickets."""
        ...

    def sizes(self) -> Mapping[str, int]:
        """Counts of what it holds, for log lines; all 0 in an empty shard."""
        ...


@dataclass(frozen=True, slots=True)
class CoordinatorTopic:
    """A coordinator's topic as its runtime sees it."""

    name: str
    commit_timeout_ms: int
    """How long an answer waits for the in-sync replicas to replicate its records."""
    commit_timeout_setting: str
    """The setting that determines it."""
    max_batch_bytes: int
    """The size of the largest batch that the topic's log accepts."""

    def late(self) -> KafkaError:
        """The error for a request whose records are not committed in time.

        They are in the log and may still be committed.
        """
        return KafkaError(
            ErrorCode.REQUEST_TIMED_OUT,
            f"not all in-sync replicas have it within {self.commit_timeout_setting}",
        )
