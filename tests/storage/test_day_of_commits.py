"""The coordinators' topics stay small under many commits: benchmarks/day_of_commits.py."""

from __future__ import annotations

from benchmarks.day_of_commits import a_day
from raftka.model.ids import OFFSETS_TOPIC, TRANSACTION_TOPIC
from tests.support.logs import new_disk

SEGMENT_BYTES = 64 << 10


async def test_the_topics_of_coordinators_stay_small() -> None:
    """Half an hour, with segments that are full after two or three minutes."""
    sizes = await a_day(
        new_disk(), "/data", seconds=1800, groups=5, producers=1, segment_bytes=SEGMENT_BYTES
    )
    assert sizes.keys() == {OFFSETS_TOPIC, TRANSACTION_TOPIC}
    for name, size in sizes.items():
        assert size.written > 7 * SEGMENT_BYTES, name
        # The open segment, what was written between two looks, and two cleaned values of each key.
        assert size.largest < 3 * SEGMENT_BYTES, name
