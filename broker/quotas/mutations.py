"""The quota on metadata changes: partitions created and deleted per second (KIP-599). Pure.

Requests in versions that know THROTTLING_QUOTA_EXCEEDED are refused, topic by topic, once the
bucket is below zero; older ones succeed with a throttle time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from raftka.broker.quotas.limits import Limits, Share
from raftka.broker.quotas.rates import TokenBucket, Windows
from raftka.broker.quotas.remembered import Remembered
from raftka.kraft.controller.client_quotas import CONTROLLER_MUTATION_RATE
from raftka.kraft.sections.client_quotas import QuotaEntity
from raftka.model.errors import ErrorCode, KafkaError


class MutationRates:
    """The buckets of all shares."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._limits = Limits({}, CONTROLLER_MUTATION_RATE)
        self._buckets: Remembered[Share, TokenBucket] = Remembered()
        self.is_active = False
        """Whether any client has such a quota."""

    def follow(self, quotas: Mapping[QuotaEntity, Mapping[str, float]]) -> None:
        """Apply new quotas; the buckets keep their levels."""
        self._limits = Limits(quotas, CONTROLLER_MUTATION_RATE)
        self.is_active = bool(self._limits)
        if not self.is_active:
            self._buckets.clear()

    def bucket(self, user: str, client_id: str, now_ms: int) -> TokenBucket | None:
        """The bucket of a client; None without a limit."""
        limit = self._limits.find(user, client_id)
        if limit is None:
            return None
        bucket = self._buckets.get(
            limit.share, now_ms, lambda: TokenBucket(self._windows, limit.value, now_ms)
        )
        bucket.rate = limit.value
        return bucket


class MutationCharge:
    """Takes a request's changes out of a bucket, if there is one."""

    def __init__(
        self, bucket: TokenBucket | None, now_ms: Callable[[], int], *, strict: bool
    ) -> None:
        self._bucket = bucket
        self._now_ms = now_ms
        self._strict = strict
        self._charged: set[object] = set()
        self._until_ms = 0

    def __call__(self, what: object, partitions: int) -> None:
        """Take tokens for `what` once, however often the change is decided.

        Raises KafkaError THROTTLING_QUOTA_EXCEEDED if the request is strict and would have to wait.
        """
        if self._bucket is None or what in self._charged:
            return
        now_ms = self._now_ms()
        if self._strict:
            wait_ms = self._bucket.throttle_ms(now_ms)
            if wait_ms:
                self._until_ms = now_ms + wait_ms
                raise KafkaError(
                    ErrorCode.THROTTLING_QUOTA_EXCEEDED, "The throttling quota has been exceeded."
                )
            self._bucket.take(partitions, now_ms)
        else:
            self._bucket.take(partitions, now_ms)
            wait_ms = self._bucket.throttle_ms(now_ms)
            self._until_ms = now_ms + wait_ms
        self._charged.add(what)

    @property
    def throttle_ms(self) -> int:
        """How long the client must wait before its next change."""
        return max(0, self._until_ms - self._now_ms()) if self._until_ms else 0
