"""Latencies by API: buckets, quantiles, and which stage a request's time is counted to."""

from __future__ import annotations

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


def test_sums_of_two() -> None:
    one, two = Histogram(), Histogram()
    one.record(0.001)
    two.record(0.001)
    both = one + two
    assert both.count == 2
    assert both.total_s == 0.002


class Answer:
    error_code = 6


def test_stages() -> None:
    now = [10.0]
    stats = RequestStats(lambda: now[0])
    at_once = stats.begin("Metadata", 12, Session("h:1", "L"), None)
    now[0] += 0.5
    at_once.answered(None)
    later = stats.begin("Fetch", 17, Session("h:1", "L"), None)
    now[0] += 0.25
    later.waits()
    now[0] += 2.0
    later.answered("frame")
    metadata, fetch = stats.apis["Metadata"], stats.apis["Fetch"]
    assert metadata.total.total_s == metadata.at_once.total_s == 0.5
    assert (fetch.local.total_s, fetch.remote.total_s, fetch.total.total_s) == (0.25, 2.0, 2.25)
    assert fetch.versions == {17: 1}


def test_an_answer_with_an_error() -> None:
    stats = RequestStats(lambda: 1.0)
    timing = stats.begin("EndTxn", 5, Session("h:1", "L"), None)
    timing.waits()
    timing.answered(Answer())
    assert stats.apis["EndTxn"].waited.count == 1
    assert stats.apis["EndTxn"].errors == {6: 1}


def test_made_up_versions_are_counted_as_one() -> None:
    stats = RequestStats(lambda: 1.0)
    session = Session("h:1", "L")
    for version in range(1000):
        stats.begin("Fetch", version, session, None)
    stats.begin("Fetch", 17, session, None)
    versions = stats.apis["Fetch"].versions
    assert len(versions) == 65 and versions[17] == 2
    assert versions[-1] == 1000 - 64
