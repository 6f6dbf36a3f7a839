"""The result of a decision, and the rules for decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from raftka.kraft.image import MetadataImage
from raftka.kraft.records import MetadataRecord
from raftka.model.dataclass import dataclass
from raftka.model.rules import ALL_HOLD, RulesOff

R = TypeVar("R")

MIN_INSYNC_REPLICAS: Final = "min.insync.replicas"
UNCLEAN_LEADER_ELECTION: Final = "unclean.leader.election.enable"


@dataclass(frozen=True, slots=True)
class Result(Generic[R]):
    """Records to commit (maybe none), and the response once they are committed."""

    records: Sequence[MetadataRecord]
    response: R
    then: Callable[[MetadataImage], Result[Any]] | None = None
    """The operation's next decision, on an image that contains these records; nothing else is
    decided in between, and its response is ignored. The records of both may be in different
    batches, and the second one is lost if the controller fails: each batch must be safe alone, and
    whatever starts the operation again must also do the lost part."""
    answered_first: bool = False
    """Whether the caller is answered once these records are committed, before the next decision."""


Charge = Callable[[object, int], None]
"""Counts changed partitions against a quota (KIP-599): charge(purpose, count).

Raises KafkaError THROTTLING_QUOTA_EXCEEDED. A repeated charge for the same purpose does nothing,
since a decision may be made more than once.
"""


def free(_what: object, _partitions: int) -> None:
    """The charge without a quota."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The controller's own settings: the values without an override by topic or cluster."""

    num_partitions: int = 1
    replication_factor: int = 1
    min_insync_replicas: int = 1
    unclean_leader_election: bool = False
    changes_at_once: int = 1000
    """How many partitions a broker's change may change in one batch. While a batch is decided,
    encoded and replayed, a controller answers neither its quorum nor any broker."""
    off: RulesOff = ALL_HOLD
    """Safety rules that are switched off: none, except in tests and simulations."""

    def min_isr(self, image: MetadataImage, topic: str) -> int:
        """The topic's min.insync.replicas: its own, the cluster's, or the controller's."""
        text = _setting(image, topic, MIN_INSYNC_REPLICAS)
        return self.min_insync_replicas if text is None else int(text)

    def allows_unclean_election(self, image: MetadataImage, topic: str) -> bool:
        """The topic's unclean.leader.election.enable, found in the same way."""
        text = _setting(image, topic, UNCLEAN_LEADER_ELECTION)
        return self.unclean_leader_election if text is None else text.lower() == "true"


def in_batches(
    rules: Rules,
    changes: Iterable[MetadataRecord],
    last: Sequence[MetadataRecord],
    response: R,
    again: Callable[[MetadataImage], Result[Any]],
) -> Result[R]:
    """The first batch of changes; `last` is added to the last batch.

    `again` decides the rest: the same decision, which does not find the finished changes. Until
    `last` is committed, the next controller finds the change unfinished, and finishes it.
    """
    at_once = list(islice(changes, rules.changes_at_once))
    if len(at_once) < rules.changes_at_once:
        return Result([*at_once, *last], response)
    return Result(at_once, response, again)


def _setting(image: MetadataImage, topic: str, name: str) -> str | None:
    own = image.topic_config(topic).get(name)
    return image.broker_config(None).get(name) if own is None else own
