"""The transactions that kafka-transactions find-hanging lists."""

from __future__ import annotations

import pytest

from raftka.client.admin import ProducerState, TransactionDescription
from raftka.client.tools.hanging import OpenTransaction, hanging, open_longer_than
from raftka.client.tools.tables import tabbed
from raftka.client.tools.transactions import main
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ids import TopicPartition

ONE, TWO = TopicPartition("t", 1), TopicPartition("t", 2)


def producer(id: int = 7, *, start: int | None = 5, at_ms: int = 1_000) -> ProducerState:
    return ProducerState(id, 0, 3, at_ms, 0, start)


def description(*partitions: TopicPartition) -> TransactionDescription:
    return TransactionDescription(1, "Ongoing", 7, 0, 60_000, 500, frozenset(partitions))


def test_only_what_is_open_for_longer_is_looked_at() -> None:
    told = {ONE: [producer(7, at_ms=1_000), producer(8, start=None), producer(9, at_ms=1_900)]}
    found = open_longer_than(told, now_ms=2_000, limit_ms=500)
    assert [each.producer.producer_id for each in found] == [7]


@pytest.mark.parametrize(
    ("ids", "outcomes", "hangs"),
    [
        ({7: "tx"}, {"tx": description(ONE)}, False),
        ({7: "tx"}, {"tx": description(TWO)}, True),
        ({7: "tx"}, {"tx": KafkaError(ErrorCode.TRANSACTIONAL_ID_NOT_FOUND)}, True),
        ({}, {}, True),
    ],
    ids=["in its transaction", "in none that has it", "forgotten id", "nobody's producer"],
)
def test_a_transaction_hangs_when_no_coordinator_has_the_partition(
    ids: dict[int, str], outcomes: dict[str, object], hangs: bool
) -> None:
    candidate = OpenTransaction(ONE, producer())
    assert hanging([candidate], ids, outcomes) == ([candidate] if hangs else [])


def test_the_table_is_laid_out_as_by_kafka() -> None:
    assert tabbed(["Id", "State"], [["a-long-id", "Empty"]]) == [
        "Id       \tState\t",
        "a-long-id\tEmpty\t",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frob"], "invalid choice: 'frob'"),
        (["list", "--topic", "t"], "'--topic' does not go with list"),
        (["describe"], "transactional-id"),
        (["describe-producers", "--topic", "t"], "partition"),
        (["abort", "--topic", "t", "--partition", "0"], "must be identified"),
        (
            ["abort", "--topic", "t", "--partition", "0", "--producer-id", "7"],
            "Missing required argument --producer-epoch",
        ),
        (["find-hanging"], "requires either --topic or --broker-id"),
        (["find-hanging", "--broker-id", "1", "--partition", "0"], "requires --topic"),
        (["forceTerminateTransaction"], "transactionalId"),
    ],
)
def test_a_wrong_command_line_is_told_what_is_missing(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--bootstrap-server", "localhost:1", *arguments]) == 1
    assert said in capsys.readouterr().err
