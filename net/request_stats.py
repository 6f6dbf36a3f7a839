"""Request statistics by API: counts by version, errors, durations of stages.

They are only kept if the node has a metrics listener; broker/metrics computes sums and quantiles.

A small request takes ten microseconds, so none is timed by itself. A scheduler turn handles many,
mostly of one API and version: such a run costs one addition per request, and is timed as a whole.
Its requests arrived when the turn began, and their answers are sent when it ends; each handler's
time is an equal share of the run. Only answers in later turns are timed individually.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from raftka.net.client_software import ClientSoftware

if TYPE_CHECKING:
    from raftka.net.answers import Turn
    from raftka.net.session import Session

_FIRST_BIT: Final = 5
BOUNDS_S: Final = tuple((1 << (_FIRST_BIT + i)) / 1e6 for i in range(21))
"""The buckets' upper bounds in seconds: 32 µs, doubling up to 34 s. One more is unbounded."""

_LAST: Final = len(BOUNDS_S)

_INTRODUCTION: Final = "ApiVersions"
"""The API by which a client identifies itself, so its software is unknown before the answer."""
_SPOKEN_MAX: Final = 500
"""A connection with more API versions than exist is hostile."""
_VERSIONS_MAX: Final = 64
"""The limit for one API. Requests are counted before their versions are checked, and no client may
create a series for each of 65,536 numbers."""
_OTHER_VERSIONS: Final = -1
"""Stands for all the others."""


class Histogram:
    """Durations in buckets that double: no samples are kept, so memory does not grow."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.total_s = 0.0

    def record(self, seconds: float, count: int = 1) -> None:
        """Record a number of requests with the same duration."""
        bucket = (int(seconds * 1_000_000) >> _FIRST_BIT).bit_length()
        self.counts[bucket if bucket <= _LAST else _LAST] += count
        self.total_s += seconds * count

    @property
    def count(self) -> int:
        """The number of recorded requests."""
        return sum(self.counts)

    def quantile_s(self, share: float) -> float:
        """The duration below which `share` of all requests are, at most twice too high; or 0."""
        wanted = share * self.count
        seen = 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return BOUNDS_S[min(bucket, len(BOUNDS_S) - 1)]
        return 0.0


class ApiStats:
    """The statistics of one API."""

    __slots__ = ("errors", "local", "remote", "total", "versions")

    def __init__(self) -> None:
        self.versions: Counter[int] = Counter()
        self.errors: Counter[int] = Counter()
        """Error codes of whole requests, not of topics and partitions."""
        self.total = Histogram()
        """From the arrival of a request to its answer."""
        self.local = Histogram()
        """The handler's own time."""
        self.remote = Histogram()
        """For delayed answers, the wait for other nodes, for records or for buffer space."""

    def failed(self, answer: object) -> None:
        """Count the error of an answer, if it has one."""
        code = getattr(answer, "error_code", 0)
        if code:
            self.errors[code] += 1


class Series:
    """The requests of one API in one version; all unknown versions of an API share a series."""

    __slots__ = ("api", "name", "version")

    def __init__(self, name: str, api: ApiStats, version: int) -> None:
        self.name = name
        self.api = api
        self.version = version


class Waiting:
    """The requests of one run with delayed answers."""

    __slots__ = ("_answered", "_stats", "api", "began_s", "handled_s")

    def __init__(self, stats: RequestStats, api: ApiStats, began_s: float) -> None:
        self._stats = stats
        self._answered = 0
        self.api = api
        self.began_s = began_s
        """When they arrived."""
        self.handled_s: float | None = None
        """When their handlers had returned; None while the run continues."""

    def answered(self, answer: object) -> None:
        """One of them has its answer, successful or not."""
        if answer.__class__ is not list:
            self.api.failed(answer)
        self._answered += 1
        if self._answered == 1:
            self._stats.came(self)

    def sent(self, now_s: float) -> None:
        """The answers of this turn were sent."""
        count, self._answered = self._answered, 0
        api = self.api
        api.total.record(now_s - self.began_s, count)
        api.remote.record(0.0 if self.handled_s is None else now_s - self.handled_s, count)


