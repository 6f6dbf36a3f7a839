"""Rates, lag, problems and changes of leaders, from two samples of a cluster."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from raftka.client.admin.nodes import Node
from raftka.client.admin.topics import PartitionDescription, TopicDescription
from raftka.model.ids import TopicPartition
from raftka.top.sample import GroupSample, Sample
from raftka.top.screen import screen
from raftka.top.view import elections, view

BROKERS = tuple(Node(i, f"kafka{i}", 9092, None) for i in (1, 2, 3))
AT = TopicPartition("orders", 0)


def topics(leader: int | None, epoch: int, *isr: int) -> dict[str, TopicDescription]:
    broker = None if leader is None else BROKERS[leader - 1]
    partition = PartitionDescription(0, broker, epoch, (1, 2, 3), isr)
    return {"orders": TopicDescription("orders", bytes(16), False, (partition,))}


BEFORE = Sample(
    at_s=100.0,
    cluster_id="abc",
    controller_id=1,
    controller_epoch=3,
    brokers=BROKERS,
    topics=topics(1, 5, 1, 2, 3),
    ends={AT: 1000},
    groups={"g": GroupSample("Stable", 2, {AT: 600})},
)
NOW = replace(
    BEFORE, at_s=102.0, ends={AT: 1500}, groups={"g": GroupSample("Stable", 2, {AT: 1400})}
)


def test_rates_and_lag() -> None:
    seen = view(BEFORE, NOW)
    assert seen.records_s == 250
    assert (seen.groups[0].lag, seen.groups[0].records_s) == (100, 400)
    assert seen.elections == []
    assert [(row.leads, row.replicas, row.missing) for row in seen.brokers] == [
        (1, 1, 0),
        (0, 1, 0),
        (0, 1, 0),
    ]
    assert view(None, NOW).records_s == 0


def test_a_log_that_was_cut_has_no_negative_rate() -> None:
    assert view(BEFORE, replace(NOW, ends={AT: 10})).records_s == 0
    assert view(BEFORE, replace(NOW, ends={AT: 10})).groups[0].lag == 0


def test_why_a_leader_changed() -> None:
    gone = (replace(BROKERS[0], fenced=True), *BROKERS[1:])
    failed = replace(NOW, topics=topics(2, 6, 2, 3), brokers=gone)
    (election,) = elections(BEFORE, failed)
    assert election == ("orders-0", 1, 2, 6, "broker 1 is gone or fenced")
    back = replace(NOW, topics=topics(1, 7, 1, 2, 3))
    assert elections(failed, back)[0].why == "the preferred replica leads again"
    nobody = replace(failed, topics=topics(None, 7))
    assert elections(failed, nobody)[0].why == "no replica that is in sync is alive"
    moved = replace(NOW, controller_id=2, controller_epoch=4, brokers=gone)
    assert elections(BEFORE, moved)[0] == ("controller", 1, 2, 4, "node 1 is gone")


def test_what_needs_looking_at_comes_first() -> None:
    calm = {f"t{i}": replace(NOW.topics["orders"], name=f"t{i}") for i in range(5)}
    sick = replace(topics(None, 6)["orders"], name="z")
    assert view(None, replace(NOW, topics=calm | {"z": sick})).topics[0].name == "z"


def test_the_screen_shows_it() -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    seen = view(BEFORE, replace(NOW, topics=topics(2, 6, 2, 3)))
    console.print(screen(seen, [("12:00:00", seen.elections[0])], 5))
    text = console.export_text()
    for words in ("cluster abc", "controller 1", "250 records/s", "1 under-replicated", "kafka2:"):
        assert words in text
    assert "broker 1 is alive: it was asked to move" in text
