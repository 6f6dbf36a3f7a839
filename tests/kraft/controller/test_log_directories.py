"""Directories that fail take their replicas with them, and no others (KIP-858)."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from raftka.kraft.controller import brokers
from raftka.kraft.controller.brokers import BrokerState, Heartbeat, Registration
from raftka.kraft.controller.in_sync_replicas import ineligible
from raftka.kraft.controller.log_directories import (
    Placement,
    assign_replicas,
    newly_offline,
)
from raftka.kraft.controller.result import Result, Rules
from raftka.kraft.image import ListenerEndpoint, PartitionImage
from raftka.kraft.records import (
    RAFTKA_VERSION,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionRecord,
    RegisterBrokerRecord,
    TopicRecord,
)
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import UNASSIGNED_DIRECTORY
from raftka.model.rules import Rule
from tests.support.controller import SUPPORTED, ControllerOnPaper

T = b"t" * 16
A, B = b"a" * 16, b"b" * 16
EPOCH = 7


class Cluster(ControllerOnPaper):
    """Brokers 1 to 3 with two directories each, and t-0 and t-1 on all of them, led by 1."""

    def __init__(
        self,
        min_isr: int = 2,
        off: frozenset[Rule] = frozenset(),
        replicas: tuple[int, ...] = (1, 2, 3),
    ) -> None:
        super().__init__(random.Random(1), Rules(min_insync_replicas=min_isr, off=off))
        records: list[MetadataRecord] = [
            RegisterBrokerRecord(
                each, bytes([each]) * 16, EPOCH, (("PLAINTEXT", "h", 9092, 0),),
                fenced=False, log_dirs=(A + bytes([each]), B + bytes([each])),
            )
            for each in (1, 2, 3)
        ]  # fmt: skip
        records.append(TopicRecord("t", T))
        records += [PartitionRecord(T, index, replicas, replicas, 1) for index in (0, 1)]
        self.replay(records)

    def part(self, index: int = 0) -> PartitionImage:
        return self.image.topics["t"].partitions[index]

    def assign(self, broker_id: int, *placements: Placement) -> list[ErrorCode | None]:
        broker = self.image.brokers[broker_id]
        answers = self.commit(assign_replicas(self.image, self.rules, broker, placements))
        return [None if each is None else each.code for each in answers]

    def beat(self, broker_id: int, *offline: bytes) -> None:
        beat = Heartbeat(broker_id, EPOCH, 10**6, offline_log_dirs=offline)
        self.commit(brokers.heartbeat(self.image, self.rules, beat, BrokerState.ACTIVE))

    def restart(self, broker_id: int, *directories: bytes) -> None:
        """A new process registers with these directories after an unclean shutdown, and serves."""
        ports = (ListenerEndpoint("PLAINTEXT", "h", 9092, 0),)
        wish = Registration(broker_id, b"new" * 5 + b"!", ports, SUPPORTED, log_dirs=directories)
        self.commit(brokers.register(self.image, self.rules, wish, other_is_alive=False))
        self.unfence(broker_id)

    def place_all(self) -> None:
        """t-0 of each broker is in its directory A, t-1 in its directory B."""
        for each in (1, 2, 3):
            mark = bytes([each])
            assert self.assign(each, Placement(T, 0, A + mark), Placement(T, 1, B + mark)) == [
                None,
                None,
            ]


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    made.place_all()
    return made


def a(broker_id: int) -> bytes:
    return A + bytes([broker_id])


def b(broker_id: int) -> bytes:
    return B + bytes([broker_id])


def test_no_directory_is_noted_while_nodes_of_an_earlier_release_may_follow() -> None:
    cluster = Cluster()
    cluster.replay([FeatureLevelRecord(RAFTKA_VERSION, 0)])
    placed = Placement(T, 0, A + b"\x02")
    assert cluster.assign(2, placed) == [ErrorCode.UNSUPPORTED_VERSION]
    assert cluster.part().directories == ()
    # A replica in a failed directory still leaves the ISR.
    cluster.beat(2, A + b"\x02")
    assert cluster.assign(2, placed) == [None]
    assert cluster.part().isr == (1, 3)
    epoch = cluster.part().partition_epoch
    assert cluster.assign(2, placed) == [None]
    assert cluster.part().partition_epoch == epoch


def test_placements_are_noted_and_change_nothing_else(cluster: Cluster) -> None:
    part = cluster.part()
    assert part.directories == (a(1), a(2), a(3))
    assert (part.leader, part.leader_epoch, part.isr) == (1, 0, (1, 2, 3))
    epoch = part.partition_epoch
    assert cluster.assign(1, Placement(T, 0, a(1))) == [None]
    assert cluster.part().partition_epoch == epoch, "said again, it is no news"


def test_a_failed_directory_takes_its_replicas_and_no_others(cluster: Cluster) -> None:
    cluster.beat(1, a(1))
    failed, spared = cluster.part(0), cluster.part(1)
    assert (failed.leader, failed.isr) == (2, (2, 3))
    assert failed.reason.startswith("a log directory of broker 1 is offline")
    assert (spared.leader, spared.isr, spared.leader_epoch) == (1, (1, 2, 3), 0)
    broker = cluster.image.brokers[1]
    assert (broker.log_dirs, broker.fenced) == ((b(1),), False)
    offset = cluster.image.offset
    cluster.beat(1, a(1))
    assert cluster.image.offset == offset, "said again, it is no news"


def test_a_replica_in_an_offline_directory_joins_no_isr_and_is_not_elected(
    cluster: Cluster,
) -> None:
    cluster.beat(1, a(1))
    assert "directory" in (ineligible(cluster.image, cluster.rules, 1, EPOCH, cluster.part()) or "")
    assert ineligible(cluster.image, cluster.rules, 1, EPOCH, cluster.part(1)) is None
    cluster.beat(2, a(2))
    cluster.beat(3, a(3))
    part = cluster.part()
    assert not part.has_leader
    assert set(part.elr) | set(part.isr) >= {2, 3}, "what they have may come back with their disks"


def alone() -> Cluster:
    """Both partitions are on broker 1 only, each in a directory of its own."""
    cluster = Cluster(min_isr=1, replicas=(1,))
    cluster.assign(1, Placement(T, 0, a(1)), Placement(T, 1, b(1)))
    return cluster


def test_a_broker_that_starts_without_a_directory_leads_from_the_others() -> None:
    cluster = alone()
    cluster.restart(1, b(1))
    assert not cluster.part(0).has_leader
    assert cluster.part(1).leader == 1
    # The disk is back, with everything that it had.
    cluster.restart(1, a(1), b(1))
    assert (cluster.part(0).leader, cluster.part(1).leader) == (1, 1)


def test_what_was_in_a_directory_that_never_returns_is_not_taken_for_empty() -> None:
    """The replica is assigned to the other directory, which is empty: it has no claim to lead."""
    cluster = alone()
    cluster.restart(1, b(1))
    cluster.assign(1, Placement(T, 0, b(1)))
    assert not cluster.part(0).has_leader


def test_the_last_directory_is_not_noted_as_gone(cluster: Cluster) -> None:
    """The broker ends, and is fenced: an empty list would mean that no directory is known."""
    broker = cluster.image.brokers[1]
    assert newly_offline(broker, [a(1), b(1)]) == []
    assert newly_offline(broker, [b(1), b"x" * 17]) == [b(1)]


def test_a_placement_in_a_directory_that_has_failed_meanwhile_moves_the_leadership() -> None:
    cluster = Cluster()
    cluster.beat(1, a(1))
    assert cluster.part().leader == 1, "nobody knows yet that it is there"
    cluster.assign(1, Placement(T, 0, a(1)))
    assert (cluster.part().leader, cluster.part().isr) == (2, (2, 3))


def lost_and_placed_again(off: frozenset[Rule] = frozenset()) -> PartitionImage:
    """t-0 has lost all its directories in turn; then the last replica moves to another."""
    cluster = Cluster(min_isr=2, off=off)
    cluster.place_all()
    for each in (1, 2, 3):
        cluster.beat(each, a(each))
    assert not cluster.part().has_leader
    cluster.assign(3, Placement(T, 0, b(3)))
    return cluster.part()


def test_a_replica_in_a_new_directory_has_no_claim_to_what_the_lost_one_had() -> None:
    part = lost_and_placed_again()
    assert not part.has_leader
    assert 3 not in (*part.isr, *part.elr)


def test_without_that_rule_an_empty_log_would_lead() -> None:
    part = lost_and_placed_again(frozenset({Rule.LOST_DIRECTORY_IS_NOT_ELIGIBLE}))
    assert part.leader == 3


def test_a_move_between_working_directories_keeps_the_role(cluster: Cluster) -> None:
    cluster.assign(1, Placement(T, 0, b(1)))
    part = cluster.part()
    assert (part.leader, part.isr, part.leader_epoch) == (1, (1, 2, 3), 0)
    assert part.directory_of(1) == b(1)


def test_what_is_not_the_brokers_is_refused(cluster: Cluster) -> None:
    assert cluster.assign(
        1, Placement(b"x" * 16, 0, a(1)), Placement(T, 9, a(1)), Placement(T, 0, b(1))
    ) == [ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, None]
    other = replace(cluster.image.brokers[1], broker_id=9)
    answer = assign_replicas(cluster.image, cluster.rules, other, [Placement(T, 0, a(1))]).response
    assert isinstance(answer[0], KafkaError)
    assert answer[0].code is ErrorCode.NOT_LEADER_OR_FOLLOWER


def test_directories_follow_their_replicas_when_those_change(cluster: Cluster) -> None:
    from raftka.kraft.records import PartitionChangeRecord

    cluster.commit(Result([PartitionChangeRecord(T, 0, replicas=(3, 4, 1))], None))
    assert cluster.part().directories == (a(3), UNASSIGNED_DIRECTORY, a(1))
