"""How long groups leave records unread, as measured between scrapes."""

from __future__ import annotations

from raftka.broker.metrics.arrivals import Arrivals, Position
from raftka.model.ids import TopicPartition

T = TopicPartition("t", 0)


def test_the_leader_knows_when_the_first_unread_record_was_written() -> None:
    arrivals = Arrivals(lambda at, offset: 1_000 * offset)
    position = Position("g", T, 3)
    assert arrivals.seconds([position], {T: 7}, 10_000) == {position: 7.0}


def test_who_has_read_all_waits_for_nothing() -> None:
    arrivals = Arrivals(lambda at, offset: 0)
    ahead = Position("g", T, 9)
    assert arrivals.seconds([ahead], {T: 7}, 10_000) == {ahead: 0.0}
    assert ahead.lag(7) == 0, "an end may be older than the commit"


def test_a_clock_that_is_ahead_makes_no_negative_time() -> None:
    arrivals = Arrivals(lambda at, offset: 20_000)
    position = Position("g", T, 3)
    assert arrivals.seconds([position], {T: 7}, 10_000) == {position: 0.0}


def test_former_scrapes_say_when_a_record_elsewhere_had_come() -> None:
    arrivals = Arrivals(lambda at, offset: None)

    def scraped(position: Position, end: int, now_ms: int) -> dict[Position, float]:
        arrivals.look({T: end}, now_ms)
        return arrivals.seconds([position], {T: end}, now_ms)

    position = Position("g", T, 5)
    assert scraped(position, 5, 1_000) == {position: 0.0}
    assert scraped(position, 6, 16_000) == {position: 0.0}
    assert scraped(position, 8, 31_000) == {position: 15.0}
    further = Position("g", T, 7)
    assert scraped(further, 8, 46_000) == {further: 15.0}


def test_a_partition_whose_end_nobody_knows_is_left_out() -> None:
    arrivals = Arrivals(lambda at, offset: 0)
    assert arrivals.seconds([Position("g", T, 5)], {}, 1_000) == {}


def test_what_a_share_group_has_done_out_of_order_is_no_lag() -> None:
    assert Position("w", T, 5, 3).lag(10) == 2
    assert Position("w", T, 5, 5).lag(10) == 0
