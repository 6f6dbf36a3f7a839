"""Rates over sampled windows, and token buckets, as Apache Kafka's metrics compute them. Pure.

A rate is what was counted in the last `samples` windows of `window_ms` each. Kafka divides it by
`samples` - 1 whole windows and the time since the present one began, so that a burst after silence
is not taken for a high rate (KIP-13; org.apache.kafka.common.metrics.stats.Rate). Throttle times
follow from these numbers, so clients see Kafka's only if every step is Kafka's.
"""

from __future__ import annotations

from math import floor
from typing import Final

from raftka.model.named_tuple import NamedTuple

MOST_THROTTLE_MS: Final = 2**31 - 1
"""What the protocol's field can hold."""


class Windows(NamedTuple):
    """Over which time something is measured (*quota.window.num, *quota.window.size.seconds)."""

    samples: int
    window_ms: int

    @property
    def length_ms(self) -> int:
        """After this long nothing that was counted is remembered."""
        return self.samples * self.window_ms


class _Sample:
    """One window: when it began, when it was last counted in, and what."""

    __slots__ = ("last_ms", "start_ms", "value")

    def __init__(self, now_ms: int) -> None:
        self.reset(now_ms)

    def reset(self, now_ms: int) -> None:
        self.start_ms = self.last_ms = now_ms
        self.value = 0.0


class SampledSum:
    """A sum over the last windows. One sample more is kept than there are windows, since the
    oldest overlaps with their beginning."""

    __slots__ = ("_current", "_samples", "windows")

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self._samples: list[_Sample] = []
        self._current = 0

    def record(self, value: float, now_ms: int) -> None:
        """Count `value`; a negative one takes back what was counted."""
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
        """What the windows hold now; samples that are too old are forgotten."""
        self._forget(now_ms)
        return sum(sample.value for sample in self._samples)

    def elapsed_ms(self, now_ms: int) -> int:
        """Since the oldest sample that is remembered began."""
        self._forget(now_ms)
        return now_ms - min((sample.start_ms for sample in self._samples), default=now_ms)

    def is_idle(self, now_ms: int) -> bool:
        """Whether nothing is left of it: a new one would measure the same from here on."""
        length_ms = self.windows.length_ms
        return all(now_ms - sample.last_ms >= length_ms for sample in self._samples)

    def _forget(self, now_ms: int) -> None:
        length_ms = self.windows.length_ms
        for sample in self._samples:
            if now_ms - sample.last_ms >= length_ms:
                sample.reset(now_ms)


class Rate(SampledSum):
    """Per second, over the last windows; those before the first one counted as empty."""

    __slots__ = ()

    def window_ms(self, now_ms: int) -> int:
        """The time that the rate is taken over."""
        elapsed_ms = self.elapsed_ms(now_ms)
        missing = self.windows.samples - 1 - elapsed_ms // self.windows.window_ms
        return max(elapsed_ms + max(missing, 0) * self.windows.window_ms, 1)

    def measure(self, now_ms: int) -> float:
        """What was counted, per second."""
        return self.total(now_ms) * 1000 / self.window_ms(now_ms)

    def throttle_ms(self, limit: float, now_ms: int) -> int:
        """How long nothing may be counted until the rate is at `limit` again; 0 when it is now."""
        rate = self.measure(now_ms)
        if rate <= limit:
            return 0
        wait_ms = (rate - limit) / limit * self.window_ms(now_ms)
        return min(rounded(wait_ms), MOST_THROTTLE_MS)


class TokenBucket:
    """Tokens that come at a rate and are kept for as long as all windows last (KIP-599).

    A burst may take more than there are; then the bucket is below zero, and has to be waited for.
    """

    __slots__ = ("_refilled_ms", "_windows", "rate", "tokens")

    def __init__(self, windows: Windows, rate: float, now_ms: int) -> None:
        self._windows = windows
        self._refilled_ms = now_ms
        self.rate = rate
        """Tokens a second."""
        self.tokens = self.burst

    @property
    def burst(self) -> float:
        """The most tokens that are kept."""
        return self._windows.length_ms / 1000 * self.rate

    def take(self, tokens: float, now_ms: int) -> None:
        """Take them, whether they are there or not."""
        self.refill(now_ms)
        self.tokens = min(self.burst, self.tokens - tokens)

    def refill(self, now_ms: int) -> None:
        """Add what came in since the last look."""
        passed_s = (now_ms - self._refilled_ms) / 1000
        self.tokens = min(self.burst, self.tokens + self.rate * passed_s)
        self._refilled_ms = now_ms

    def throttle_ms(self, now_ms: int) -> int:
        """How long until the bucket is not below zero."""
        self.refill(now_ms)
        if self.tokens >= 0:
            return 0
        return min(rounded(-self.tokens / self.rate * 1000), MOST_THROTTLE_MS)

    def is_idle(self, now_ms: int) -> bool:
        """Whether it is full: a new one would give the same from here on."""
        self.refill(now_ms)
        return self.tokens >= self.burst


def rounded(value: float) -> int:
    """The nearest whole number; halves go up, as in Java."""
    return floor(value + 0.5)
