"""The properties of a run beyond the defaults: topics, brokers and administrators, drawn from the
seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from raftka.simulations.machines import logins
from raftka.simulations.plan import ConsumerPlan, TopicPlan, TransactorPlan


def shape(dice: Random) -> dict[str, str]:
    """The settings of a topic that is not plain: retention, compression, timestamp type."""
    configs = {"file.delete.delay.ms": str(dice.choice([60_000, 1000]))}
    kept = dice.random()
    if kept < 0.12:
        configs["retention.ms"] = str(dice.choice([2000, 5000, 15_000]))
        configs["segment.ms"] = "1500"
    elif kept < 0.2:
        configs["retention.bytes"] = str(dice.choice([1000, 10_000]))
        configs["segment.ms"] = "1500"
    if dice.random() < 0.12:
        configs["message.timestamp.type"] = "LogAppendTime"
    if dice.random() < 0.15:
        configs["compression.type"] = dice.choice(["gzip", "lz4", "zstd", "uncompressed"])
    if dice.random() < 0.4:
        configs["index.interval.bytes"] = "100"
    return configs


def compacted(dice: Random) -> dict[str, str]:
    """In some runs a topic is compacted: the last value of each key is kept."""
    if dice.random() > 0.2:
        return {}
    configs = {
        "cleanup.policy": dice.choice(["compact", "compact", "compact,delete"]),
        "segment.ms": str(dice.choice([300, 1500])),
        "min.cleanable.dirty.ratio": str(dice.choice([0.01, 0.3])),
        "delete.retention.ms": str(dice.choice([0, 1000, 5000, 86_400_000])),
    }
    lag_ms = dice.choice([0, 0, 2000, 6000])
    if lag_ms:
        configs["min.compaction.lag.ms"] = str(lag_ms)
    if dice.random() < 0.3:
        configs["max.compaction.lag.ms"] = str(lag_ms + dice.choice([1000, 4000]))
    return configs


TWO_DISKS: Final = ("/data", "/data2")

Drawn = tuple[tuple[TransactorPlan, ...], tuple[TopicPlan, ...], tuple[ConsumerPlan, ...]]


def transactions(dice: Random, topics: Sequence[TopicPlan], brokers: int) -> Drawn:
    """In some runs there are transactional producers, a transformer with an output topic, two
    transactors that read each other's records, and a read_committed consumer.
    """
    if dice.random() > 0.45:
        return (), (), ()
    found = [
        TransactorPlan(
            f"tx{number}",
            dice.choice(topics).name,
            records_per_burst=dice.choice([1, 3, 6]),
            pause_s=dice.choice([1.0, 4.0, 10.0]),
        )
        for number in range(dice.choice([1, 1, 2]))
    ]
    kept = [topic.name for topic in topics if not _LOSES & topic.configs.keys()]
    more: tuple[TopicPlan, ...] = ()
    if kept and dice.random() < 0.75:
        factor = min(3, brokers)
        configs = {"min.insync.replicas": str(min(2, factor))}
        more = (TopicPlan("out", dice.choice([1, 2]), factor, configs),)
        pause_s = dice.choice([0.5, 3.0])
        one = TransactorPlan(
            "transformer", "out", 1, pause_s, source=dice.choice(kept), group="transformers"
        )
        found.append(one)
        if dice.random() < 0.5:
            # A second member must not pass over the first one's pending offsets (KIP-447).
            found.append(replace(one, name="transformer2"))
    if dice.random() < 0.3:
        factor = min(3, brokers)
        configs = {"min.insync.replicas": str(min(2, factor))}
        more = (*more, TopicPlan("exchange", dice.choice([1, 2]), factor, configs))
        pause_s = dice.choice([0.5, 3.0])
        found += [
            TransactorPlan(f"exchanger{number}", "exchange", 1, pause_s, exchanges=True)
            for number in range(2)
        ]
    names = tuple(topic.name for topic in (*topics, *more))
    settings: dict[str, int | str] = {
        "isolation.level": "read_committed",
        "fetch.max.wait.ms": dice.choice([500, 3000]),
    }
    return tuple(found), more, (ConsumerPlan("committed", names, settings=settings),)


def coordinated(
    dice: Random, topics: Sequence[TopicPlan], duration_s: float
) -> tuple[dict[str, str], tuple[ConsumerPlan, ...]]:
    """In some runs a group of the consumer protocol (KIP-848), with settings of its brokers.

    Members come one after the other, some are static, some poll too seldom now and then.
    """
    if dice.random() > 0.35:
        return {}, ()
    settings = {
        "group.consumer.min.session.timeout.ms": "1000",
        "group.consumer.session.timeout.ms": str(dice.choice([4000, 6000])),
        "group.consumer.assignment.interval.ms": str(dice.choice([0, 200, 1000])),
        "group.consumer.assignors": dice.choice(["uniform,range", "range,uniform"]),
    }
    names = tuple(topic.name for topic in topics)
    found = []
    for number in range(dice.choice([2, 2, 3, 4])):
        config: dict[str, int | str] = {
            "group.protocol": "consumer",
            "auto.commit.interval.ms": dice.choice([300, 1000, 5000]),
        }
        if dice.random() < 0.2:
            config["group.instance.id"] = f"static{number}"
        begins_s = 0.0 if number == 0 else round(dice.uniform(0, duration_s / 2), 3)
        found.append(ConsumerPlan(f"k{number}", names, "coordinated", config, begins_s))
    return settings, tuple(found)


_LOSES: Final = frozenset({"cleanup.policy", "retention.ms", "retention.bytes"})
"""Settings of topics that lose records on purpose."""


def cleaner(dice: Random, topics: Iterable[TopicPlan]) -> dict[str, str]:
    """Cleaners that run often where there is something to clean; in some runs committed offsets are
    cleaned, too: their segments roll by time, since the minimum segment size exceeds these logs.
    """
    found = {}
    often = any("cleanup.policy" in topic.configs for topic in topics)
    if dice.random() < 0.2:
        found["log.roll.ms"] = str(dice.choice([1500, 6000]))
        often = True
    if often:
        found["log.cleaner.backoff.ms"] = str(dice.choice([500, 2000]))
    return found


def disks(dice: Random) -> dict[str, str]:
    """In some runs brokers have two disks."""
    return {"log.dirs": ",".join(TWO_DISKS)} if dice.random() < 0.15 else {}


def logged_in(dice: Random) -> dict[str, str]:
    """In some runs brokers require a login and check ACLs."""
    return logins.settings(dice.choice(logins.PROTOCOLS)) if dice.random() < 0.15 else {}


def housekeeping(dice: Random) -> dict[str, str]:
    """How often a broker checks retention, and writes its checkpoints."""
    return {
        "log.retention.check.interval.ms": str(dice.choice([300_000, 1000, 5000])),
        "log.flush.offset.checkpoint.interval.ms": str(dice.choice([60_000, 3000])),
    }


def metadata_kept(dice: Random) -> dict[str, str]:
    """How much log is kept before a snapshot: if it is short, a lagging node needs the snapshot."""
    return {"metadata.max.retention.bytes": str(dice.choice([0, 1000, 104_857_600]))}


def compression(dice: Random) -> dict[str, str]:
    """A producer's compression; most have none."""
    kinds = ["none", "none", "none", "none", "gzip", "snappy", "lz4", "zstd"]
    return {"compression.type": dice.choice(kinds)}


