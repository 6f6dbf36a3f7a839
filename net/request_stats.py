"""Requests by API: how many of which version, their errors, how long each stage took.

Kept only where a scraper can ask for them (broker/metrics), which makes sums and quantiles.

A small request takes ten microseconds, so none is timed by itself. A turn of the node handles many,
mostly of one API and version: such a run of them is counted by one addition each, and timed as a
whole. They arrived when the turn began, and their answers leave when it ends; the handler's own
time is an equal share of the run. Only an answer that comes in a later turn has times of its own.
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
"""Where the buckets end, in seconds: 32 µs, and so on doubling to 34 s. One more is open."""

_LAST: Final = len(BOUNDS_S)

_INTRODUCTION: Final = "ApiVersions"
"""A client says by it what it is, and so it is not known before it was answered."""
_SPOKEN_MAX: Final = 500
"""A connection that asks in more versions of APIs than exist is hostile."""
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

    def record(self, seconds: float, count: int = 1) -> None:
        """So many more that took so long each."""
        bucket = (int(seconds * 1_000_000) >> _FIRST_BIT).bit_length()
        self.counts[bucket if bucket <= _LAST else _LAST] += count
        self.total_s += seconds * count

    @property
    def count(self) -> int:
        """How many were recorded."""
        return sum(self.counts)

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
    """What has been asked of one API, and answered."""

    __slots__ = ("errors", "local", "remote", "total", "versions")

    def __init__(self) -> None:
        self.versions: Counter[int] = Counter()
        self.errors: Counter[int] = Counter()
        """Error codes of whole requests, not of their topics and partitions."""
        self.total = Histogram()
        """From the arrival of a request to its answer."""
        self.local = Histogram()
        """The handler's own time."""
        self.remote = Histogram()
        """Of those that were not answered at once, the wait for others, for records or for room."""

    def failed(self, answer: object) -> None:
        """Count the error of an answer, if it has one."""
        code = getattr(answer, "error_code", 0)
        if code:
            self.errors[code] += 1


class Series:
    """The requests of one API in one version; all made-up versions of an API are one series."""

    __slots__ = ("api", "name", "version")

    def __init__(self, name: str, api: ApiStats, version: int) -> None:
        self.name = name
        self.api = api
        self.version = version


class Waiting:
    """The requests of one run that were not answered at once."""

    __slots__ = ("_answered", "_stats", "api", "began_s", "handled_s")

    def __init__(self, stats: RequestStats, api: ApiStats, began_s: float) -> None:
        self._stats = stats
        self._answered = 0
        self.api = api
        self.began_s = began_s
        """When they arrived."""
        self.handled_s: float | None = None
        """When their handlers had returned; None as long as the run goes on."""

    def answered(self, answer: object) -> None:
        """One of them has its answer, whatever it says."""
        if answer.__class__ is not list:
            self.api.failed(answer)
        self._answered += 1
        if self._answered == 1:
            self._stats.came(self)

    def sent(self, now_s: float) -> None:
        """The answers that came in this turn have left."""
        count, self._answered = self._answered, 0
        api = self.api
        api.total.record(now_s - self.began_s, count)
        api.remote.record(0.0 if self.handled_s is None else now_s - self.handled_s, count)


class RequestStats:
    """The requests of one node, by the name of their API.

    A dispatcher that gets a request calls `begin_run` unless `name` and `version` say that it
    continues the run, adds one to `count`, and calls `meet` unless the session is known by
    `series`. An answer that is not there when the handler returns is one of `waits()`.
    """

    def __init__(self, clock: Callable[[], float], turn: Turn) -> None:
        """`clock` returns monotonic seconds; requests are handled in turns of `turn`."""
        self.now = clock
        self.apis: dict[str, ApiStats] = {}
        self.software = ClientSoftware()
        self.name = ""
        """Of the API of the present run; empty where no run has begun in this turn."""
        self.version = 0
        self.count = 0
        """Requests of the present run."""
        self.series = Series("", ApiStats(), 0)
        """That of the present run."""
        self._turn = turn
        self._began_s = 0.0
        """When the turn's first request was met."""
        self._run_began_s = 0.0
        self._waits = 0
        """Requests of the present run that were not answered at once."""
        self._waiting: Waiting | None = None
        self._at_once: list[tuple[ApiStats, int]] = []
        """How many of each earlier run of the turn were answered at once."""
        self._came: list[Waiting] = []
        """Whose answers came in this turn."""
        self._series: dict[tuple[str, int], Series] = {}
        turn.when_sent = self.end_turn

    def begin_run(self, name: str, version: int) -> None:
        """The next request is the turn's first, or not of the API and version before it."""
        now_s = self.now()
        if self.name:
            self._end_run(now_s)
        else:
            self._began_s = now_s
        self._run_began_s = now_s
        self.name, self.version = name, version
        self.series = self._series.get((name, version)) or self._series_of(name, version)

    def meet(self, session: Session, client_id: str | None) -> None:
        """A session asks in another API or version than the time before."""
        session.asked = series = self.series
        name = series.name
        spoken = session.spoken
        if series not in spoken and name != _INTRODUCTION and len(spoken) < _SPOKEN_MAX:
            spoken.add(series)
            self.software.meet(session, client_id, name, self.version)

    def waits(self) -> Waiting:
        """The last request's handler has returned, and its answer is not known yet."""
        self._waits += 1
        waiting = self._waiting
        if waiting is None:
            waiting = self._waiting = Waiting(self, self.series.api, self._began_s)
        return waiting

    def came(self, waiting: Waiting) -> None:
        """Of these, the turn's first answer is known; or, outside of a turn, it has left."""
        if self._turn.is_open:
            self._came.append(waiting)
        else:
            waiting.sent(self.now())

    def end_turn(self) -> None:
        """Answers have left: account for what the turn has handled."""
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
        """The stats of one API."""
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
        """A new one, as long as there may be further ones of the API."""
        api = self.of(name)
        if len(api.versions) >= _VERSIONS_MAX:
            version = _OTHER_VERSIONS
            if (name, version) in self._series:
                return self._series[name, version]
        found = self._series[name, version] = Series(name, api, version)
        return found
