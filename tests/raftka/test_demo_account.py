"""The demo's ledger: the records that count as lost or duplicate, and outages."""

from __future__ import annotations

import re
from pathlib import Path

from raftka.demo.elections import activations, elections
from raftka.demo.ledger import Ledger
from raftka.demo.log_lines import client_of, log_lines, write_log

COMBINED = re.compile(
    r'\S+ - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "\w+ \S+ HTTP/1\.1" \d{3} \d+'
    r' "[^"]*" "[^"]*"'
)
NODE_LOG = """\
2026-11-22 22:12:05.100+02:00 INFO    controller 1 is active epoch=1 metadata_offset=-1 brokers=[]
2026-11-22 22:12:09.250+02:00 INFO    web-logs-1: broker 3 is elected leader \
topic=web-logs partition=1 old_leader=2 new_leader=3 leader_epoch=1 \
isr_before=[2,3,1] isr=[3,1] reason="broker 2 is gone"
2026-11-22 22:12:09.300+02:00 WARNING web-logs-2 has no leader topic=web-logs \
partition=2 old_leader=2 new_leader=-1 leader_epoch=4 isr_before=[2] isr=[] reason="nobody is alive"
2026-11-22 22:12:09.400+02:00 INFO    something else
"""


def test_lines_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    lines = list(log_lines(200, seed=5))
    assert lines == list(log_lines(200, seed=5)) != list(log_lines(200, seed=6))
    assert all(COMBINED.fullmatch(line) for line in lines)
    assert len({client_of(line) for line in lines}) > 20
    write_log(tmp_path / "access.log", 3, seed=5)
    assert (tmp_path / "access.log").read_text().splitlines() == lines[:3]


def test_what_was_acknowledged_and_never_read_is_lost() -> None:
    ledger = Ledger()
    ledger.note_ack(1, 0, 10, 0.0)
    ledger.note_ack(2, 0, 11, 0.0)
    ledger.note_read(1, 0, 10, intact=True)
    assert ledger.unread() == 1
    assert ledger.verdict().lost == 1
    assert not ledger.verdict().kept
    ledger.note_read(2, 0, 11, intact=True)
    assert ledger.verdict().kept


def test_reading_again_is_no_duplicate_but_another_offset_is() -> None:
    ledger = Ledger()
    ledger.note_ack(1, 0, 10, 0.0)
    for _ in range(3):
        ledger.note_read(1, 0, 10, intact=True)
    assert (ledger.verdict().read_again, ledger.verdict().duplicated) == (2, 0)
    ledger.note_read(1, 0, 12, intact=True)
    assert ledger.verdict().duplicated == 1
    assert not ledger.verdict().kept


def test_failures_and_other_contents_break_the_promise() -> None:
    ledger = Ledger()
    ledger.note_failure(1, "too late")
    assert not ledger.verdict().kept
    ledger = Ledger()
    ledger.note_read(1, 0, 0, intact=False)
    assert ledger.verdict().unknown == 1
    assert not ledger.verdict().kept


def test_an_outage_is_the_longest_pause_after_the_failure() -> None:
    ledger = Ledger()
    # The answer at 10.1 was under way when the leader died at 10.0; the new one answers at 10.9.
    for now in (9.9, 10.1, 10.9, 11.0):
        ledger.note_ack(int(now * 10), 0, 0, now)
    assert ledger.outage([0], since=10.0) == 10.9 - 10.1
    assert ledger.outage([0, 1], since=10.0) is None, "partition 1 is still down"
    assert ledger.outage([], since=10.0) == 0.0


def test_elections_are_read_from_the_logs_of_the_nodes() -> None:
    first, second = elections([NODE_LOG])
    assert (first.name, first.old_leader, first.new_leader, first.epoch) == ("web-logs-1", 2, 3, 1)
    assert (first.isr_before, first.isr, first.reason) == ("2,3,1", "3,1", "broker 2 is gone")
    assert second.new_leader == -1
    assert round(second.at - first.at, 3) == 0.05
    assert [(a.controller, a.epoch) for a in activations([NODE_LOG])] == [(1, 1)]
