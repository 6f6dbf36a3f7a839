"""Coordinators' logs, compared with the partitions and their answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raftka.broker.coordinators.group.records import offset_key
from raftka.broker.coordinators.transaction.records import transaction_key, transaction_value
from raftka.broker.coordinators.transaction.state import State, Transaction
from raftka.kraft.image import TopicImage
from raftka.model.ids import OFFSETS_TOPIC, TRANSACTION_TOPIC, TopicPartition
from raftka.model.records import Record, encode_batch
from raftka.net.protocol.messages import offset_fetch
from raftka.simulations.checkers.coordination import CoordinationChecker
from raftka.simulations.checkers.transactions import TransactionChecker
from tests.simulations.checkers.test_transaction_checks import data, marker
from tests.support.scene import LED, Scene, converse

T0 = TopicPartition("t", 0)
LOG = (TRANSACTION_TOPIC, 0)


def record(offset: int, state: State, *partitions: TopicPartition) -> bytes:
    """The coordinator of producer 9 writes the producer's state."""
    made = Transaction(9, 0, 60_000, state, frozenset(partitions))
    entry = Record(0, 1000, transaction_key("tx"), transaction_value(made, 2), ())
    return bytes(encode_batch([entry], base_offset=offset, leader_epoch=1))


class Coordinated(Scene):
    """t-0 and the log of a coordinator, watched."""

    def __init__(self) -> None:
        super().__init__()
        logs = TransactionChecker(
            self.watched, self.metadata, self.logs, self.told, is_excused=lambda key: False
        ).logs
        self.coordination = CoordinationChecker(
            self.watched,
            self.metadata,
            self.logs,
            logs,
            self.told,
            is_excused=lambda key: False,
            is_lost=lambda: False,
            offsets_log=lambda group: (OFFSETS_TOPIC, 0),
        )

    def write(self, host: str, *batches: bytes, key: tuple[str, int] = ("t", 0)) -> None:
        """Append to a host's log of a partition."""
        path = f"/data/{key[0]}-{key[1]}/{0:020}.log"
        files = self.files.setdefault(host, {})
        inode = files.get(path) or self.add(host, path)
        for each in batches:
            inode.write(len(inode.data), each)


def test_a_transaction_with_its_coordinators_consent() -> None:
    scene = Coordinated()
    scene.write("n2", record(0, State.ONGOING, T0), key=LOG)
    scene.write("n1", data(0))
    assert scene.told.names == []


def test_a_consent_counts_that_a_log_has_kept_when_it_was_cut() -> None:
    """This happens where its segments were cleaned, and nothing was appended since."""
    scene = Coordinated()
    consent = record(0, State.ONGOING, T0)
    scene.write("n2", consent, record(1, State.ONGOING, T0), key=LOG)
    scene.files["n2"][f"/data/{TRANSACTION_TOPIC}-0/{0:020}.log"].truncate(len(consent))
    scene.write("n1", data(0))
    assert scene.told.names == []


def test_a_transaction_that_no_coordinator_knows_of() -> None:
    scene = Coordinated()
    scene.write("n2", record(0, State.ONGOING, TopicPartition("t", 1)), key=LOG)
    scene.write("n1", data(0))
    assert scene.told.names == ["transaction-without-consent"]


def test_what_was_complete_before_is_no_consent() -> None:
    scene = Coordinated()
    scene.write("n2", record(0, State.COMPLETE_ABORT), key=LOG)
    scene.write("n1", data(0))
    assert scene.told.names == ["transaction-without-consent"]


def test_a_transaction_is_complete_when_its_partitions_have_their_markers() -> None:
    scene = Coordinated()
    scene.write("n2", record(0, State.ONGOING, T0), key=LOG)
    scene.write("n1", data(0))
    scene.write("n2", record(1, State.PREPARE_COMMIT, T0), key=LOG)
    scene.write("n1", marker(1))
    scene.write("n2", record(2, State.COMPLETE_COMMIT), key=LOG)
    assert scene.told.names == []


