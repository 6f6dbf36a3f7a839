"""Latencies by API: buckets, quantiles, and which stage a request's time is counted to."""

from __future__ import annotations

from raftka.net.answers import Turn
from raftka.net.request_stats import BOUNDS_S, Histogram, RequestStats
from raftka.net.session import Session


def test_quantiles_are_at_most_twice_too_much() -> None:
    durations = Histogram()
    for i in range(1, 1001):
        durations.record(i / 1000)
    assert durations.count == 1000
    for share in (0.5, 0.9, 0.99, 0.999):
        assert share <= durations.quantile_s(share) <= 2.1 * share


def test_extremes_have_buckets() -> None:
    durations = Histogram()
    durations.record(0.0)
    durations.record(1e6)
    assert durations.counts[0] == durations.counts[-1] == 1
    assert durations.quantile_s(1.0) == BOUNDS_S[-1]
    assert Histogram().quantile_s(0.5) == 0.0


class Answer:
    error_code = 6


class Stage:
    """The stats of a node whose clock is set by hand."""

    def __init__(self) -> None:
        self.now_s = 10.0
        self.turn = Turn()
        self.stats = RequestStats(lambda: self.now_s, self.turn)
        self.session = Session("h:1", "L")

    def handle(self, name: str, version: int, took_s: float = 0.0) -> None:
        """As a dispatcher counts a request, and its handler takes so long."""
        stats = self.stats
        if stats.version != version or stats.name != name:
            stats.begin_run(name, version)
        stats.count += 1
        if self.session.asked is not stats.series:
            stats.meet(self.session, None)
        self.now_s += took_s


def test_a_turn_is_timed_as_a_whole_and_each_run_of_it_for_itself() -> None:
    stage = Stage()
    stage.turn.begin()
    for _ in range(3):
        stage.handle("Produce", 9, 0.25)
    stage.handle("Fetch", 17, 0.5)
    stage.turn.end()
    produce, fetch = stage.stats.apis["Produce"], stage.stats.apis["Fetch"]
    assert (produce.local.count, produce.local.total_s) == (3, 0.75)
    assert (fetch.local.count, fetch.local.total_s) == (1, 0.5)
    # They came together and were answered together.
    assert (produce.total.count, produce.total.total_s) == (3, 3 * 1.25)
    assert (fetch.total.count, fetch.total.total_s) == (1, 1.25)
    assert produce.remote.count == fetch.remote.count == 0
    assert (produce.versions, fetch.versions) == ({9: 3}, {17: 1})


def test_the_next_turn_begins_a_run_of_its_own() -> None:
    stage = Stage()
    for _ in range(2):
        stage.turn.begin()
        stage.handle("Produce", 9, 0.5)
        stage.turn.end()
        stage.now_s += 100.0
    produce = stage.stats.apis["Produce"]
    assert (produce.total.count, produce.total.total_s, produce.local.total_s) == (2, 1.0, 1.0)


def test_an_answer_that_comes_in_a_later_turn() -> None:
    stage = Stage()
    stage.turn.begin()
    stage.handle("Produce", 9)
    first = stage.stats.waits()
    stage.handle("Produce", 9, 0.25)
    second = stage.stats.waits()
    stage.handle("Produce", 9, 0.25)
    stage.turn.end()
    produce = stage.stats.apis["Produce"]
    assert (produce.total.count, produce.total.total_s) == (1, 0.5)
    stage.now_s += 2.0
    stage.turn.begin()
    first.answered([b""])
    second.answered([b""])
    assert produce.total.count == 1, "neither has left"
    stage.now_s += 1.0
    stage.turn.end()
    assert (produce.remote.count, produce.remote.total_s) == (2, 6.0)
    assert (produce.total.count, produce.total.total_s) == (3, 0.5 + 2 * 3.5)
    assert (produce.local.count, produce.local.total_s) == (3, 0.5)


def test_an_answer_that_comes_outside_of_a_turn_or_in_its_own() -> None:
    stage = Stage()
    stage.turn.begin()
    stage.handle("Heartbeat", 4)
    outside = stage.stats.waits()
    stage.turn.end()
    stage.now_s += 3.0
    outside.answered(Answer())
    heartbeat = stage.stats.apis["Heartbeat"]
    assert (heartbeat.remote.total_s, heartbeat.total.total_s) == (3.0, 3.0)
    assert heartbeat.errors == {6: 1}
    stage.turn.begin()
    stage.handle("Heartbeat", 4, 0.5)
    stage.stats.waits().answered([b""])
    stage.turn.end()
    assert (heartbeat.remote.count, heartbeat.remote.total_s) == (2, 3.0)
    assert heartbeat.total.total_s == 3.5


def test_made_up_versions_are_counted_as_one() -> None:
    stage = Stage()
    stage.turn.begin()
    for version in range(1000):
        stage.handle("Fetch", version)
    stage.handle("Fetch", 17)
    stage.turn.end()
    versions = stage.stats.apis["Fetch"].versions
    assert len(versions) == 65 and versions[17] == 2
    assert versions[-1] == 1000 - 64
