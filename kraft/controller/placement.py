"""Places replicas: spread over racks first, then over brokers.

Brokers form a circle in which neighbours are in different racks as far as possible. A topic starts
at a random position; the preferred leader of each partition is the next broker, so that leadership
is even. Its followers come from the rest of the circle, by a shift that changes with every round,
so that partitions are not always shared by the same brokers; each is in a rack that the partition
does not have yet, as long as there is one. Source: KIP-36 and Apache Kafka's striped placement, for
the guarantees; the algorithm is raftka's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from raftka.kraft.image import BrokerImage, MetadataImage
from raftka.model.dataclass import dataclass
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import Dice


@dataclass(frozen=True, slots=True)
class Site:
    """A broker that replicas can be placed on."""

    broker_id: int
    rack: str | None


def place(
    image: MetadataImage,
    dice: Dice,
    *,
    partitions: int,
    replication_factor: int,
    first_partition: int = 0,
) -> list[tuple[int, ...]]:
    """The replicas of each of `partitions` new partitions, preferred leader first.

    Fenced brokers are only used if there are not enough others, and then never first; brokers whose
    log directories are all cordoned are not used (KIP-1066). Raises KafkaError
    INVALID_REPLICATION_FACTOR if there are too few brokers.
    """
    brokers = [broker for _, broker in sorted(image.brokers.items())]
    usable = [each for each in brokers if not each.is_cordoned]
    active = [each for each in usable if each.is_active]
    spare = [each for each in usable if not each.is_active]
    _check_enough(active, spare, replication_factor, some_cordoned=len(usable) < len(brokers))
    circle = _circle(active)
    start = dice.randrange(len(circle))
    shift = dice.randrange(max(1, len(circle) - 1))
    placed = []
    for number in range(first_partition, first_partition + partitions):
        turn = number // len(circle)
        own = _replicas(circle, start + number, shift + turn, min(replication_factor, len(circle)))
        for extra in range(replication_factor - len(own)):
            own.append(spare[(start + number + extra) % len(spare)].broker_id)
        placed.append(tuple(own))
    return placed


def _check_enough(
    active: Sequence[BrokerImage],
    spare: Sequence[BrokerImage],
    replication_factor: int,
    *,
    some_cordoned: bool,
) -> None:
    if not active:
        words = "No broker is alive to lead the new partitions."
        if some_cordoned:
            words = "All brokers are fenced, or have all their log directories cordoned."
        raise KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, words)
    if replication_factor > len(active) + len(spare):
        raise KafkaError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"Unable to replicate the partition {replication_factor} time(s): only "
            f"{len(active) + len(spare)} broker(s) are registered"
            + (", apart from those whose log directories are all cordoned." * some_cordoned or "."),
        )


def _circle(brokers: Sequence[BrokerImage]) -> list[Site]:
    """The brokers in an order that alternates racks; brokers without a rack count as one rack."""
    racks: dict[str, list[Site]] = {}
    for each in brokers:
        racks.setdefault(each.rack or "", []).append(Site(each.broker_id, each.rack))
    rounds = zip_longest(*(racks[name] for name in sorted(racks)))
    return [site for each in rounds for site in each if site is not None]


def _replicas(circle: Sequence[Site], first: int, shift: int, count: int) -> list[int]:
    """`count` different brokers, starting at `first`, in as many racks as possible."""
    size = len(circle)
    leader = circle[first % size]
    chosen, racks = [leader.broker_id], {leader.rack}
    others = [circle[(first + 1 + (shift + step) % (size - 1)) % size] for step in range(size - 1)]
    for fresh_racks_only in (True, False):
        for site in others:
            if len(chosen) == count:
                return chosen
            if site.broker_id in chosen or (fresh_racks_only and site.rack in racks):
                continue
            chosen.append(site.broker_id)
            racks.add(site.rack)
        racks.clear()
    return chosen
