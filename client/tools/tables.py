"""Columns of text, as wide as their contents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Column(NamedTuple):
    """A heading and the minimal width; 0 for a last column, which is not padded."""

    heading: str
    width: int
    grows: bool = False
    """Whether it is as wide as its widest cell."""


def tabbed(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The layout of Kafka's newer tools: cells as wide as their column, a tab after each."""
    table = [headings, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(headings))]
    return [
        "".join(f"{cell.ljust(width)}\t" for cell, width in zip(row, widths, strict=True))
        for row in table
    ]


def lines(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """The heading and a line for each row; padded cells are followed by a space."""
    widths = [
        max([column.width, *(len(row[place]) for row in rows)]) if column.grows else column.width
        for place, column in enumerate(columns)
    ]
    return [
        " ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        for cells in ([column.heading for column in columns], *rows)
    ]
