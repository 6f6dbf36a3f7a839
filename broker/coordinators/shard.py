"""What a coordinator is made of: a state machine per partition of its topic, as a contract.

The shape is that of Apache Kafka's coordinator runtime (KIP-848): an operation decides on memory
and gives (records, response); the records are appended; the response leaves when they are
committed. State may run ahead of the log, so when an append fails the shard is thrown away and
built again by `replay`. No client has seen what was lost.

There are two kinds of operation, by what the log may refuse:

- Ordinary ones. The shard applies its records at once and leaves them in its outbox; the log
  refuses them only together with the shard (another leader, a broken disk).
- Those of a producer's transaction. The log may refuse that producer alone (fenced), so
  the shard only decides; the runtime appends at once, and what the log has accepted comes back
  through `replay`. See `ShardRuntime.append_for_producer` and `.end_transaction`.
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
"""The longest string that a record of a coordinator can hold; requests can hold longer."""


class Shard(Protocol):
    """One partition of a coordinator's topic, without I/O. Times are handed in."""

    @property
    def outbox(self) -> Outbox:
        """What its operations have left for the runtime."""
        ...

    def replay(self, key: Buffer, value: Buffer | None, producer: Producer | None = None) -> None:
        """Apply a record of the log; with a producer, as pending in its transaction."""
        ...

    def replay_end_transaction_marker(
        self, producer_id: int, producer_epoch: int, commit: bool
    ) -> None:
        """Apply, or drop, all that is pending in the producer's transaction."""
        ...

    def metadata_changed(
        self, image: MetadataImage, delta: MetadataDelta | None, now: Moment
    ) -> None:
        """The metadata has changed; without a delta when the shard has just been read."""
        ...

    def loaded(self, now: Moment) -> None:
        """The log has been read and is committed: time passes and requests come from now on."""
        ...

    def next_deadline_s(self) -> float | None:
        """When `tick` has something to do, in monotonic seconds; None for never."""
        ...

    def tick(self, now: Moment) -> None:
        """Do what is due."""
        ...

    def abandon(self) -> list[Ticket]:
        """Forget the requests that wait within the shard, and return their tickets."""
        ...

    def sizes(self) -> Mapping[str, int]:
        """How many of what it holds, for log lines; all 0 in an empty shard."""
        ...


@dataclass(frozen=True, slots=True)
class CoordinatorTopic:
    """A coordinator's topic as its runtime sees it."""

    name: str
    commit_timeout_ms: int
    """How long an answer waits for the in-sync replicas to have what it rests on."""
    commit_timeout_setting: str
    """Where users set that."""
    max_batch_bytes: int
    """The records of the largest batch that the topic's log takes."""

    def late(self) -> KafkaError:
        """What a request is answered whose records are not committed in time.

        They are in the log and may be committed yet.
        """
        return KafkaError(
            ErrorCode.REQUEST_TIMED_OUT,
            f"not all in-sync replicas have it within {self.commit_timeout_setting}",
        )
