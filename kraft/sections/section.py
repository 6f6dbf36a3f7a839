"""What all sections have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final, Self

from raftka.kraft.records import MetadataRecord


class ReplayError(Exception):
    """A committed record does not fit the image: a defect, or a log of something else."""


class Section:
    """One subject of the metadata: its fields of an image, and what records changed in them.

    The fields have the names that they have in the image, and begin as the base image's own
    mappings. `own` copies one before its first change, so that the base stays as it was.
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
        """Whether an image that was made of the fields before lacks one of them now."""

    def own(self, field: str) -> Any:
        """The mapping of that name, copied once so that it may be changed."""
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
        """The records that make this section out of nothing, for a snapshot."""
        raise NotImplementedError

    def note_gone(self, before: Self) -> None:
        """Mark as changed what `before` had and a snapshot that was loaded does not have."""
        raise NotImplementedError

    def view(self) -> Mapping[str, Any]:
        """The section as people see it (`raftka metadata`): names, and values of any depth."""
        raise NotImplementedError


NOTHING: Final[Mapping[str, str]] = {}
