"""The base of all sections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final, Self

from raftka.kraft.records import MetadataRecord


class ReplayError(Exception):
    """A committed record does not fit the image: a defect, or a foreign log."""


class Section:
    """One subject of the metadata: its fields of an image, and the changes that records made.

    The fields have the same names as in the image, and start as the base image's own mappings.
    `own` copies one before its first change, so that the base stays unchanged.
    """

    FIELDS: ClassVar[tuple[str, ...]]
    """Of `kraft.image.MetadataImage`."""
    REPLAYS: ClassVar[Mapping[type[MetadataRecord], Callable[[Any, Any, int], None]]]
    """How a record changes the section: replay(section, record, offset of its batch)."""

    __slots__ = ("_owned", "has_new_fields")

    def __init__(self, base: object) -> None:
        for name in self.FIELDS:
            setattr(self, name, getattr(base, name))
        self._owned: set[str] = set()
        self.has_new_fields = False
        """Whether a field has changed since an image was last built from them."""

    def own(self, field: str) -> Any:
        """The mapping of that name, copied once before its first change."""
        if field not in self._owned:
            self._owned.add(field)
            self.put(field, dict(getattr(self, field)))
        return getattr(self, field)

    def put(self, field: str, value: object) -> None:
        """Replace a field."""
        setattr(self, field, value)
        self.has_new_fields = True

    def take_fields(self) -> dict[str, Any]:
        """All fields, for the image."""
        self.has_new_fields = False
        return {name: getattr(self, name) for name in self.FIELDS}

    # What each section implements.

    def records(self) -> Iterator[MetadataRecord]:
        """The records that create this section from nothing, for a snapshot."""
        raise NotImplementedError

    def note_gone(self, before: Self) -> None:
        """Mark what `before` had and a loaded snapshot lacks as changed."""
        raise NotImplementedError

    def view(self) -> Mapping[str, Any]:
        """The section for people (`raftka metadata`): names, and nested values."""
        raise NotImplementedError


NOTHING: Final[Mapping[str, str]] = {}
