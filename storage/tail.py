"""The end of one log, where batches are appended: decides when the active segment is full, and
records the positions of its last batches.

Followers and the high watermark are near the end of the log: their positions are found in memory,
without reading the file.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from raftka.model.ports import Dice
from raftka.storage.config import MAX_LONG, LogConfig
from raftka.storage.replicated import Replicated
from raftka.storage.segment import MAX_RELATIVE_OFFSET, Segment

_REMEMBERED: Final = 1024
"""The minimal number of batches whose positions are kept."""


class Tail:
    """The active segment of a log. The recorded positions have no gaps between their offsets.

    An append compares four numbers, `*_limit` and `roll_*`; `has_room` is called only when one of
    them is exceeded.
    """

    __slots__ = (
        "_config",
        "_dice",
        "_jitter_ms",
        "offset_limit",
        "offsets",
        "positions",
        "roll_ms",
        "roll_timestamp",
        "segment",
        "size_limit",
    )

    def __init__(self, segment: Segment, config: LogConfig, dice: Dice | None) -> None:
        self._dice = dice
        self._config = config
        self.begin(segment)

    def begin(self, segment: Segment) -> None:
        """Append to `segment` from now on."""
        self.segment = segment
        self.offsets = array("q")
        """Base offsets of the last batches."""
        self.positions = array("q")
        """Their positions in the segment's file."""
        self._jitter_ms = 0
        limit = min(self._config.segment_jitter_ms, self._config.segment_ms)
        if limit > 0 and self._dice is not None:
            self._jitter_ms = self._dice.randrange(limit)
        self._set_limits(is_index_full=segment.is_index_full)

    def configure(self, config: LogConfig) -> None:
        """Apply new settings of the topic."""
        self._config = config
        self.segment.index_interval_bytes = config.index_interval_bytes
        self._set_limits(is_index_full=self.segment.is_index_full)

    def _set_limits(self, *, is_index_full: bool) -> None:
        segment, config = self.segment, self._config
        self.size_limit = -1 if is_index_full else config.segment_bytes
        self.offset_limit = segment.base_offset + MAX_RELATIVE_OFFSET
        self.roll_timestamp = self.roll_ms = MAX_LONG
        if segment.size:
            age_ms = config.max_segment_ms - self._jitter_ms
            first = segment.first_timestamp
            if first is not None and first >= 0:
                self.roll_timestamp = first + age_ms
            else:
                self.roll_ms = segment.created_ms + age_ms

    def has_room(
        self, size: int, last_offset: int, max_timestamp: int, now_ms: int, *, pending: int = 0
    ) -> bool:
        """Whether the segment may take a batch, after `pending` bytes that are appended with it.

        An empty segment takes any batch whose offsets it can represent.
        """
        if last_offset > self.offset_limit:
            return False
        taken = self.segment.size + pending
        return taken == 0 or (
            taken + size <= self.size_limit
            and max_timestamp <= self.roll_timestamp
            and now_ms <= self.roll_ms
        )

    def note(
        self, position: int, size: int, base_offset: int, last_offset: int, max_timestamp: int
    ) -> None:
        """Account for a batch that was just written at `position`, the segment's end."""
        segment = self.segment
        segment.size = position + size
        if segment.note_batch(position, size, last_offset, max_timestamp):
            self._set_limits(is_index_full=True)
        elif position == 0:
            self._set_limits(is_index_full=False)
            segment.make_indexes()
        offsets = self.offsets
        offsets.append(base_offset)
        self.positions.append(position)
        if len(offsets) >= 2 * _REMEMBERED:
            del offsets[:_REMEMBERED]
            del self.positions[:_REMEMBERED]

    def note_run(self, position: int, run: Sequence[Replicated]) -> None:
        """The same for batches without a gap at `position`, which is not the segment's start."""
        segment, offsets, positions = self.segment, self.offsets, self.positions
        if segment.note_run(position, run):
            self._set_limits(is_index_full=True)
        for header, size, _ in run:
            offsets.append(header[0])
            positions.append(position)
            position += size
        segment.size = position
        if len(offsets) >= 2 * _REMEMBERED:
            del offsets[:-_REMEMBERED]
            del positions[:-_REMEMBERED]

    def forget_places(self) -> None:
        """The next batch leaves a gap between offsets."""
        del self.offsets[:]
        del self.positions[:]

    def range_from(
        self, offset: int, max_bytes: int, upper_offset: int | None, min_one: bool
    ) -> tuple[int, int, int]:
        """(start, end, last end) in the file of the batches from the one with `offset` on.

        At most `max_bytes`, but one batch with `min_one`; only batches before `upper_offset`, or
        all if it is None. The last end is that of all these batches, whether they fit or not.
        `offset` must not be before the first recorded position.
        """
        offsets, positions = self.offsets, self.positions
        slot = bisect_right(offsets, offset) - 1
        start = positions[slot]
        if upper_offset is None:
            end = self.segment.size
        else:
            end = positions[bisect_right(offsets, upper_offset) - 1]
        last_end = end
        if end - start > max_bytes:
            fits = bisect_right(positions, start + max_bytes) - 1
            if fits == slot and min_one:
                fits += 1
            end = positions[fits] if fits < len(positions) else self.segment.size
        return start, end, last_end