def administration(dice: Random, first_s: float, duration_s: float) -> list[tuple[float, str, str]]:
    """(moment, kind, name) of requests by administrators and clients, whose answers are then
    checked."""
    kinds = ["delete-records", "delete-records", "look-up", "look-up", "recreate-topic"]
    moments = sorted(dice.uniform(first_s, duration_s) for _ in range(dice.randrange(5)))
    return [
        (round(at, 3), dice.choice(kinds), f"administration {number}")
        for number, at in enumerate(moments)
    ]


def lies(dice: Random, first_s: float, duration_s: float) -> list[tuple[float, str, str]]:
    """(moment, kind, name) of batches that contradict their headers; most runs have none."""
    if dice.random() > 0.2:
        return []
    moments = sorted(dice.uniform(first_s, duration_s) for _ in range(dice.choice([1, 2, 3])))
    return [(round(at, 3), "lie", f"lie {number}") for number, at in enumerate(moments)]


def limited(dice: Random, first_s: float, duration_s: float) -> list[tuple[float, str, str]]:
    """(moment, kind, name) of throttles and quotas that an administrator sets for a while."""
    return [
        (round(dice.uniform(first_s, 0.6 * duration_s), 3), kind, f"limit {number}")
        for number, kind in enumerate(("throttle-replication", "limit-clients"))
        if dice.random() < 0.15 and duration_s > first_s / 0.6
    ]
