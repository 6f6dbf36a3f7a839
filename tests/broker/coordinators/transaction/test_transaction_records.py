"""The records of __transaction_state against bytes that Apache Kafka 4.4.0 wrote."""

from __future__ import annotations

import pytest

from raftka.broker.coordinators.transaction import records
from raftka.broker.coordinators.transaction.state import State, Transaction
from raftka.model.ids import TopicPartition
from raftka.net.protocol.codec import MalformedMessage

T = TopicPartition("t", 0)
STARTED = 1796017075665

WRITTEN = {
    "a producer begins": (
        "0001000000000000000000000000ea600000000001a22af5b4abffffffffffffffff0100080000000000000000",
        Transaction(0, 0, 60_000, updated_ms=1796017075371, previous_producer_id=0),
    ),
    "a partition joins": (
        "0001000000000000000000000000ea6001020274020000000000000001a22af5b5d1000001a22af5b5d1020008"
        "000000000000000002020002",
        Transaction(
            0, 0, 60_000, State.ONGOING, frozenset({T}), STARTED, STARTED, 0, client_version=2
        ),
    ),
    "the decision": (
        "0001000000000000000000010000ea6002020274020000000000000001a22af5b939000001a22af5b5d1020008"
        "000000000000000002020002",
        Transaction(
            0,
            1,
            60_000,
            State.PREPARE_COMMIT,
            frozenset({T}),
            1796017076537,
            STARTED,
            0,
            client_version=2,
        ),
    ),
    "the end": (
        "0001000000000000000000010000ea600401000001a22af5b947000001a22af5b5d1020008000000000000000002"
        "020002",
        Transaction(
            0,
            1,
            60_000,
            State.COMPLETE_COMMIT,
            frozenset(),
            1796017076551,
            STARTED,
            0,
            client_version=2,
        ),
    ),
    "a timeout": (
        "00010000000000000001000100001b580501000001a22af5e535000001a22af5c1ec0200080000000000000001"
        "02020002",
        Transaction(
            1,
            1,
            7_000,
            State.COMPLETE_ABORT,
            frozenset(),
            1796017087797,
            1796017078764,
            1,
            client_version=2,
        ),
    ),
}
KEY = bytes.fromhex("0000000470657266")


@pytest.mark.parametrize(("hexadecimal", "transaction"), WRITTEN.values(), ids=WRITTEN)
def test_values_are_byte_for_byte_kafkas(hexadecimal: str, transaction: Transaction) -> None:
    written = bytes.fromhex(hexadecimal)
    assert records.transaction_value(transaction, 2) == written
    assert records.decode(KEY, written) == ("perf", transaction)


def test_a_key_and_a_tombstone() -> None:
    assert records.transaction_key("perf") == KEY
    assert records.decode(KEY, None) == ("perf", None)


def test_before_version_1_there_is_no_room_for_other_ids() -> None:
    _, transaction = WRITTEN["the decision"]
    value = records.transaction_value(transaction, 0)
    assert value[:2] == b"\x00\x00"
    found = records.decode(KEY, value)
    assert found is not None
    assert found.transaction is not None
    assert (found.transaction.client_version, found.transaction.previous_producer_id) == (0, -1)
    assert found.transaction.partitions == {T}
    assert found.transaction.state is State.PREPARE_COMMIT


def test_a_reserved_producer_id_is_kept() -> None:
    transaction = Transaction(7, 32_767, 1, State.PREPARE_ABORT, next_producer_id=8)
    value = records.transaction_value(transaction, 2)
    assert records.decode(KEY, value) == ("perf", transaction)


def test_other_kinds_are_none_of_ours() -> None:
    assert records.decode(b"\x00\x01" + KEY[2:], None) is None


@pytest.mark.parametrize(
    "value",
    [b"\x00\x02", b"\x00\x01\x00", bytes.fromhex(WRITTEN["a producer begins"][0]) + b"\x00"],
    ids=["a newer layout", "too short", "too long"],
)
def test_what_cannot_be_read_says_so(value: bytes) -> None:
    with pytest.raises(MalformedMessage):
        records.decode(KEY, value)


def test_a_state_that_is_not_known_says_so() -> None:
    written = bytearray(records.transaction_value(Transaction(1, 1, 1), 2))
    written[16] = 99
    with pytest.raises(MalformedMessage, match="'perf': 99 is not a valid State"):
        records.decode(KEY, bytes(written))