class RequestStats:
    """The requests of one node, by the name of their API.

    For each request, a dispatcher calls `begin_run` unless `name` and `version` show that it
    continues the run, increments `count`, and calls `meet` unless the session has that `series`. If
    the answer is not ready when the handler returns, it registers it with `waits()`.
    """

    def __init__(self, clock: Callable[[], float], turn: Turn) -> None:
        """`clock` returns monotonic seconds; requests are handled in turns of `turn`."""
        self.now = clock
        self.apis: dict[str, ApiStats] = {}
        self.software = ClientSoftware()
        self.name = ""
        """The API of the current run; empty if no run has begun in this turn."""
        self.version = 0
        self.count = 0
        """The number of requests in the current run."""
        self.series = Series("", ApiStats(), 0)
        """The series of the current run."""
        self._turn = turn
        self._began_s = 0.0
        """When the turn's first request was seen."""
        self._run_began_s = 0.0
        self._waits = 0
        """Requests of the current run with delayed answers."""
        self._waiting: Waiting | None = None
        self._at_once: list[tuple[ApiStats, int]] = []
        """For each earlier run of the turn: the number of requests that were answered at once."""
        self._came: list[Waiting] = []
        """The runs with delayed answers that were resolved in this turn."""
        self._series: dict[tuple[str, int], Series] = {}
        turn.when_sent = self.end_turn

    def begin_run(self, name: str, version: int) -> None:
        """The next request is the turn's first, or its API or version differs from the last."""
        now_s = self.now()
        if self.name:
            self._end_run(now_s)
        else:
            self._began_s = now_s
        self._run_began_s = now_s
        self.name, self.version = name, version
        self.series = self._series.get((name, version)) or self._series_of(name, version)

    def meet(self, session: Session, client_id: str | None) -> None:
        """A session uses another API or version than before."""
        session.asked = series = self.series
        name = series.name
        spoken = session.spoken
        if series not in spoken and name != _INTRODUCTION and len(spoken) < _SPOKEN_MAX:
            spoken.add(series)
            self.software.meet(session, client_id, name, self.version)

    def waits(self) -> Waiting:
        """The last request's handler has returned without an answer."""
        self._waits += 1
        waiting = self._waiting
        if waiting is None:
            waiting = self._waiting = Waiting(self, self.series.api, self._began_s)
        return waiting

    def came(self, waiting: Waiting) -> None:
        """The first delayed answer of these in this turn is resolved, or sent outside of a turn."""
        if self._turn.is_open:
            self._came.append(waiting)
        else:
            waiting.sent(self.now())

    def end_turn(self) -> None:
        """The answers were sent: account for the turn."""
        if self.name:
            now_s = self.now()
            took_s = now_s - self._began_s
            self._end_run(now_s)
            self.name = ""
            for api, count in self._at_once:
                api.total.record(took_s, count)
            self._at_once.clear()
        elif self._came:
            now_s = self.now()
        else:
            return
        if self._came:
            came, self._came = self._came, []
            for waiting in came:
                waiting.sent(now_s)

    def of(self, api: str) -> ApiStats:
        """The statistics of one API."""
        found = self.apis.get(api)
        if found is None:
            found = self.apis[api] = ApiStats()
        return found

    def _end_run(self, now_s: float) -> None:
        count, series = self.count, self.series
        api = series.api
        api.versions[series.version] += count
        api.local.record((now_s - self._run_began_s) / count, count)
        if count > self._waits:
            self._at_once.append((api, count - self._waits))
        if self._waiting is not None:
            self._waiting.handled_s = now_s
            self._waiting = None
            self._waits = 0
        self.count = 0

    def _series_of(self, name: str, version: int) -> Series:
        """The series of a version; a new one as long as the API has fewer than the limit."""
        api = self.of(name)
        if len(api.versions) >= _VERSIONS_MAX:
            version = _OTHER_VERSIONS
            if (name, version) in self._series:
                return self._series[name, version]
        found = self._series[name, version] = Series(name, api, version)
        return found
