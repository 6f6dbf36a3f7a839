"""Requests by API: how many of which version, their errors, how long each stage took.

Kept only where a scraper can ask for them (broker/metrics), which makes sums and quantiles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from raftka.net.client_software import ClientSoftware

if TYPE_CHECKING:
    from raftka.net.session import Session

_FIRST_BIT: Final = 5
BOUNDS_S: Final = tuple((1 << (_FIRST_BIT + i)) / 1e6 for i in range(21))
"""Where the buckets end, in seconds: 32 µs, and so on doubling to 34 s. One more is open."""

_INTRODUCTION: Final = "ApiVersions"
"""A client says by it what it is, and so it is not known before it was answered."""
_SPOKEN_MAX: Final = 500
"""A connection that asks in more versions of APIs than there are means no good."""
_VERSIONS_MAX: Final = 64
"""Of one API. Requests are counted before their versions are checked, and no client may make a
series for each of 65,536 numbers."""
_OTHER_VERSIONS: Final = -1
"""Stands for all the others."""


class Histogram:
    """Durations in buckets that double: no sample is kept, so memory does not grow."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.total_s = 0.0

    def record(self, seconds: float) -> None:
        """One more."""
        bucket = (int(seconds * 1_000_000) >> _FIRST_BIT).bit_length()
        self.counts[bucket if bucket <= len(BOUNDS_S) else -1] += 1
        self.total_s += seconds

    @property
    def count(self) -> int:
        """How many were recorded."""
        return sum(self.counts)

    def __add__(self, other: Histogram) -> Histogram:
        both = Histogram()
        both.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        both.total_s = self.total_s + other.total_s
        return both

    def quantile_s(self, share: float) -> float:
        """The duration that `share` of all stay below, at most twice too much; 0 without any."""
        wanted = share * self.count
        seen = 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return BOUNDS_S[min(bucket, len(BOUNDS_S) - 1)]
        return 0.0


class ApiStats:
    """What has been answered of one API."""

    __slots__ = ("at_once", "errors", "local", "remote", "versions", "waited")

    def __init__(self) -> None:
        self.versions: Counter[int] = Counter()
        self.errors: Counter[int] = Counter()
        """Error codes of whole requests, not of their topics and partitions."""
        self.at_once = Histogram()
        """Requests that the handler answered without a wait."""
        self.waited = Histogram()
        """The others, from their arrival to their answer."""
        self.local = Histogram()
        """Of the others, the handler's own time."""
        self.remote = Histogram()
        """Of the others, the wait for other nodes, for records or for room."""

    @property
    def total(self) -> Histogram:
        """All requests, from their arrival to their answer."""
        return self.at_once + self.waited


class Timing:
    """One request, from its arrival to its answer."""

    __slots__ = ("_api", "_began_s", "_handled_s", "_now")

    def __init__(self, api: ApiStats, version: int, now: Callable[[], float]) -> None:
        self._api = api
        self._now = now
        self._began_s = now()
        self._handled_s: float | None = None
        """When the handler returned, if that was without the answer."""
        known = version in api.versions or len(api.versions) < _VERSIONS_MAX
        api.versions[version if known else _OTHER_VERSIONS] += 1

    def waits(self) -> None:
        """The handler has returned, and the answer is not known yet."""
        self._handled_s = self._now()

    def answered(self, answer: object) -> None:
        """The answer is known, whatever it says."""
        now_s = self._now()
        api, handled_s = self._api, self._handled_s
        if handled_s is None:
            api.at_once.record(now_s - self._began_s)
        else:
            api.waited.record(now_s - self._began_s)
            api.local.record(handled_s - self._began_s)
            api.remote.record(now_s - handled_s)
        code = getattr(answer, "error_code", 0)
        if code:
            api.errors[code] += 1


class RequestStats:
    """The requests of one node, by the name of their API."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` returns monotonic seconds."""
        self.now = clock
        self.apis: dict[str, ApiStats] = {}
        self.software = ClientSoftware()

    def begin(self, api: str, version: int, session: Session, client_id: str | None) -> Timing:
        """A request has come."""
        spoken = session.spoken
        if (api, version) not in spoken and api != _INTRODUCTION and len(spoken) < _SPOKEN_MAX:
            spoken.add((api, version))
            self.software.meet(session, client_id, api, version)
        return Timing(self.of(api), version, self.now)

    def of(self, api: str) -> ApiStats:
        """The stats of one API."""
        found = self.apis.get(api)
        if found is None:
            found = self.apis[api] = ApiStats()
        return found
