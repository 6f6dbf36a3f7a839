"""Drawing a plan from a seed.

Each section of a plan has dice of its own, seeded by its name: removing one section leaves the
others unchanged, which makes shrinking possible.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Final, NamedTuple

from raftka.simulations.load import groups, limits, traits
from raftka.simulations.plan import (
    QUORUMS,
    ConsumerPlan,
    NodePlan,
    Options,
    Plan,
    ProducerPlan,
    Step,
    TopicPlan,
)

WARM_UP_S = 3.0


_FACTORS: Final = [1, 2, 2, 3, 3, 3, 3, 4]
"""Replication factors of topics, as far as there are brokers."""
_MIN_INSYNC: Final = {1: [1], 2: [1, 2, 2], 3: [1, 2, 2, 2, 2, 3], 4: [2, 2, 3]}
"""By replication factor: min.insync.replicas."""


class Odds(NamedTuple):
    """How a kind of fault is drawn."""

    chance: float
    """The probability that a run has it."""
    rate: float
    """Its mean number per minute in such a run."""
    at_least_once: bool
    """Whether it then comes at least once."""


def draw(options: Options, kinds: Mapping[str, Odds], needs: str | None = None) -> Plan:
    """The plan of a seed, with faults of these `kinds` and a group of the kind that it `needs`."""
    seed = options.seed

    def dice(what: str) -> Random:
        return Random(f"{seed} {what}")

    nodes = _nodes(options, dice("nodes"))
    quorum = options.quorum or dice("quorum").choice(["static"] * 4 + list(QUORUMS[1:]))
    brokers = sum("broker" in node.roles for node in nodes)
    topics = tuple(
        replace(
            topic,
            configs={
                **topic.configs,
                **traits.shape(dice(f"contents {topic.name}")),
                **traits.compacted(dice(f"compaction {topic.name}")),
            },
        )
        for topic in _topics(dice("topics"), brokers, limits.partitions(dice("partitions")))
    )
    producers = tuple(
        replace(each, settings={**each.settings, **traits.compression(dice(f"bytes {each.name}"))})
        for each in _producers(dice("producers"), topics, options.load)
    )
    cleaner = traits.cleaner(dice("cleaner"), topics)
    disks = traits.disks(dice("disks"))
    nodes, selector, consumers = _racks(dice("racks"), nodes, _consumers(dice("consumers"), topics))
    transactors, more_topics, readers = traits.transactions(dice("transactions"), topics, brokers)
    group_settings, members = traits.coordinated(dice("members"), topics, options.duration_s)
    newer = groups.draw(dice, topics, brokers, needs)
    return Plan(
        seed=seed,
        duration_s=options.duration_s,
        nodes=nodes,
        settings={
            **_settings(dice("settings")),
            **traits.metadata_kept(dice("membership")),
            **traits.housekeeping(dice("housekeeping")),
            **cleaner,
            **disks,
            **traits.logged_in(dice("logins")),
            **limits.of_brokers(dice("replica limits")),
            **selector,
            **group_settings,
            **newer.settings,
        },
        topics=(*topics, *more_topics),
        producers=producers,
        transactors=transactors,
        groups=newer.groups,
        consumers=(
            *_limited(dice("consumer limits"), consumers, options.duration_s),
            *readers,
            *members,
        ),
        operations=_all_operations(dice, options.duration_s, nodes, quorum),
        faults=_faults(
            dice("faults"), options, _possible(kinds, quorum, bool(cleaner), bool(disks))
        ),
        quorum=quorum,
        mutation=options.mutation,
        drift={f"n{n.node_id}": _drift(dice(f"drift {n.node_id}")) for n in nodes},
        quorum_batch_entries=dice("quorum batch").choice([1, 1, 4, 4096]),
        network_delay_s=10 ** dice("delay").uniform(-4, -2.3),
        split_rate=dice("split").choice([0.0, 0.0, 0.02, 0.2]),
    )


def _all_operations(
    dice: Callable[[str], Random], duration_s: float, nodes: Sequence[NodePlan], quorum: str
) -> tuple[Step, ...]:
    """The actions of administrators and clients, each kind by dice of its own."""
    return (
        *_operations(dice("operations"), duration_s),
        *(
            Step(*each)
            for each in traits.administration(dice("administration"), WARM_UP_S, duration_s)
        ),
        *(Step(*each) for each in traits.lies(dice("lies"), WARM_UP_S, duration_s)),
        *(Step(*each) for each in traits.limited(dice("limits"), WARM_UP_S, duration_s)),
        *_first_voters(dice("first voters"), nodes, quorum),
    )


def _nodes(options: Options, dice: Random) -> tuple[NodePlan, ...]:
    count, voters_max = options.nodes, 5
    if count is None:
        # One broker more than most runs have, so that a partition may have four replicas.
        count, voters_max = 4 if dice.random() < 0.12 else 3, 3
    if options.combined:
        return tuple(
            NodePlan(i, "broker,controller" if i <= voters_max else "broker")
            for i in range(1, count + 1)
        )
    controllers = 1 if count == 2 else 3 if count >= 5 else 1
    return tuple(
        NodePlan(i, "controller" if i <= controllers else "broker") for i in range(1, count + 1)
    )


def _drift(dice: Random) -> float:
    return dice.choice([1.0, 1.0, dice.uniform(0.97, 1.03)])


def _settings(dice: Random) -> dict[str, str]:
    """Timeouts and sizes: what is rare with the defaults happens within a minute."""
    session_ms = dice.choice([3000, 6000, 9000])
    lag_ms = dice.choice([2000, 5000, 10000, 30000])
    return {
        "broker.session.timeout.ms": str(session_ms),
        "broker.heartbeat.interval.ms": str(session_ms // dice.choice([2, 3])),
        "replica.lag.time.max.ms": str(lag_ms),
        # Long polls answer as soon as there is data: a longer wait would add nothing.
        "replica.fetch.wait.max.ms": str(min(lag_ms // 2, dice.choice([2000, 4000, 4000]))),
        "controller.quorum.election.timeout.ms": str(dice.choice([1000, 2000, 4000, 4000])),
        "metadata.log.max.record.bytes.between.snapshots": str(dice.choice([3000, 20000, 1 << 24])),
        "replica.high.watermark.checkpoint.interval.ms": str(dice.choice([1000, 5000, 5000])),
        "group.min.session.timeout.ms": "1000",
        "leader.imbalance.check.interval.seconds": str(dice.choice([5, 30, 300])),
        "unclean.leader.election.enable": "false",
        "auto.create.topics.enable": "false",
        "raftka.controller.changes.per.batch": dice.choice(["1", "2", "2000"]),
    }


def _topics(dice: Random, brokers: int, many: int | None) -> tuple[TopicPlan, ...]:
    found = []
    for number in range(dice.choice([1, 1, 2, 3])):
        factor = min(dice.choice(_FACTORS), brokers)
        configs = {
            "min.insync.replicas": str(dice.choice(_MIN_INSYNC[factor])),
            "segment.ms": str(dice.choice([1500, 6000, 604_800_000])),
        }
        if dice.random() < 0.35:
            configs["flush.messages"] = "1"
        partitions = many if many and not number else dice.choice([1, 1, 2, 3])
        found.append(TopicPlan(f"t{number}", partitions, factor, configs))
    return tuple(found)


def _producers(dice: Random, topics: Sequence[TopicPlan], load: float) -> tuple[ProducerPlan, ...]:
    found = []
    for number in range(3):
        idempotent = number == 0 or dice.random() < 0.6
        acks = -1 if idempotent or dice.random() < 0.7 else 1
        settings: dict[str, int | str] = {
            "linger.ms": dice.choice([0, 5, 20]),
            "batch.size": dice.choice([400, 4000, 16384, 16384]),
            "max.in.flight.requests.per.connection": dice.choice([1, 5, 5]),
            "request.timeout.ms": dice.choice([1000, 3000, 10000]),
            "delivery.timeout.ms": 120_000,
            "max.block.ms": 120_000,
        }
        found.append(
            ProducerPlan(
                f"p{number}",
                topics[number % len(topics)].name,
                acks,
                idempotent,
                records_per_burst=max(1, round(dice.choice([1, 3, 8, 15]) * load)),
                pause_s=dice.choice([8.0, 16.0, 32.0]),
                settings=settings,
            )
        )
    return tuple(found)


def _consumers(dice: Random, topics: Sequence[TopicPlan]) -> tuple[ConsumerPlan, ...]:
    names = tuple(topic.name for topic in topics)
    waits_ms = [3000, 6000, 9000]
    found = [ConsumerPlan("reader", names, settings={"fetch.max.wait.ms": dice.choice(waits_ms)})]
    for number in range(dice.choice([1, 2])):
        session_ms = dice.choice([3000, 6000, 10000])
        settings: dict[str, int | str] = {
            "fetch.max.wait.ms": dice.choice(waits_ms),
            "session.timeout.ms": session_ms,
            "heartbeat.interval.ms": session_ms // 3,
            # How long a join waits for a coordinator that lost power, instead of for ever.
            "max.poll.interval.ms": 20_000,
            "auto.commit.interval.ms": dice.choice([500, 3000]),
            "max.poll.records": dice.choice([10, 500]),
            "partition.assignment.strategy": dice.choice(
                ["range", "roundrobin", "cooperative-sticky"]
            ),
        }
        found.append(ConsumerPlan(f"member{number}", names, "group", settings))
    strategy = found[-1].settings["partition.assignment.strategy"]
    return tuple(
        replace(each, settings={**each.settings, "partition.assignment.strategy": strategy})
        if each.group
        else each
        for each in found
    )


def _limited(
    dice: Random, consumers: tuple[ConsumerPlan, ...], duration_s: float
) -> tuple[ConsumerPlan, ...]:
    """Where consumers fetch little at a time, another one starts late, with much to read."""
    if not (little := limits.of_consumers(dice)):
        return consumers
    found = [replace(each, settings={**each.settings, **little}) for each in consumers]
    begins_s = round(dice.uniform(duration_s / 4, duration_s), 3)
    return (*found, replace(found[0], name="late", begins_s=begins_s))


def _racks(
    dice: Random, nodes: tuple[NodePlan, ...], consumers: tuple[ConsumerPlan, ...]
) -> tuple[tuple[NodePlan, ...], dict[str, str], tuple[ConsumerPlan, ...]]:
    """In some runs nodes are in racks, and consumers read from the replica nearby (KIP-392)."""
    if dice.random() > 0.3:
        return nodes, {}, consumers
    racks = [f"r{number}" for number in range(1, dice.choice([2, 3]) + 1)]
    placed = tuple(
        replace(node, rack=racks[place % len(racks)]) for place, node in enumerate(nodes)
    )
    near = tuple(
        replace(
            each,
            settings={
                **each.settings,
                "client.rack": dice.choice(racks),
                # How often a consumer asks the leader again which replica is near.
                "metadata.max.age.ms": dice.choice([2000, 10_000, 300_000]),
            },
        )
        for each in consumers
    )
    return placed, {"replica.selector.class": "RackAwareReplicaSelector"}, near


def _operations(dice: Random, duration_s: float) -> tuple[Step, ...]:
    kinds = ["create-topic", "delete-topic", "add-partitions", "alter-config", "elect-preferred"]
    count = dice.randrange(6)
    moments = sorted(dice.uniform(WARM_UP_S, duration_s) for _ in range(count))
    return tuple(
        Step(round(at, 3), dice.choice(kinds), f"operation {number}")
        for number, at in enumerate(moments)
    )


def _first_voters(dice: Random, nodes: Sequence[NodePlan], quorum: str) -> tuple[Step, ...]:
    """An administrator completes a quorum that was founded by one of its controllers."""
    controllers = sum("controller" in node.roles for node in nodes)
    if quorum != "standalone":
        return ()
    return tuple(
        Step(round(dice.uniform(0.2, 2 * WARM_UP_S), 3), "add-voter", f"first voter {number}")
        for number in range(1, controllers)
    )


def _possible(
    kinds: Mapping[str, Odds], quorum: str, cleans: bool, has_disks: bool
) -> Mapping[str, Odds]:
    """Voters come and go where the quorum's format allows it; elsewhere the request is refused.
    A plan without compaction has no crash while cleaning; one with one disk loses no disk of
    several.
    """
    wrong = ["quorum-change" if quorum != "static" else "voter-"]
    if not cleans:
        wrong.append("crash-while-cleaning")
    if not has_disks:
        wrong.append("one-disk")
    return {kind: each for kind, each in kinds.items() if not kind.startswith(tuple(wrong))}


def _faults(dice: Random, options: Options, kinds: Mapping[str, Odds]) -> tuple[Step, ...]:
    found: list[Step] = []
    # In most runs something breaks at times, in some all the time; kinds that a caller names always
    # come.
    intensity = dice.choice([0.1, 0.1, 0.2, 0.3, 0.7]) if options.faults is None else 1.0
    for kind in kinds:
        chance, rate, at_least_once = kinds[kind]
        own = Random(f"{options.seed} fault {kind}")
        on = own.random() < chance
        # The rate is drawn, too: some defects show only under many faults, others only under few.
        rate *= intensity * math.exp(own.uniform(-1.2, 1.2))
        if options.faults is not None:
            on = kind in options.faults
        if kind in options.rates:
            rate = options.rates[kind]
            on = rate > 0
        if not on:
            continue
        moments = []
        at = WARM_UP_S
        while (at := at + own.expovariate(rate / 60)) < options.duration_s:
            moments.append(at)
        if at_least_once and not moments and kind not in options.rates:
            moments.append(own.uniform(WARM_UP_S, max(WARM_UP_S, 0.8 * options.duration_s)))
        found += [Step(round(at, 3), kind, f"{kind} {number}") for number, at in enumerate(moments)]
    found.sort(key=lambda step: (step.at_s, step.name))
    return tuple(found)
