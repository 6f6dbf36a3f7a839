"""Requests by API: Kafka's RequestMetrics, and a histogram for other quantiles.

Kafka's stages: `local` is the handler's own time, `remote` the wait for other nodes or for records,
`total` the time from arrival to answer. Requests that arrive together are handled in one turn and
answered together: they wait for one another within `total`, but in no queue, so the queue stages
are 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from raftka.broker.metrics.families import Family, Sample, labels
from raftka.broker.metrics.names import meter
from raftka.model.errors import ErrorCode
from raftka.net.request_stats import BOUNDS_S, ApiStats, Histogram, RequestStats

_QUANTILES: Final = (0.5, 0.75, 0.95, 0.98, 0.99, 0.999)
"""The quantiles of Kafka's own histograms."""
_NOTHING: Final = Histogram()
_METRICS: Final = "kafka_network_requestmetrics_"


def requests(stats: RequestStats) -> Iterator[Family]:
    """For each API that was requested."""
    apis = sorted(stats.apis.items())
    yield Family(
        meter(_METRICS + "requests"),
        "counter",
        "Requests that were answered.",
        [
            (labels(request=name, version=version), count)
            for name, api in apis
            for version, count in sorted(api.versions.items())
        ],
    )
    yield Family(
        meter(_METRICS + "errors"),
        "counter",
        "Answers by their error code.",
        [
            (labels(request=name, error=_error(code)), count)
            for name, api in apis
            for code, count in _errors(api)
        ],
    )
    for stage, words in (
        ("total", "From the arrival of a request to its answer, in ms."),
        ("local", "The handler's own time, in ms."),
        ("remote", "The wait for other nodes or for records, in ms."),
        ("requestqueue", "The wait for a handler, in ms."),
        ("responsequeue", "The wait of an answer to be sent, in ms."),
    ):
        quantiles: list[Sample] = []
        counts: list[Sample] = []
        for name, api in apis:
            durations = _stage(api, stage)
            quantiles += [
                (labels(request=name, quantile=share), durations.quantile_s(share) * 1000)
                for share in _QUANTILES
            ]
            counts.append((labels(request=name), api.total.count))
        yield Family((f"{_METRICS}{stage}timems",), "gauge", words, quantiles)
        yield Family((f"{_METRICS}{stage}timems_count",), "counter", words, counts)
    yield Family(
        ("raftka_request_seconds",),
        "histogram",
        "Requests by API and stage.",
        [
            sample
            for name, api in apis
            for stage in ("total", "local", "remote")
            for sample in _buckets(_stage(api, stage), request=name, stage=stage)
        ],
    )


def _stage(api: ApiStats, stage: str) -> Histogram:
    if stage == "total":
        return api.total
    if stage == "local":
        return api.local
    return api.remote if stage == "remote" else _NOTHING


def _errors(api: ApiStats) -> Iterator[tuple[int, int]]:
    failed = sum(api.errors.values())
    yield ErrorCode.NONE, sum(api.versions.values()) - failed
    yield from sorted(api.errors.items())


def _error(code: int) -> str:
    return ErrorCode(code).name if code in ErrorCode._value2member_map_ else str(code)


def _buckets(durations: Histogram, **where: object) -> Iterator[Sample]:
    """Prometheus buckets are cumulative: each counts the lower ones, too."""
    below = 0
    for bound, count in zip((*BOUNDS_S, None), durations.counts, strict=True):
        below += count
        yield "_bucket" + labels(**where, le="+Inf" if bound is None else f"{bound:g}"), below
    yield "_sum" + labels(**where), durations.total_s
    yield "_count" + labels(**where), below
