"""Records of __transaction_state as Apache Kafka 4.4.0's dump-log prints them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raftka.commands import main
from raftka.model.records import Record, encode_batch
from raftka.transactions_decoder import decode_transactions

KEY = "000000066f70656e2d31"
LAYOUT_0 = (
    "0000000000000000000200000000ea60010000000100027431000000030000000200000001"
    "00000000000001a22b9f35aa000001a22b9f35aa"
)
LAYOUT_1 = (
    "0001000000000000000300010000ea60030203743103000000010000000000000001a22bae573a"
    "000001a22bad802b020008000000000000000302020002"
)


def record(key: str | None, value: str | None) -> Record:
    return Record(
        0,
        0,
        None if key is None else bytes.fromhex(key),
        None if value is None else bytes.fromhex(value),
        (),
    )


def test_layout_1_with_its_tagged_fields() -> None:
    """Both texts are what Kafka's tool wrote for these bytes, which its broker wrote."""
    assert decode_transactions(record(KEY, LAYOUT_1)) == (
        '{"type":"0","data":{"transactionalId":"open-1"}}',
        '{"version":"1","data":{"producerId":3,"previousProducerId":3,"producerEpoch":1,'
        '"transactionTimeoutMs":60000,"transactionStatus":"PrepareAbort","transactionPartitions":'
        '[{"topic":"t1","partitionIds":[1,0]}],"transactionLastUpdateTimestampMs":1796029175610,'
        '"transactionStartTimestampMs":1796029120555,"clientTransactionVersion":2}}',
    )


def test_layout_0() -> None:
    _, payload = decode_transactions(record(KEY, LAYOUT_0))
    assert payload is not None
    data = json.loads(payload)["data"]
    assert data["transactionStatus"] == "Ongoing"
    assert data["transactionPartitions"] == [{"topic": "t1", "partitionIds": [0, 1]}] or data[
        "transactionPartitions"
    ] == [{"topic": "t1", "partitionIds": [2, 1, 0]}]
    assert "previousProducerId" not in data


def test_a_tombstone() -> None:
    assert decode_transactions(record(KEY, None))[1] == "<DELETE>"


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        (None, LAYOUT_1, "<UNKNOWN>"),
        ("0007", None, "<UNKNOWN>"),
        ("0000", None, "<UNREADABLE"),
        (KEY, "0001", "<UNREADABLE"),
        ("", "", "<UNREADABLE"),
    ],
)
def test_what_no_transaction_coordinator_wrote(
    key: str | None, value: str | None, shown: str
) -> None:
    found, _ = decode_transactions(record(key, value))
    assert found is not None
    assert found.startswith(shown)


def test_a_newer_layout_is_named_unknown() -> None:
    assert decode_transactions(record(KEY, "00ff"))[1] == "<UNKNOWN>"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "00000000000000000000.log"
    path.write_bytes(encode_batch([record(KEY, LAYOUT_1)]))
    assert main(["dump-log", "--transaction-log-decoder", "--files", str(path)]) == 0
    assert '"transactionStatus":"PrepareAbort"' in capsys.readouterr().out
