"""The distribution of values: percentiles for scripts, a line with a histogram for tables."""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import Final

from raftka.simulations.runs.report import table
from raftka.simulations.runs.sample import Sample

_BARS: Final = "▁▂▃▄▅▆▇█"
_BUCKETS: Final = 16


def of(values: Sample) -> dict[str, float]:
    """n, min, median, p90, p99 and max; only n when there are no values."""
    if not values.count:
        return {"n": 0}
    found = sorted(values.kept)

    def at(part: float) -> float:
        return found[min(len(found) - 1, int(part * len(found)))]

    return {
        "n": values.count,
        "min": values.least,
        "median": at(0.5),
        "p90": at(0.9),
        "p99": at(0.99),
        "max": values.greatest,
    }


def histogram(values: Sample) -> str:
    """A histogram: one character for each interval from the smallest to the largest value, on a
    logarithmic scale. A space means no value.
    """
    if values.least == values.greatest:
        return ""
    # Values near zero must not take most of the scale.
    least = max(values.least, values.greatest / 1000)
    width = log(values.greatest / least)
    counts = [0] * _BUCKETS
    for value in values.kept:
        part = log(max(value, least) / least) / width
        counts[min(_BUCKETS - 1, int(part * _BUCKETS))] += 1
    most = max(counts)
    return "".join(
        _BARS[(count * (len(_BARS) - 1) + most - 1) // most] if count else " " for count in counts
    )


def table_of(named: Iterable[tuple[str, Sample]]) -> str:
    """A line for each: its name, the percentiles, the histogram."""
    rows: list[tuple[object, ...]] = [
        ("", "n", "min", "median", "p90", "p99", "max", "min to max (logarithmic)")
    ]
    for name, values in named:
        found = of(values)
        numbers = [
            f"{found[key]:.2f}" if key in found else "-"
            for key in ("min", "median", "p90", "p99", "max")
        ]
        rows.append((name, found["n"], *numbers, histogram(values)))
    return table(rows)
