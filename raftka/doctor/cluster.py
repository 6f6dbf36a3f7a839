"""Finds problems of a cluster from its own answers. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from raftka.client.admin.nodes import QuorumInfo
from raftka.client.admin.topics import PartitionDescription, TopicDescription
from raftka.doctor import clients
from raftka.doctor.facts import Facts
from raftka.doctor.finding import Finding, some

_FULL: Final = 0.9
_SILENT_MS: Final = 10_000
_APART_MS: Final = 5_000
_SKEW: Final = 1.5
_FEW_LEADERS: Final = 10
"""Up to this number of partitions may be spread unevenly by chance."""


def examine(facts: Facts) -> Iterator[Finding]:
    """Every problem, the most urgent first."""
    if facts.quorum is None:
        yield Finding(
            f"no controller decides, so nothing can be created or elected: {facts.no_quorum}",
            "bring back controllers until a majority of the voters runs, and look into their logs",
        )
    yield from _brokers(facts)
    yield from _partitions(facts)
    yield from _disks(facts)
    if facts.quorum is not None:
        yield from _quorum(facts, facts.quorum)
    yield from _topics(facts)
    yield from _leaders(facts)
    yield from clients.examine(facts.clients)


def _brokers(facts: Facts) -> Iterator[Finding]:
    fenced = [broker.id for broker in facts.brokers if broker.fenced]
    if fenced:
        yield Finding(
            f"brokers that are registered and fenced: {some(fenced)}. Such a broker has"
            " stopped, or its heartbeats do not reach the controller",
            "start them again, or forget them: kafka-cluster unregister --id ID",
        )
    for broker in facts.brokers:
        if broker.id in facts.unreachable:
            yield Finding(
                f"broker {broker.id} advertises {broker.host}:{broker.port}, which cannot be"
                f" reached from here: {facts.unreachable[broker.id]}",
                "start it if it has stopped; or correct its advertised.listeners, or open the way"
                " (firewall, port mapping)",
            )
    spoken = {tuple(sorted(found.items())) for found in facts.versions.values()}
    if len(spoken) > 1:
        yield Finding(
            "the brokers speak different versions of the protocol: an upgrade is not finished",
            "bring all nodes to one version, then raise features: kafka-features upgrade",
        )


def _partitions(facts: Facts) -> Iterator[Finding]:
    offline, below, lacking = [], [], []
    for topic in facts.topics.values():
        for partition in topic.partitions:
            name = f"{topic.name}-{partition.index}"
            if partition.leader is None:
                offline.append(name)
            elif len(partition.isr) < _least(facts, topic, partition):
                below.append(name)
            elif len(partition.isr) < len(partition.replicas):
                lacking.append(name)
    if offline:
        yield Finding(
            f"{len(offline)} partitions have no leader: {some(offline)}",
            "bring back a broker of their ISR; with all of them lost, decide for loss:"
            " kafka-leader-election --election-type unclean",
        )
    if below:
        yield Finding(
            f"{len(below)} partitions have fewer in-sync replicas than min.insync.replicas, and"
            f" refuse acks=all: {some(below)}",
            "bring back the brokers that are missing, or move the replicas:"
            " kafka-reassign-partitions",
        )
    if lacking:
        yield Finding(
            f"{len(lacking)} partitions lack replicas in their ISR: {some(lacking)}",
            "look whether brokers are missing, slow, or still catching up",
        )


def _least(facts: Facts, topic: TopicDescription, partition: PartitionDescription) -> int:
    return min(facts.min_isr.get(topic.name, 1), len(partition.replicas))


def _disks(facts: Facts) -> Iterator[Finding]:
    for broker_id, directories in facts.log_dirs.items():
        for each in directories:
            if each.error is not None:
                yield Finding(
                    f"broker {broker_id}: {each.path} is offline: {each.error.code.name}",
                    "replace the disk and restart the broker: it copies its replicas again",
                )
            elif each.total_bytes > 0 and each.usable_bytes < (1 - _FULL) * each.total_bytes:
                used = 100 - 100 * each.usable_bytes // each.total_bytes
                yield Finding(
                    f"broker {broker_id}: the volume of {each.path} is {used} % full",
                    "shorten retention (kafka-configs --alter), or move replicas away",
                )


def _quorum(facts: Facts, quorum: QuorumInfo) -> Iterator[Finding]:
    count = len(quorum.voters)
    if count > 1 and count % 2 == 0:
        yield Finding(
            f"the quorum has {count} voters: it tolerates as many failures as one of {count - 1}",
            "add or remove one: kafka-metadata-quorum add-controller, remove-controller",
        )
    if count == 1 and len(facts.brokers) > 1:
        yield Finding(
            "one voter alone keeps the metadata: when it is down, nothing can be created or"
            " elected; when its disk is lost, so is the cluster",
            "have three voters, each on a machine of its own",
        )
    hosts = Counter(
        endpoint.host
        for voter in quorum.voters
        for endpoint in list(quorum.endpoints.get(voter.id, {}).values())[:1]
    )
    for host, voters in hosts.items():
        if count > 1 and voters > (count - 1) // 2:
            yield Finding(
                f"{voters} of {count} voters are on {host}: without it there is no majority",
                "give each voter a machine of its own",
            )
    leader = next((each for each in quorum.voters if each.id == quorum.leader_id), None)
    now_ms = leader.last_fetch_ms if leader is not None else -1
    silent = [
        each.id
        for each in quorum.voters
        if each is not leader and now_ms > 0 and now_ms - each.last_fetch_ms > _SILENT_MS
    ]
    if silent:
        yield Finding(
            f"voters {some(silent)} have not fetched from the leader for more than"
            f" {_SILENT_MS // 1000} s",
            "look whether these controllers run and are reached at their addresses",
        )
    if now_ms > 0 and abs(now_ms - facts.now_ms) > _APART_MS:
        yield Finding(
            f"the clock of controller {quorum.leader_id} and that of this machine are"
            f" {abs(now_ms - facts.now_ms) / 1000:.0f} s apart: timestamps and retention go by it",
            "set the clocks by NTP (chrony, systemd-timesyncd)",
        )


def _topics(facts: Facts) -> Iterator[Finding]:
    alone, one_disk, all_needed = [], [], []
    for topic in facts.topics.values():
        factor = min((len(each.replicas) for each in topic.partitions), default=0)
        least = facts.min_isr.get(topic.name, 1)
        if len(facts.brokers) >= 3 and factor == 1:
            alone.append(topic.name)
        elif factor >= 3 and least == 1:
            one_disk.append(topic.name)
        elif factor > 1 and least >= factor:
            all_needed.append(topic.name)
    if alone:
        yield Finding(
            f"{len(alone)} topics have one replica in a cluster of {len(facts.brokers)}:"
            f" {some(alone)}",
            "add replicas: kafka-reassign-partitions; for new topics set"
            " default.replication.factor=3",
        )
    if one_disk:
        yield Finding(
            f"{len(one_disk)} topics with three replicas have min.insync.replicas=1: a record that"
            f" acks=all acknowledged may be on one disk alone: {some(one_disk)}",
            "kafka-configs --alter --entity-type topics --entity-name TOPIC --add-config"
            " min.insync.replicas=2",
        )
    if all_needed:
        yield Finding(
            f"{len(all_needed)} topics need every replica for a write: {some(all_needed)}",
            "set their min.insync.replicas one below the number of replicas",
        )


def _leaders(facts: Facts) -> Iterator[Finding]:
    partitions = [
        each for topic in facts.topics.values() for each in topic.partitions if each.leader
    ]
    elsewhere = [
        each
        for each in partitions
        if each.leader is not None and each.leader.id != each.replicas[0]
    ]
    if len(elsewhere) > len(partitions) / 10 and len(partitions) >= _FEW_LEADERS:
        yield Finding(
            f"{len(elsewhere)} of {len(partitions)} partitions are not led by their preferred"
            " replica",
            "kafka-leader-election --election-type preferred --all-topic-partitions, or leave"
            " auto.leader.rebalance.enable on",
        )
    led = Counter(each.leader.id for each in partitions if each.leader is not None)
    alive = [broker.id for broker in facts.brokers if not broker.fenced]
    if len(alive) > 1 and len(partitions) >= _FEW_LEADERS:
        fair = len(partitions) / len(alive)
        busy, count = max(((broker, led[broker]) for broker in alive), key=lambda each: each[1])
        if count > _SKEW * fair + 1:
            yield Finding(
                f"broker {busy} leads {count} of {len(partitions)} partitions; {fair:.0f} would be"
                " its share",
                "spread the replicas: kafka-reassign-partitions --generate, then --execute",
            )
