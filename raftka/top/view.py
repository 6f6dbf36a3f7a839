"""Compares two samples of a cluster. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from raftka.client.admin.nodes import Node
from raftka.client.admin.topics import PartitionDescription
from raftka.model.ids import TopicPartition
from raftka.top.sample import Sample


class Election(NamedTuple):
    """A change of leader between two samples."""

    what: str
    """The partition, or "controller"."""
    old: int
    """The former leader's id; -1 for none."""
    new: int
    epoch: int
    why: str
    """The reason, as far as it shows from outside."""


class TopicRow(NamedTuple):
    """A topic in the table."""

    name: str
    partitions: int
    replication: int
    records_s: float
    """Records per second since the last sample; control records count, too."""
    under_replicated: int
    offline: int


class GroupRow(NamedTuple):
    """A group in the table."""

    name: str
    state: str
    members: int
    lag: int | None
    """Its lag in records; None where it has committed nothing."""
    records_s: float


class BrokerRow(NamedTuple):
    """A broker in the table."""

    broker: Node
    is_controller: bool
    leads: int
    replicas: int
    missing: int
    """The number of its replicas that are not in their ISR."""


@dataclass
class View:
    """The present state, and the elections of the last minutes."""

    sample: Sample
    brokers: list[BrokerRow]
    topics: list[TopicRow]
    groups: list[GroupRow]
    elections: list[Election] = field(default_factory=list)

    @property
    def records_s(self) -> float:
        """Records per second in all topics."""
        return sum(topic.records_s for topic in self.topics)


def view(before: Sample | None, now: Sample) -> View:
    """The present state, with rates and elections if there is an earlier sample."""
    passed_s = 0.0 if before is None else now.at_s - before.at_s
    earlier = {} if before is None else before.ends
    rates = {
        at: max(0, end - earlier[at]) / passed_s
        for at, end in now.ends.items()
        if at in earlier and passed_s > 0
    }
    return View(
        now,
        _brokers(now),
        _topics(now, rates),
        _groups(before, now, passed_s),
        [] if before is None else elections(before, now),
    )


def _brokers(now: Sample) -> list[BrokerRow]:
    leads: Counter[int] = Counter()
    replicas: Counter[int] = Counter()
    missing: Counter[int] = Counter()
    for topic in now.topics.values():
        for each in topic.partitions:
            if each.leader is not None:
                leads[each.leader.id] += 1
            replicas.update(each.replicas)
            missing.update(set(each.replicas) - set(each.isr))
    return [
        BrokerRow(
            broker,
            broker.id == now.controller_id,
            leads[broker.id],
            replicas[broker.id],
            missing[broker.id],
        )
        for broker in now.brokers
    ]


def _topics(now: Sample, rates: dict[TopicPartition, float]) -> list[TopicRow]:
    rows = [
        TopicRow(
            topic.name,
            len(topic.partitions),
            min((len(each.replicas) for each in topic.partitions), default=0),
            sum(rates.get(TopicPartition(topic.name, each.index), 0) for each in topic.partitions),
            sum(len(each.isr) < len(each.replicas) for each in topic.partitions),
            sum(each.leader is None for each in topic.partitions),
        )
        for topic in now.topics.values()
    ]
    # Topics with problems first, then busy ones.
    return sorted(rows, key=lambda row: (-row.offline, -row.under_replicated, -row.records_s, row))


def _groups(before: Sample | None, now: Sample, passed_s: float) -> list[GroupRow]:
    rows = []
    for name, group in now.groups.items():
        earlier = before.groups.get(name) if before is not None else None
        moved = sum(
            max(0, offset - earlier.offsets.get(at, offset))
            for at, offset in group.offsets.items()
            if earlier is not None
        )
        known = [
            max(0, now.ends[at] - offset) for at, offset in group.offsets.items() if at in now.ends
        ]
        lag = sum(known) if known else None
        rate = moved / passed_s if passed_s > 0 else 0.0
        rows.append(GroupRow(name, group.state, group.members, lag, rate))
    return sorted(rows, key=lambda row: (-(row.lag or 0), row.name))


def elections(before: Sample, now: Sample) -> list[Election]:
    """The leaders that have changed between two samples."""
    found = []
    alive = {broker.id for broker in now.brokers if not broker.fenced}
    if before.controller_epoch != now.controller_epoch:
        found.append(
            Election(
                "controller",
                before.controller_id,
                now.controller_id,
                now.controller_epoch,
                _why_controller(before.controller_id, now, alive),
            )
        )
    for name, topic in now.topics.items():
        old = before.topics.get(name)
        if old is None or old.id != topic.id:
            continue
        for was, is_now in zip(old.partitions, topic.partitions, strict=False):
            if was.leader_epoch != is_now.leader_epoch:
                found.append(_election(f"{name}-{is_now.index}", was, is_now, alive))
    return found


def _election(
    what: str, was: PartitionDescription, is_now: PartitionDescription, alive: set[int]
) -> Election:
    old = -1 if was.leader is None else was.leader.id
    new = -1 if is_now.leader is None else is_now.leader.id
    if new == -1:
        why = "no replica that is in sync is alive"
    elif old != -1 and old not in alive:
        why = f"broker {old} is gone or fenced"
    elif old == -1:
        why = f"broker {new} has come back"
    elif new == is_now.replicas[0]:
        why = "the preferred replica leads again"
    elif old == new:
        why = "the same leader in a new epoch: its ISR or its process changed"
    else:
        why = f"broker {old} is alive: it was asked to move, restarted, or was away for a moment"
    return Election(what, old, new, is_now.leader_epoch, why)


def _why_controller(old: int, now: Sample, alive: set[int]) -> str:
    known = {broker.id for broker in now.brokers}
    if old in known and old not in alive:
        return f"node {old} is gone"
    return f"node {old} resigned, or a majority heard nothing of it"
