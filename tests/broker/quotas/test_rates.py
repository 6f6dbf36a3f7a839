"""Sampled rates and token buckets: the numbers are those that Apache Kafka 4.4.0 gave, or follow
from its formulas."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raftka.broker.quotas.rates import Rate, TokenBucket, Windows, rounded

WINDOWS = Windows(11, 1000)


def test_one_request_counts_over_ten_seconds() -> None:
    """A produce request of 30,109 bytes at 1,000 bytes a second: Kafka answers 20,109 ms."""
    rate = Rate(WINDOWS)
    rate.record(30_109, 5_000)
    assert rate.measure(5_000) == 3010.9
    assert rate.throttle_ms(1_000, 5_000) == 20_109
    assert rate.throttle_ms(3_011, 5_000) == 0


def test_after_the_throttle_time_the_rate_is_at_the_limit_while_it_is_remembered() -> None:
    rate = Rate(WINDOWS)
    rate.record(20_000, 0)
    assert rate.throttle_ms(1_900, 0) == rounded((2_000 - 1_900) / 1_900 * 10_000)
    # The divisor counts time only in whole windows.
    assert rate.window_ms(999) == 10_999
    assert rate.window_ms(1_000) == 10_000
    assert rate.window_ms(10_500) == 10_500
    assert rate.measure(10_999) == 20_000 / 10.999
    assert rate.measure(11_000) == 0


def test_a_value_can_be_taken_back() -> None:
    rate = Rate(WINDOWS)
    rate.record(500, 10)
    rate.record(700, 20)
    rate.record(-700, 20)
    assert rate.total(20) == 500


def test_samples_are_used_again_and_old_ones_forgotten() -> None:
    rate = Rate(Windows(2, 1000))
    for now_ms in range(0, 10_000, 500):
        rate.record(10, now_ms)
        # Two windows of two values, and what overlaps with their beginning.
        assert rate.total(now_ms) <= 60
    # 9.5 and 9.0, 8.5 and 8.0; the sample before was last counted in two seconds ago.
    assert (rate.total(9_500), rate.window_ms(9_500)) == (40, 1_500)
    assert not rate.is_idle(11_499)
    assert rate.is_idle(11_500)
    assert rate.total(11_500) == 0


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 10**9)), min_size=1, max_size=40),
    st.integers(1, 20),
)
def test_an_idle_rate_is_as_good_as_a_new_one(events: list[tuple[int, int]], samples: int) -> None:
    windows = Windows(samples, 1000)
    used, now_ms = Rate(windows), 0
    for pause_ms, value in events:
        now_ms += pause_ms
        used.record(value, now_ms)
        assert used.total(now_ms) > 0
        assert used.window_ms(now_ms) >= max(1, (samples - 1) * 1000)
    now_ms += windows.length_ms
    assert used.is_idle(now_ms)
    new = Rate(windows)
    for pause_ms, value in events:
        now_ms += pause_ms
        used.record(value, now_ms)
        new.record(value, now_ms)
        assert used.measure(now_ms) == new.measure(now_ms)


def test_a_bucket_begins_full_and_is_paid_back() -> None:
    """controller_mutation_rate=1 and a topic of 15 partitions; then Kafka says 4,000 ms and less
    by the time that has passed."""
    bucket = TokenBucket(WINDOWS, 1.0, 100)
    assert bucket.burst == 11
    bucket.take(15, 100)
    assert bucket.throttle_ms(100) == 4_000
    assert bucket.throttle_ms(1_350) == 2_750
    assert bucket.throttle_ms(4_100) == 0
    assert not bucket.is_idle(4_100)
    assert bucket.is_idle(15_100)
    assert bucket.tokens == 11


def test_halves_are_rounded_up_as_in_java() -> None:
    assert [rounded(x) for x in (0.5, 1.5, 2.5, -0.5, 2.4999)] == [1, 2, 3, 0, 2]
