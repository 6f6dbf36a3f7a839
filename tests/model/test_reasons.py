"""Reasons: the same as words, and as a code with parameters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raftka.kraft.codec import decode_records, encode_records
from raftka.kraft.records import PartitionChangeRecord
from raftka.model.reasons import SENTENCES, Why, rule_of, unpacked
from raftka.tracing.places import explained, places

ROOT = Path(__file__).parents[2]


def test_a_reason_is_its_words_and_knows_what_they_were_made_of() -> None:
    cause = Why("broker-silent", broker=3, timeout_ms=9000)
    both = cause.therefore(Why("first-of-isr", leader=2, isr=(1, 2)))
    assert both == (
        "broker 3 was fenced: not heard for 9000 ms: 2 is the first live replica of the ISR [1, 2]"
    )
    assert both.code == "broker-silent.first-of-isr"
    assert unpacked(both.packed()) == both
    assert rule_of(both.code) == "KIP-631"


def test_what_an_older_or_newer_release_wrote_has_no_reason_here() -> None:
    assert unpacked(()) is None
    assert unpacked(("from-the-future", ())) is None
    assert unpacked(("broker-silent", (("broker", 3),))) is None


def test_a_parameter_that_is_missing_is_an_error_where_it_is_made() -> None:
    with pytest.raises(KeyError):
        Why("broker-silent", broker=3)


def test_records_hold_reasons() -> None:
    why = Why("broker-back", broker=1).therefore(Why("last-known", leader=1))
    change = PartitionChangeRecord(b"t" * 16, 0, leader=1, reason=str(why), why=why.packed())
    assert decode_records(encode_records([change])) == [change]


def test_every_sentence_is_used_and_its_place_is_known() -> None:
    import raftka.simulations.machines.cluster  # noqa: F401 - what takes decisions is loaded

    known = places()
    assert sorted(set(SENTENCES) - set(known)) == []
    for code in SENTENCES:
        where = explained(code)["where"]
        path, _, line = where.partition(":")
        lines = (ROOT / path).read_text().splitlines()
        near = "\n".join(lines[max(0, int(line) - 2) : int(line) + 6])
        assert re.search(rf'"{code}"|def ', near), f"{where} does not name {code}"
