"""Which offsets a log has: shared by everything that the log is composed of."""

from __future__ import annotations


class Bounds:
    """Log start offset <= any record's offset < log end offset."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        """Where the log begins: records before it may still be in the first segment."""
        self.end = end
        """The offset of the next record."""
