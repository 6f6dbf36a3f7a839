"""A metric family as a value, and Prometheus' text format 0.0.4.

This module writes the text itself; tests compare it with prometheus-client, whose samples are
objects: too slow for the hundred thousand samples of ten thousand partitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]
Sample = tuple[str, float]
"""(labels as `labels` writes them, value)"""

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


_SLICE: Final = 500
"""Samples in one piece of text, which bounds how long a scrape blocks the event loop."""

Kept = dict[tuple[str, int], tuple[Sequence[float], bytes]]
"""By a metric's name and a piece's first sample: the piece's values, and its text."""


class Column(NamedTuple):
    """The samples of a family with one per partition, always under the same labels.

    Most values are the same as in the previous scrape, so their text is reused: formatting ten
    thousand lines takes fifty times as long as checking whether their values have changed.
    """

    where: Sequence[str]
    """Labels in the format of `labels`."""
    values: Sequence[float]
    kept: Kept
    """The text of the previous scrape, for the same `where`."""

    def lines(self, name: str) -> Iterator[bytes]:
        """The text of the samples, in pieces."""
        for start in range(0, len(self.values), _SLICE):
            values = self.values[start : start + _SLICE]
            known = self.kept.get((name, start))
            if known is None or known[0] != values:
                where = self.where[start : start + _SLICE]
                text = "".join([f"{name}{a} {b}\n" for a, b in zip(where, values, strict=True)])
                known = self.kept[name, start] = (values, text.encode())
            yield known[1]


class Family(NamedTuple):
    """One metric under each of its names, with a sample for each label set."""

    names: tuple[str, ...]
    kind: Kind
    help: str
    samples: Sequence[Sample] | Column
    """For a histogram, the labels of samples carry their suffixes: see `Histogram`."""


def labels(**pairs: object) -> str:
    """`{topic="orders",partition="0"}`; empty without pairs."""
    if not pairs:
        return ""
    return "{" + ",".join(f'{name}="{escape(str(value))}"' for name, value in pairs.items()) + "}"


def escape(value: str) -> str:
    """Escape a label's value for the text format."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def gauge(names: tuple[str, ...], help: str, value: float) -> Family:
    """A gauge of one sample without labels."""
    return Family(names, "gauge", help, (("", value),))


def counter(names: tuple[str, ...], help: str, value: float) -> Family:
    """A counter of one sample without labels."""
    return Family(names, "counter", help, (("", value),))


def text_of(families: Iterable[Family]) -> Iterator[bytes]:
    """The exposition in pieces that each take well under a millisecond to write."""
    for family in families:
        for name in family.names:
            yield f"# HELP {name} {_help(family.help)}\n# TYPE {name} {family.kind}\n".encode()
            samples = family.samples
            if isinstance(samples, Column):
                yield from samples.lines(name)
                continue
            for start in range(0, len(samples), _SLICE):
                some = samples[start : start + _SLICE]
                yield "".join([f"{name}{where} {value}\n" for where, value in some]).encode()


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
