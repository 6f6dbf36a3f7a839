"""The offsets of a log, shared by all its components."""

from __future__ import annotations


class Bounds:
    """Log start offset <= any record's offset < log end offset."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        """The log start offset: records before it may still be in the first segment."""
        self.end = end
        """The offset of the next record."""
