"""Ranges of delivery states: newer ones over older ones, against a plain dictionary of offsets."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from raftka.broker.share.batches import Delivery, StateBatch, merge, overlay

A, K, X = Delivery.AVAILABLE, Delivery.ACKNOWLEDGED, Delivery.ARCHIVED


@st.composite
def batches(draw: st.DrawFn) -> StateBatch:
    first = draw(st.integers(0, 30))
    last = first + draw(st.integers(0, 8))
    return StateBatch(first, last, draw(st.sampled_from([A, K, X])), draw(st.integers(0, 2)))


def as_offsets(found: list[StateBatch]) -> dict[int, tuple[Delivery, int]]:
    return {
        offset: (batch.state, batch.deliveries)
        for batch in found
        for offset in range(batch.first, batch.last + 1)
    }


@given(st.lists(batches(), max_size=12), st.lists(batches(), max_size=6), st.integers(0, 40))
def test_newer_ranges_lie_on_top(
    older: list[StateBatch], newer: list[StateBatch], start: int
) -> None:
    known = overlay([], older, 0)
    result = overlay(known, newer, start)
    wanted: dict[int, tuple[Delivery, int]] = {}
    for batch in [*older, *newer]:
        for offset, each in as_offsets([batch]).items():
            wanted[offset] = max(wanted.get(offset, each), each, key=lambda state: state[::-1])
    wanted = {offset: state for offset, state in wanted.items() if offset >= start}
    assert as_offsets(result) == wanted
    for one, other in pairwise(result):
        assert one.last < other.first
        assert one.last + 1 < other.first or one[2:] != other[2:], "equal neighbours are one batch"


def test_a_batch_in_the_middle_splits_what_is_there() -> None:
    assert overlay([StateBatch(0, 9, A, 1)], [StateBatch(3, 4, K, 1)], 0) == [
        StateBatch(0, 2, A, 1),
        StateBatch(3, 4, K, 1),
        StateBatch(5, 9, A, 1),
    ]


def test_a_late_write_takes_nothing_back() -> None:
    acknowledged = [StateBatch(0, 9, K, 1)]
    assert overlay(acknowledged, [StateBatch(3, 4, A, 1)], 0) == acknowledged


def test_what_is_before_the_start_is_cut_off() -> None:
    assert merge([StateBatch(0, 4, K, 1), StateBatch(6, 9, K, 1)], 8) == [StateBatch(8, 9, K, 1)]
