"""Finalized features (KIP-584): the feature levels of the whole cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from raftka.kraft.records import FeatureLevelRecord, MetadataRecord
from raftka.kraft.sections.section import Section


class Features(Section):
    """The section of features."""

    FIELDS = ("features",)
    __slots__ = (*FIELDS, "changed")

    features: Mapping[str, int]

    def __init__(self, base: object) -> None:
        super().__init__(base)
        self.changed: dict[str, None] = {}

    def records(self) -> Iterator[MetadataRecord]:
        for name, level in self.features.items():
            yield FeatureLevelRecord(name, level)

    def note_gone(self, before: Features) -> None:
        for name in before.features:
            self.changed.setdefault(name)

    def view(self) -> Mapping[str, Any]:
        return self.features

    def _finalized(self, record: FeatureLevelRecord, _offset: int) -> None:
        features = self.own("features")
        if record.level == 0:
            features.pop(record.name, None)
        else:
            features[record.name] = record.level
        self.changed[record.name] = None

    REPLAYS: ClassVar = {FeatureLevelRecord: _finalized}
