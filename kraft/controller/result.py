"""What a decision returns, and the rules that it is made under."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

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


def _setting(image: MetadataImage, topic: str, name: str) -> str | None:
    own = image.topic_config(topic).get(name)
    return image.broker_config(None).get(name) if own is None else own
