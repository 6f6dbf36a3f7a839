"""The rules for a cluster: a sound one has no problem, and each fault is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raftka.client.admin.nodes import Node, QuorumInfo, QuorumReplica
from raftka.client.admin.partitions import LogDirDescription
from raftka.client.admin.topics import PartitionDescription, TopicDescription
from raftka.doctor.clients import Clients, Spoken
from raftka.doctor.cluster import examine
from raftka.doctor.facts import Facts
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import Endpoint

NOW_MS = 1_700_000_000_000
BROKERS = tuple(Node(i, f"kafka{i}", 9092, None) for i in (1, 2, 3))


def partition(index: int, leader: int | None, *isr: int) -> PartitionDescription:
    replicas = (index % 3 + 1, (index + 1) % 3 + 1, (index + 2) % 3 + 1)
    broker = None if leader is None else BROKERS[leader - 1]
    return PartitionDescription(index, broker, 1, replicas, isr)


def topic(*partitions: PartitionDescription) -> dict[str, TopicDescription]:
    return {"orders": TopicDescription("orders", bytes(16), False, partitions)}


def voter(voter_id: int, last_fetch_ms: int = NOW_MS) -> QuorumReplica:
    return QuorumReplica(voter_id, bytes(16), 10, last_fetch_ms, last_fetch_ms)


def quorum(*voters: QuorumReplica, hosts: tuple[str, ...] = ("a", "b", "c")) -> QuorumInfo:
    endpoints = {
        each.id: {"CONTROLLER": Endpoint(host, 9093)}
        for each, host in zip(voters, hosts, strict=False)
    }
    return QuorumInfo(1, 5, 10, voters, (), endpoints)


SOUND = Facts(
    brokers=BROKERS,
    quorum=quorum(voter(1), voter(2), voter(3)),
    topics=topic(*(partition(i, i % 3 + 1, 1, 2, 3) for i in range(12))),
    min_isr={"orders": 2},
    log_dirs={i: [LogDirDescription("/data", None, {}, 100, 50)] for i in (1, 2, 3)},
    versions={i: {0: (3, 13)} for i in (1, 2, 3)},
    now_ms=NOW_MS,
)
OFFLINE = KafkaError(ErrorCode.KAFKA_STORAGE_ERROR)


def test_a_sound_cluster() -> None:
    assert list(examine(SOUND)) == []


OLD = Spoken(
    "librdkafka", "0.9.1", ("shop",), 2, {"Produce": frozenset({2}), "Fetch": frozenset({4})}
)
FAULTS = {
    "librdkafka 0.9.1 (client.id shop) asks for Produce 2": replace(SOUND, clients=Clients((OLD,))),
    "fenced": replace(SOUND, brokers=(*BROKERS[:2], replace(BROKERS[2], fenced=True))),
    "advertises kafka2:9092": replace(SOUND, unreachable={2: "Connection refused"}),
    "different versions": replace(SOUND, versions={1: {0: (3, 13)}, 2: {0: (3, 12)}}),
    "1 partitions have no leader: orders-0": replace(SOUND, topics=topic(partition(0, None))),
    "refuse acks=all: orders-0": replace(SOUND, topics=topic(partition(0, 1, 1))),
    "lack replicas in their ISR: orders-0": replace(SOUND, topics=topic(partition(0, 1, 1, 2))),
    "/data is offline": replace(SOUND, log_dirs={1: [LogDirDescription("/data", OFFLINE, {})]}),
    "/data is 96 % full": replace(
        SOUND, log_dirs={1: [LogDirDescription("/data", None, {}, 100, 4)]}
    ),
    "no controller decides, so nothing can be created or elected: voters 2 and 3 are silent": (
        replace(SOUND, quorum=None, no_quorum="voters 2 and 3 are silent")
    ),
    "the quorum has 2 voters": replace(SOUND, quorum=quorum(voter(1), voter(2))),
    "one voter alone": replace(SOUND, quorum=quorum(voter(1))),
    "2 of 3 voters are on a": replace(
        SOUND, quorum=quorum(voter(1), voter(2), voter(3), hosts=("a", "a", "b"))
    ),
    "voters 3 have not fetched": replace(
        SOUND, quorum=quorum(voter(1), voter(2), voter(3, NOW_MS - 11_000))
    ),
    "60 s apart": replace(SOUND, now_ms=NOW_MS - 60_000),
    "min.insync.replicas=1": replace(SOUND, min_isr={"orders": 1}),
    "every replica for a write": replace(SOUND, min_isr={"orders": 3}),
    "one replica in a cluster of 3": replace(
        SOUND,
        topics=topic(*(replace(partition(i, i % 3 + 1, i % 3 + 1), replicas=(i % 3 + 1,))
                       for i in range(3))),
    ),
    "not led by their preferred": replace(
        SOUND, topics=topic(*(partition(i, (i + 1) % 3 + 1, 1, 2, 3) for i in range(12)))
    ),
    "broker 1 leads 12 of 12": replace(
        SOUND, topics=topic(*(partition(i, 1, 1, 2, 3) for i in range(12)))
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", FAULTS)
def test_each_fault_is_named_with_a_remedy(words: str) -> None:
    found = list(examine(FAULTS[words]))
    assert any(words in each.what for each in found), found
    assert all(each.remedy for each in found)
