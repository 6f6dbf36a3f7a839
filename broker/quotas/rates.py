"""Rates over sampled windows, and token buckets, as Apache Kafka's metrics compute them. Pure.

A rate is the sum over the last `samples` windows of `window_ms` each, divided by `samples` - 1 full
windows plus the time since the current one began, so that a burst after silence is not mistaken for
a high rate (KIP-13; org.apache.kafka.common.metrics.stats.Rate). Throttle times follow from these
numbers, so they equal Kafka's only if every step does.
"""

from __future__ import annotations

from math import floor
from typing import Final

from raftka.model.named_tuple import NamedTuple

MOST_THROTTLE_MS: Final = 2**31 - 1
"""The maximum that the protocol's field can hold."""


class Windows(NamedTuple):
    """The windows of a measurement (*quota.window.num, *quota.window.size.seconds)."""

    samples: int
    window_ms: int

    @property
    def length_ms(self) -> int:
        """After this time a recorded value no longer counts."""
        return self.samples * self.window_ms


class _Sample:
    """One window: its start, its last update, and its sum."""

    __slots__ = ("last_ms", "start_ms", "value")

    def __init__(self, now_ms: int) -> None:
        self.reset(now_ms)

    def reset(self, now_ms: int) -> None:
        self.start_ms = self.last_ms = now_ms
        self.value = 0.0


class SampledSum:
    """A sum over the last windows. It keeps one sample more than there are windows, since the
    oldest one overlaps with the first window."""

    __slots__ = ("_current", "_samples", "windows")

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self._samples: list[_Sample] = []
        self._current = 0

    def record(self, value: float, now_ms: int) -> None:
        """Record `value`; a negative one undoes a recorded one."""
        samples = self._samples
        if not samples:
            samples.append(_Sample(now_ms))
        sample = samples[self._current]
        if now_ms - sample.start_ms >= self.windows.window_ms:
            sample = self._advance(now_ms)
        sample.value += value
        sample.last_ms = now_ms

    def _advance(self, now_ms: int) -> _Sample:
        self._current = (self._current + 1) % (self.windows.samples + 1)
        if self._current == len(self._samples):
            self._samples.append(_Sample(now_ms))
        else:
            self._samples[self._current].reset(now_ms)
        return self._samples[self._current]

    def total(self, now_ms: int) -> float:
        """The sum over the windows; drops samples that are too old."""
        self._forget(now_ms)
        return sum(sample.value for sample in self._samples)

    def elapsed_ms(self, now_ms: int) -> int:
        """The time since the oldest remaining sample began."""
        self._forget(now_ms)
        return now_ms - min((sample.start_ms for sample in self._samples), default=now_ms)

    def is_idle(self, now_ms: int) -> bool:
        """Whether it is empty, so that a new one would measure the same from now on."""
        length_ms = self.windows.length_ms
        return all(now_ms - sample.last_ms >= length_ms for sample in self._samples)

    def _forget(self, now_ms: int) -> None:
        length_ms = self.windows.length_ms
        for sample in self._samples:
            if now_ms - sample.last_ms >= length_ms:
                sample.reset(now_ms)


class Rate(SampledSum):
    """The rate per second over the last windows; missing windows count as empty."""

    __slots__ = ()

    def window_ms(self, now_ms: int) -> int:
        """The time over which the rate is taken."""
        elapsed_ms = self.elapsed_ms(now_ms)
        missing = self.windows.samples - 1 - elapsed_ms // self.windows.window_ms
        return max(elapsed_ms + max(missing, 0) * self.windows.window_ms, 1)

    def measure(self, now_ms: int) -> float:
        """The current rate per second."""
        return self.total(now_ms) * 1000 / self.window_ms(now_ms)

    def throttle_ms(self, limit: float, now_ms: int) -> int:
        """How long until the rate is down to `limit` again; 0 if it is now."""
        rate = self.measure(now_ms)
        if rate <= limit:
            return 0
        wait_ms = (rate - limit) / limit * self.window_ms(now_ms)
        return min(rounded(wait_ms), MOST_THROTTLE_MS)


class TokenBucket:
    """Tokens that arrive at a rate and accumulate over the length of all windows (KIP-599).

    A burst may take more than there are; then the level is negative, and clients must wait.
    """

    __slots__ = ("_refilled_ms", "_windows", "rate", "tokens")

    def __init__(self, windows: Windows, rate: float, now_ms: int) -> None:
        self._windows = windows
        self._refilled_ms = now_ms
        self.rate = rate
        """Tokens per second."""
        self.tokens = self.burst

    @property
    def burst(self) -> float:
        """The capacity of the bucket."""
        return self._windows.length_ms / 1000 * self.rate

    def take(self, tokens: float, now_ms: int) -> None:
        """Take tokens, even if there are not enough."""
        self.refill(now_ms)
        self.tokens = min(self.burst, self.tokens - tokens)

    def refill(self, now_ms: int) -> None:
        """Add the tokens since the last refill."""
        passed_s = (now_ms - self._refilled_ms) / 1000
        self.tokens = min(self.burst, self.tokens + self.rate * passed_s)
        self._refilled_ms = now_ms

    def throttle_ms(self, now_ms: int) -> int:
        """How long until the level is no longer negative."""
        self.refill(now_ms)
        if self.tokens >= 0:
            return 0
        return min(rounded(-self.tokens / self.rate * 1000), MOST_THROTTLE_MS)

    def is_idle(self, now_ms: int) -> bool:
        """Whether it is full, so that a new one would behave the same from now on."""
        self.refill(now_ms)
        return self.tokens >= self.burst


def rounded(value: float) -> int:
    """The nearest integer; halves are rounded up, as in Java."""
    return floor(value + 0.5)