def test_a_transaction_that_is_complete_without_a_marker() -> None:
    scene = Coordinated()
    scene.write("n2", record(0, State.ONGOING, T0), key=LOG)
    scene.write("n1", data(0))
    scene.write("n2", record(1, State.PREPARE_COMMIT, T0), key=LOG)
    scene.write("n2", record(2, State.COMPLETE_COMMIT), key=LOG)
    assert scene.told.names == ["complete-without-marker"]


def test_a_follower_that_is_late_is_told_of_nothing_new() -> None:
    """The producer's next transaction is open by the time a follower copies the end of the last."""
    scene = Coordinated()
    scene.write("n2", record(0, State.ONGOING, T0), key=LOG)
    scene.write("n3", record(0, State.ONGOING, T0), key=LOG)
    scene.write("n1", data(0), marker(1))
    for host in ("n2", "n3"):
        scene.write(host, record(1, State.PREPARE_COMMIT, T0), key=LOG)
    scene.write("n2", record(2, State.COMPLETE_COMMIT), record(3, State.ONGOING, T0), key=LOG)
    scene.write("n1", data(2))
    scene.write("n3", record(2, State.COMPLETE_COMMIT), key=LOG)
    assert scene.told.names == []


def test_a_copy_of_what_a_cleaning_has_left_of_a_transaction_begins_none() -> None:
    """The first batch was removed at the leader; its transaction is complete by now."""
    scene = Coordinated()
    scene.write("n2", record(0, State.ONGOING, T0), key=LOG)
    scene.write("n1", data(0), data(1), marker(2))
    scene.write("n2", record(1, State.PREPARE_COMMIT, T0), key=LOG)
    scene.write("n2", record(2, State.COMPLETE_COMMIT), key=LOG)
    scene.write("n3", data(1))
    assert scene.told.names == []


def pending_offset(offset: int) -> bytes:
    """Producer 9 has committed an offset of t-0 for a group, in a transaction."""
    entry = Record(0, 1000, offset_key("g", "t", 0), b"\0\1", ())
    return bytes(
        encode_batch(
            [entry], base_offset=offset, leader_epoch=1, producer_id=9, producer_epoch=0,
            base_sequence=0, is_transactional=True,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("stable", "ends", "code", "names"),
    [
        (True, False, 0, ["pending-offset-passed-over"]),
        (True, False, 88, []),
        (True, True, 0, []),
        (False, False, 0, []),
    ],
)
def test_stable_offsets_wait_for_pending_ones(
    stable: bool, ends: bool, code: int, names: list[str]
) -> None:
    scene = Coordinated()
    image = scene.metadata.image
    offsets = TopicImage(OFFSETS_TOPIC, b"o" * 16, (LED,))
    scene.metadata.image = replace(image, topics={**image.topics, OFFSETS_TOPIC: offsets})
    log = (OFFSETS_TOPIC, 0)
    scene.write("n2", record(0, State.ONGOING, TopicPartition(*log)), key=LOG)
    scene.write("n1", pending_offset(0), key=log)
    if ends:
        scene.write("n1", marker(1), key=log)
    wanted = offset_fetch.OffsetFetchRequestTopics(name="t", partition_indexes=[0])
    request = offset_fetch.OffsetFetchRequest(
        groups=[offset_fetch.OffsetFetchRequestGroup(group_id="g", topics=[wanted])],
        require_stable=stable,
    )
    part = offset_fetch.OffsetFetchResponsePartitions(
        partition_index=0, committed_offset=5, error_code=code, metadata=""
    )
    told = offset_fetch.OffsetFetchResponseTopics(name="t", partitions=[part])
    group = offset_fetch.OffsetFetchResponseGroup(group_id="g", topics=[told])
    converse(scene.watched, request, offset_fetch.OffsetFetchResponse(groups=[group]), version=8)
    assert scene.told.names == names
