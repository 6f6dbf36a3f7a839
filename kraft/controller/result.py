"""What a decision returns, and the rules that it is made under."""

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
    """Records to commit (maybe none), and the answer once they are committed."""

    records: Sequence[MetadataRecord]
    response: R
    then: Callable[[MetadataImage], Result[Any]] | None = None
    """What the operation decides next, on an image that shows these records; nothing else is
    decided in between. Its response does not matter. The records of both may come in batches of
    their own, of which the second is lost where the controller dies: each must be safe alone, and
    whatever begins the operation again must come to what was lost."""
    answered_first: bool = False
    """Whether the caller is answered when these records are committed, before what comes next."""


Charge = Callable[[object, int], None]
"""Counts changed partitions against a quota (KIP-599): charge(what they are for, how many).

Raises KafkaError THROTTLING_QUOTA_EXCEEDED. To charge for the same again does nothing, since a
decision may be made more than once."""


def free(_what: object, _partitions: int) -> None:
    """The charge where no quota holds."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The controller's own settings: what holds where no topic and no cluster default differs."""

    num_partitions: int = 1
    replication_factor: int = 1
    min_insync_replicas: int = 1
    unclean_leader_election: bool = False
    changes_at_once: int = 1000
    """How many partitions the change of one broker changes in a batch. While a batch is decided,
    encoded and replayed, a controller answers neither its quorum nor any broker."""
    off: RulesOff = ALL_HOLD
    """Safety rules that decisions are made without: none, outside of tests and simulations."""

    def min_isr(self, image: MetadataImage, topic: str) -> int:
        """The topic's min.insync.replicas: its own, the cluster's, or the controller's."""
        text = _setting(image, topic, MIN_INSYNC_REPLICAS)
        return self.min_insync_replicas if text is None else int(text)

    def allows_unclean_election(self, image: MetadataImage, topic: str) -> bool:
        """The topic's unclean.leader.election.enable, found likewise."""
        text = _setting(image, topic, UNCLEAN_LEADER_ELECTION)
        return self.unclean_leader_election if text is None else text.lower() == "true"


def in_batches(
    rules: Rules,
    changes: Iterable[MetadataRecord],
    last: Sequence[MetadataRecord],
    response: R,
    again: Callable[[MetadataImage], Result[Any]],
) -> Result[R]:
    """As many of the changes as a batch shall have; `last` comes with the last of them.

    `again` decides what is left: the same decision, which does not find what is done already. As
    long as `last` is not committed, the next controller finds the whole of it undone, and does so.
    """
    at_once = list(islice(changes, rules.changes_at_once))
    if len(at_once) < rules.changes_at_once:
        return Result([*at_once, *last], response)
    return Result(at_once, response, again)


def _setting(image: MetadataImage, topic: str, name: str) -> str | None:
    own = image.topic_config(topic).get(name)
    return image.broker_config(None).get(name) if own is None else own
